"""Execute a command as a child of a zygote, enforce its limits, and measure it until none of its processes is left."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sandbox.runner import launch_spec
from sandbox.runner.cpu_allowance import CpuAllowance
from sandbox.runner.enums import Mode
from sandbox.runner.messages import RunLimits
from sandbox.runner.supervisor.errors import BoxBroken
from sandbox.runner.supervisor.limit_watch import LimitWatch
from sandbox.runner.supervisor.outcome import ExitInfo
from sandbox.runner.supervisor.program_processes import ProgramProcesses
from sandbox.runner.supervisor.run_meter import RunMeter
from sandbox.runner.supervisor.workspace import Workspace
from sandbox.runner.supervisor.zygotes import ZygotePool

MIN_START_TIME_S = 0.1  # setting up a child takes 0.3 ms of CPU time
# gVisor's clock runs many times too fast while threads wait for a CPU, so this limit is only a backup
GVISOR_CPU_LIMIT_FACTOR = 32


class Execution:
    """Executes commands in the workspace, one at a time, each as a child of the chosen zygote.

    `environment` is that of the loaded program, packed by `launch_spec.pack_environment`.
    """

    def __init__(
        self,
        workspace: Workspace,
        zygotes: ZygotePool,
        processes: ProgramProcesses,
        meter: RunMeter,
        watch: LimitWatch,
        in_gvisor: bool,
    ) -> None:
        self._workspace = workspace
        self._directory = workspace.work
        self._zygotes = zygotes
        self._processes = processes
        self._meter = meter
        self._watch = watch
        self._in_gvisor = in_gvisor
        self.environment = ""

    def execute(
        self,
        command: Sequence[str],
        mode: Mode,
        uid: int | None,
        streams: Sequence[int],
        limits: RunLimits,
        allowance: CpuAllowance,
    ) -> ExitInfo:
        """Run the command until it ends, and return its exit information.

        Raises BoxBroken, or ConnectionClosed if the worker disconnects.

        `streams` become the process's descriptors 0, 1, 2 and so on.
        """
        # The kernel's own CPU limit is only a backup: it ignores the allowance.
        cpu_limit_s = limits.cpu_time_s + allowance.max_s
        memory_limit_mb = float(limits.memory_mb)
        if self._in_gvisor:
            cpu_limit_s *= GVISOR_CPU_LIMIT_FACTOR
            memory_limit_mb += self._workspace.measure_build_outputs() >> 20  # the measured memory includes them
        packed = launch_spec.pack(self._directory, command, self.environment, mode, uid, limits, cpu_limit_s)
        self._meter.begin()
        started_at = time.monotonic()
        self._zygotes.chosen.start_child(packed, streams)
        stopped = self._watch.enforce(started_at, limits, allowance, memory_limit_mb)
        report = self._zygotes.chosen.read_report()
        ended_at = time.monotonic()
        elapsed_s = ended_at - started_at
        counted_s = report.cpu_time_s + self._processes.reap_leftovers()
        exec_error = report.error if report.step is launch_spec.SetupStep.EXEC else 0
        # If the time limit is too short for any program to begin, the request is at fault, not the box.
        too_little_time = (stopped == "cpu" and limits.cpu_time_s < MIN_START_TIME_S) or (
            stopped == "wall" and limits.wall_time_s < MIN_START_TIME_S
        )
        if report.failure and not exec_error and not too_little_time:
            raise BoxBroken(f"the program was not started: {report.failure}")
        return ExitInfo(
            report.wait_status,
            self._meter.measure_cpu_time_s(counted_s, elapsed_s),
            elapsed_s,
            report.memory_mb,
            stopped,
            stopped == "memory"
            or self._meter.ran_out_of_memory(memory_limit_mb)
            or self._peak_is_over(report.memory_mb, mode, limits, memory_limit_mb),
            self._watch.estimate_cpu_wait_s(ended_at),
            exec_error,
        )

    def _peak_is_over(self, peak_mb: float, mode: Mode, limits: RunLimits, memory_limit_mb: float) -> bool:
        if peak_mb <= limits.memory_mb:
            return False
        # The peak resident size of an exec'd program starts at that of the zygote it was forked from.
        inherited = mode is Mode.EXEC and peak_mb <= self._zygotes.chosen.resident_mb * 1.05
        return not inherited and peak_mb > memory_limit_mb
