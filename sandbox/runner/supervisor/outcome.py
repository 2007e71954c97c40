"""Determine the outcome of a run from the exit information of its child."""

from __future__ import annotations

import os
from typing import NamedTuple

from sandbox.runner.cpu_allowance import CpuAllowance
from sandbox.runner.enums import Status
from sandbox.runner.messages import OutcomeMessage, RunLimits


class ExitInfo(NamedTuple):
    """The exit information of a child, as reported by the kernel.

    `out_of_memory` is also set if the child's peak memory exceeded the limit.
    """

    wait_status: int
    cpu_time_s: float
    wall_time_s: float
    memory_mb: float
    stop_reason: str = ""
    out_of_memory: bool = False
    cpu_wait_s: float = 0.0  # the part of the wall time spent waiting for a free CPU
    exec_error: int = 0  # the errno of running its command, if it could not be run


def build_outcome(exit_info: ExitInfo, limits: RunLimits, allowance: CpuAllowance) -> OutcomeMessage:
    """Return the outcome of a run with these limits. `allowance` is the extra CPU time that the program was granted."""
    signalled = os.WIFSIGNALED(exit_info.wait_status)
    exit_code = None if signalled else os.WEXITSTATUS(exit_info.wait_status)
    status, message = _decide_status(exit_info, exit_code, limits, allowance)
    return OutcomeMessage(
        status,
        exit_code,
        os.WTERMSIG(exit_info.wait_status) if signalled else None,
        round(exit_info.cpu_time_s, 6),
        round(exit_info.wall_time_s, 6),
        round(exit_info.memory_mb, 3),
        exit_info.stop_reason,
        message,
        exit_info.exec_error,
    )


def _decide_status(
    exit_info: ExitInfo, exit_code: int | None, limits: RunLimits, allowance: CpuAllowance
) -> tuple[Status, str]:
    """Return the status and the name of the exceeded time limit, or an empty string if no time limit was exceeded."""
    if exit_info.exec_error:
        return Status.INTERNAL_ERROR, ""
    if exit_info.out_of_memory:
        return Status.MEMORY_LIMIT_EXCEEDED, ""
    over_cpu = exit_info.stop_reason == "cpu" or _is_over_limit(exit_info.cpu_time_s, limits.cpu_time_s, allowance)
    spent_s = exit_info.wall_time_s - exit_info.cpu_wait_s
    over_wall = exit_info.stop_reason == "wall" or _is_over_limit(spent_s, limits.wall_time_s, allowance)
    if over_cpu or over_wall:
        return Status.TIME_LIMIT_EXCEEDED, "CPU time" if over_cpu and exit_info.stop_reason != "wall" else "wall time"
    return (Status.OK if exit_code == 0 else Status.RUNTIME_ERROR), ""


def _is_over_limit(time_s: float, limit_s: float, allowance: CpuAllowance) -> bool:
    return time_s > limit_s and time_s > limit_s + allowance.read_s()
