"""Watch the limits of the run in progress, and kill its program when it exceeds one.

The watch sleeps until the zygote reports that the child has ended, and wakes up only to check the limits:

- CPU time of the whole process tree, read from the processes' clocks, so a program gains no time by forking;
- wall time minus the time that its processes waited for a free CPU, so a busy machine does not change a verdict. A run
  that ends by itself is measured the same way, so the verdict is consistent even right at the limit;
- a `KILL` from the worker (for example, if the output is too large), or the end of the worker, which also ends the box.

With a cgroup, the kernel enforces the memory limit and counts out-of-memory kills. Without one, the watch polls
resident memory. The kernel misses two kinds of memory exhaustion. First, if a program's code no longer fits in memory
next to its data, the kernel keeps evicting the code's pages and reading them back. This can last minutes, and nothing
is killed. The watch therefore reports memory exhaustion once the total size of the pages read back reaches the memory
limit. Second, the kernel charges the memory of file locks to nobody. The watch therefore reports memory exhaustion if a
program holds thousands of them.
"""

from __future__ import annotations

import os
import select
import socket
import time

from sandbox.runner import frames
from sandbox.runner.cpu_allowance import CpuAllowance
from sandbox.runner.enums import MAX_WALL_TIME_FACTOR
from sandbox.runner.messages import RunLimits
from sandbox.runner.supervisor import usage
from sandbox.runner.supervisor.errors import BoxBroken
from sandbox.runner.supervisor.program_processes import KILL_TIMEOUT_S, ProgramProcesses
from sandbox.runner.supervisor.run_meter import RunMeter
from sandbox.runner.supervisor.zygotes import ZygotePool

MIN_CHECK_INTERVAL_S = 0.002
MEMORY_CHECK_INTERVAL_S = 0.01
GVISOR_MEMORY_CHECK_INTERVAL_S = 0.05  # one check takes milliseconds on gVisor, out of the box's own CPU time
PAGES_CHECK_INTERVAL_S = 0.5
# The kernel takes up to 15 ms to list file locks, so the list waits if another limit can be exceeded sooner than this.
LOCKS_CHECK_LEAD_S = 0.05
# before the wall limit: the last chance to read how long the processes waited, if they end at the limit
FINAL_CHECK_LEAD_S = 0.01
MAX_CHECK_DELAY_S = 0.02  # after a longer gap between checks, the supervisor itself must have waited for a CPU
PAGES_PER_MB = (1 << 20) // os.sysconf("SC_PAGE_SIZE")


class LimitWatch:
    """Watches one run at a time.

    `memory_check_interval_s` is how often memory is polled, or 0 if the kernel enforces its limit.
    """

    def __init__(
        self,
        connection: socket.socket,
        zygotes: ZygotePool,
        processes: ProgramProcesses,
        meter: RunMeter,
        memory_check_interval_s: float,
    ) -> None:
        self._connection = connection
        self._zygotes = zygotes
        self._processes = processes
        self._meter = meter
        self._memory_check_interval_s = memory_check_interval_s
        self._refaulted_pages = usage.open_refault_counter()
        self._file_locks = usage.open_file_locks()
        self._allowance = CpuAllowance()
        self._memory_limit_mb = 0.0
        # How long the run's processes have waited for a CPU, as of the last check.
        self._cpu_wait_s = self._checked_at = 0.0
        zygotes.poll.register(connection, select.POLLIN)

    def enforce(self, started_at: float, limits: RunLimits, allowance: CpuAllowance, memory_limit_mb: float) -> str:
        """Enforce the limits until the zygote reports that the child has ended.

        Return the reason if the program was stopped, or an empty string.

        Raises BoxBroken if the program cannot be killed, or ConnectionClosed if the worker disconnects.
        """
        self._allowance, self._memory_limit_mb = allowance, memory_limit_mb
        self._cpu_wait_s, self._checked_at = 0.0, started_at
        stopped = ""
        next_look = started_at + min(
            limits.cpu_time_s, max(0.0, limits.wall_time_s - FINAL_CHECK_LEAD_S), PAGES_CHECK_INTERVAL_S
        )
        pages_before: float | None = None
        locks_checked_at = started_at
        while True:
            if self._memory_check_interval_s and not stopped:
                next_look = min(next_look, time.monotonic() + self._memory_check_interval_s)
            ready = dict(self._zygotes.poll.poll(max(0.0, next_look - time.monotonic()) * 1000 + 0.5))
            if self._connection.fileno() in ready:
                # the only message a worker sends during a run is `KILL`; otherwise the connection closed
                frames.receive(self._connection)
                stopped = stopped or "killed"
                next_look = self._processes.kill()
            if self._zygotes.chosen.socket.fileno() in ready:
                return stopped
            if stopped and time.monotonic() >= next_look:
                raise BoxBroken(f"the program did not end within {KILL_TIMEOUT_S:g} s of being killed")
            if not stopped and time.monotonic() >= next_look:
                stopped, left = self._check(started_at, limits)
                next_look = time.monotonic() + min(left, PAGES_CHECK_INTERVAL_S)
                pages = self._refaulted_pages.read()
                pages_before = pages if pages_before is None else pages_before
                if pages - pages_before > limits.memory_mb * PAGES_PER_MB:
                    stopped = stopped or "memory"
                locks_age_s = time.monotonic() - locks_checked_at
                if not stopped and (left >= LOCKS_CHECK_LEAD_S or locks_age_s >= 2 * PAGES_CHECK_INTERVAL_S):
                    locks_checked_at += locks_age_s
                    stopped = "memory" if self._file_locks.is_over_limit() else ""
                if stopped:
                    next_look = self._processes.kill()

    def estimate_cpu_wait_s(self, ended_at: float) -> float:
        """Return the time in seconds that the processes of the run waited for a CPU.

        Call this right after the run has ended.
        """
        return self._cpu_wait_s + max(0.0, ended_at - self._checked_at - MAX_CHECK_DELAY_S)

    def _check(self, started_at: float, limits: RunLimits) -> tuple[str, float]:
        """Return the exceeded limit, or an empty string, and the seconds until a limit can next be exceeded."""
        alive = self._processes.find_pids()
        elapsed = time.monotonic() - started_at
        cpu = self._meter.cap_cpu_time_s(sum(map(usage.read_process_cpu_time_s, alive)), elapsed)
        if self._memory_check_interval_s and self._meter.measure_memory_mb(alive) > self._memory_limit_mb:
            return "memory", 0.0
        cpu_limit, wall_limit = limits.cpu_time_s, limits.wall_time_s
        if cpu >= cpu_limit or elapsed >= wall_limit:
            cpu_limit, wall_limit = (limit + self._allowance.read_s() for limit in (cpu_limit, wall_limit))
        if cpu >= cpu_limit:
            return "cpu", 0.0
        waited = min(max(map(usage.read_cpu_wait_s, alive), default=0.0), elapsed)
        self._cpu_wait_s, self._checked_at = max(waited, self._cpu_wait_s), started_at + elapsed
        wall_left = wall_limit - (elapsed - waited)
        if wall_left <= 0 or elapsed > wall_limit * MAX_WALL_TIME_FACTOR:
            return "wall", 0.0
        unwatched = (
            wall_left - FINAL_CHECK_LEAD_S if wall_left > FINAL_CHECK_LEAD_S + MIN_CHECK_INTERVAL_S else wall_left
        )
        return "", max(MIN_CHECK_INTERVAL_S, min(cpu_limit - cpu, unwatched))
