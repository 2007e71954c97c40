"""Measure the run in progress: its CPU time, its memory, and whether the kernel killed it for lack of memory."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sandbox.runner.supervisor import usage
from sandbox.runner.supervisor.gvisor_kernel import GvisorKernel
from sandbox.runner.supervisor.zygotes import ZygotePool

BOX_CLOCK_MIN_RUN_S = 0.02  # shorter runs cannot hide enough CPU time to justify reading the cgroup


class RunMeter:
    """The counters of a box, which are read before and after each run.

    `cpus` is the number of CPUs that the box may use.
    """

    def __init__(self, zygotes: ZygotePool, gvisor: GvisorKernel | None, cpus: float) -> None:
        self._zygotes = zygotes
        self._gvisor = gvisor
        self._cpus = cpus
        self._oom_kills = usage.open_oom_kill_counter()
        self._box_clock = usage.open_box_cpu_clock()
        self._kills_before = self._memory_before_mb = self._box_before_s = 0.0

    def begin(self) -> None:
        """Read the counters before a run."""
        self._kills_before = self._oom_kills.read()
        if self._gvisor is not None:
            self._memory_before_mb = self._gvisor.read_memory_mb()
        self._box_before_s = self._read_box_cpu_time_s()

    def measure_memory_mb(self, pids: Sequence[int]) -> float:
        if self._gvisor is not None:
            return self._gvisor.read_memory_mb() - self._memory_before_mb
        return sum(map(usage.read_resident_mb, pids))

    def ran_out_of_memory(self, memory_limit_mb: float) -> bool:
        """Return whether the kernel has killed a process for lack of memory.

        On gVisor, return whether the memory in use exceeds the limit.

        Call this once the run has ended.
        """
        return self._oom_kills.read() > self._kills_before or (
            self._gvisor is not None and self.measure_memory_mb([]) > memory_limit_mb
        )

    def measure_cpu_time_s(self, counted_s: float, elapsed_s: float) -> float:
        """Return the CPU time in seconds of a run that has ended.

        This is `counted_s`, or the CPU time of the box if that is longer.

        `counted_s` is the sum over the run's processes.
        """
        if elapsed_s > BOX_CLOCK_MIN_RUN_S and self._box_clock.exists:
            counted_s = max(counted_s, self._read_box_cpu_time_s() - self._box_before_s)
        return self.cap_cpu_time_s(counted_s, elapsed_s)

    def cap_cpu_time_s(self, counted_s: float, elapsed_s: float) -> float:
        """Cap the CPU time on gVisor, which also counts the time that a process is ready to run but has no CPU."""
        return min(counted_s, elapsed_s * self._cpus) if self._gvisor is not None else counted_s

    def _read_box_cpu_time_s(self) -> float:
        """Return the CPU time of the box in seconds, excluding the supervisor and the zygotes."""
        own_s = time.process_time() + sum(map(usage.read_process_cpu_time_s, self._zygotes.list_pids()))
        return self._box_clock.read() - own_s
