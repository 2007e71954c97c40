"""Data types used both inside and outside a box: limits, programs, runs and outcomes.

The worker, the judge, the API and the code inside a box all import this module. It therefore holds plain data and uses
only the standard library. Names of sizes and times include their unit. The enums are in `enums`.
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
    """The resource limits of one run.

    `cpu_time_s` is the total CPU time of all processes of the program. `wall_time_s` is elapsed time minus the time
    spent waiting for a free CPU, so a busy machine does not change a verdict. `memory_mb` is in MiB. `output_kb` is in
    KiB and applies to stdout and stderr separately. `file_mb` is in MiB and applies to each file written.
    """

    cpu_time_s: float = 10.0
    wall_time_s: float = 30.0
    memory_mb: int = 512
    processes: int = 64
    output_kb: int = 16_384
    file_mb: int = 64


@dataclass(frozen=True, slots=True)
class Usage:
    """The resources that one run used.

    Times are in seconds: the CPU time of all its processes, and the elapsed time. The peak memory is in MiB.
    """

    cpu_time_s: float = 0.0
    wall_time_s: float = 0.0
    memory_mb: float = 0.0


@dataclass(frozen=True, slots=True)
class Program:
    """A program ready to load into a box: its source, and how its language is compiled and run.

    `compile_command` is empty if nothing is compiled. `keep` names the compiler's output files that a run needs; the
    program cannot write to them. `preload_modules` names large modules that a forked program imports. In `run_command`,
    `{memory_mb}` stands for the run's memory limit. `memory_errors` are the messages that the language's runtime prints
    when it runs out of memory before the kernel's limit is reached.
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
        """Return the run command with the memory limit filled in.

        Return an empty tuple if the command has no placeholder for the limit.
        """
        if not any(MEMORY_LIMIT_PLACEHOLDER in part for part in self.run_command):
            return ()
        return tuple(part.replace(MEMORY_LIMIT_PLACEHOLDER, str(limits.memory_mb)) for part in self.run_command)


@dataclass(slots=True)
class FileSpan:
    """Input that is stored in an open file. The file must not change while runs use it.

    `tainted` is set if a box that used the file did not end cleanly: a program may then still have the file's pages
    mapped.
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
    """One execution of a loaded program: its input, arguments, extra files, and the files to return.

    `command`, if not empty, replaces the program's run command. The program's files are present either way.
    """

    stdin: bytes | FileSpan = b""
    args: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    fetch_files: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one run.

    `exit_code` is None if a signal ended the program; `signal` is None if it exited by itself.
    """

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
