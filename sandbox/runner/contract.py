"""What both sides of a box's wall speak of: limits, programs, runs and outcomes; the words for them are in `words`.

Everything here is plain data and standard library only, for it is imported inside the box as well as by the worker, the
judge and the API. Sizes and times carry their unit in the name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from sandbox.runner.enums import Mode as Mode
from sandbox.runner.enums import Status as Status
from sandbox.runner.enums import Verdict as Verdict

MEMORY_LIMIT_PLACEHOLDER = "{memory_mb}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use.

    `cpu_time_s` is CPU time of all the program's processes together; `wall_time_s` is elapsed time less the time spent
    waiting for a free CPU, so that a verdict does not change because the machine is busy. `memory_mb` is in MiB,
    `output_kb` in KiB for stdout and for stderr each, `file_mb` in MiB for each file written.
    """

    cpu_time_s: float = 10.0
    wall_time_s: float = 30.0
    memory_mb: int = 512
    processes: int = 64
    output_kb: int = 16_384
    file_mb: int = 64


@dataclass(frozen=True, slots=True)
class Usage:
    """What one run used: CPU seconds over all its processes, elapsed seconds, and the peak memory in MiB."""

    cpu_time_s: float = 0.0
    wall_time_s: float = 0.0
    memory_mb: float = 0.0


@dataclass(frozen=True, slots=True)
class Program:
    """One program, ready to be loaded into a box: its source, and how its language is compiled and run.

    `compile_command` is empty where nothing is compiled. `keep` names the files the compiler leaves behind that a run
    needs; the program can never write to those. `warm` names large modules that a forked program imports. In
    `run_command`, `{memory_mb}` stands for the run's memory limit. `memory_errors` are the words with which the
    language's runtime ends a program whose memory is used up, before the kernel's limit does.
    """

    source: bytes
    source_name: str
    run_command: tuple[str, ...]
    compile_command: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    mode: Mode = Mode.EXEC
    preload_modules: tuple[str, ...] = ()
    compile_limits: Limits = field(default_factory=Limits)
    environment: Mapping[str, str] = field(default_factory=dict)
    memory_errors: tuple[bytes, ...] = ()

    def fill_memory_limit(self, limits: Limits) -> tuple[str, ...]:
        """The run command with the memory limit filled in; empty where it does not depend on that."""
        if not any(MEMORY_LIMIT_PLACEHOLDER in part for part in self.run_command):
            return ()
        return tuple(part.replace(MEMORY_LIMIT_PLACEHOLDER, str(limits.memory_mb)) for part in self.run_command)


@dataclass(slots=True)
class FileSpan:
    """Input that lies in an open file, which nobody writes to while it is lent to runs.

    `in_doubt`: a box that it was lent to did not end as it should, so a program may hold pages of the file still.
    """

    descriptor: int
    offset: int
    size: int
    tainted: bool = False

    def __len__(self) -> int:
        return self.size

    def read(self) -> bytes:
        return os.pread(self.descriptor, self.size, self.offset)


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a loaded program: its input, arguments, extra files, and the files wanted back.

    `command` runs instead of the program's own command, beside its files.
    """

    stdin: bytes | FileSpan = b""
    args: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    fetch_files: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run ended. `exit_code` is None when a signal ended it, `signal` is None when it exited by itself."""

    status: Status
    exit_code: int | None = None
    signal: int | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    stdout_truncated: bool = False
    stderr_truncated: bool = False
    usage: Usage = field(default_factory=Usage)
    files: Mapping[str, bytes] = field(default_factory=dict)
    message: str = ""
    answers: bytes = b""

    @property
    def ended_well(self) -> bool:
        return self.status is Status.OK
