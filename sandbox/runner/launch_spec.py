"""The binary layout of a launch spec, and of the exit report that the zygote sends when a child ends.

The supervisor writes a launch spec to a memfd for one child. `forkserver.c` reads the same layout: seven 64-bit
numbers, then NUL-terminated strings (directory, arguments, environment). No process keeps a launch spec in its memory,
and its memfd disappears with the child.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from sandbox.runner.enums import Mode

if TYPE_CHECKING:  # the zygote reads launch specs but no messages
    from sandbox.runner.messages import RunLimits

MIB = 1 << 20
CPU_LIMIT_MARGIN_S = 2  # the kernel's limit counts whole seconds and is only a backup for the supervisor's clock
KEEP_UID = -1
MAX_ENVIRONMENT_VARIABLES = 256
_NUMBERS = struct.Struct("=7q")
_REPORT = struct.Struct("=ihhdd")


class SetupStep(IntEnum):
    """The steps that a child goes through, in order, before its program begins.

    They match `enum step` in forkserver.c.
    """

    STARTED = 0  # the program has begun: from here on it is responsible for how it ends
    FORK = 1
    DESCRIPTORS = 2
    SESSION = 3
    DIRECTORY = 4
    VISIBILITY = 5
    OOM_SCORE = 6
    LIMITS = 7
    USER = 8
    DEATH_SIGNAL = 9
    EXEC = 10


class LaunchSpec(NamedTuple):
    """The command, limits and user for one child. `uid` is None if the host provides no uids for runs."""

    directory: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    mode: Mode
    uid: int | None
    cpu_limit_s: int
    memory_bytes: int
    processes: int
    file_bytes: int


class ExitReport(NamedTuple):
    """The end of a child as reported by wait4. CPU times are in seconds and include reaped children; memory is in MiB.

    If the child ended before its program began, `step` is the step it reached and `error` the errno, or 0 if it was
    killed.
    """

    wait_status: int
    cpu_time_s: float
    memory_mb: float
    step: SetupStep = SetupStep.STARTED
    error: int = 0

    @property
    def failure(self) -> str:
        """Return the reason why the program was not started, or an empty string if it was started."""
        if self.step is SetupStep.STARTED:
            return ""
        return f"{self.step.name.lower()}: {os.strerror(self.error) if self.error else 'killed'}"


def pack(
    directory: str,
    command: Sequence[str],
    environment: str,
    mode: Mode,
    uid: int | None,
    limits: RunLimits,
    cpu_limit_s: float,
) -> bytes:
    """Pack a launch spec. `environment` holds joined, NUL-terminated NAME=value strings from `pack_environment`.

    `cpu_limit_s` is the limit that the kernel enforces, not the one in `limits`.
    """
    numbers = _NUMBERS.pack(
        KEEP_UID if uid is None else uid,
        mode,
        int(cpu_limit_s) + CPU_LIMIT_MARGIN_S,
        limits.memory_mb * MIB,
        limits.processes,
        limits.file_mb * MIB,
        len(command),
    )
    strings = f"{directory}\0{''.join(f'{argument}{chr(0)}' for argument in command)}{environment}\0"
    return numbers + strings.encode("utf-8", "surrogateescape")


def pack_environment(environment: Mapping[str, str]) -> str:
    if len(environment) > MAX_ENVIRONMENT_VARIABLES:
        raise ValueError(f"environment: {len(environment)} variables, the maximum is {MAX_ENVIRONMENT_VARIABLES}")
    return "".join(f"{name}={value}\0" for name, value in environment.items())


def unpack(content: bytes) -> LaunchSpec:
    """Unpack a launch spec. Used by the zygote if it has no C library."""
    uid, mode, cpu_seconds, memory_bytes, processes, file_bytes, arguments = _NUMBERS.unpack_from(content)
    directory, *strings = content[_NUMBERS.size :].decode("utf-8", "surrogateescape").split("\0")
    return LaunchSpec(
        directory=directory,
        command=tuple(strings[:arguments]),
        environment=dict(variable.split("=", 1) for variable in strings[arguments:] if variable),
        mode=Mode(mode),
        uid=None if uid == KEEP_UID else uid,
        cpu_limit_s=cpu_seconds,
        memory_bytes=memory_bytes,
        processes=processes,
        file_bytes=file_bytes,
    )


def pack_report(
    wait_status: int, cpu_time_s: float, memory_mb: float, step: int = SetupStep.STARTED, error: int = 0
) -> bytes:
    return _REPORT.pack(wait_status, step, error, cpu_time_s, memory_mb)


def unpack_report(content: bytes) -> ExitReport:
    """Unpack a report. Raises struct.error or ValueError if `content` is not a report."""
    wait_status, step, error, cpu_time_s, memory_mb = _REPORT.unpack(content)
    return ExitReport(wait_status, cpu_time_s, memory_mb, SetupStep(step), error)
