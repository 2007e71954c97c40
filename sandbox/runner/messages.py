"""The messages between a worker and the supervisor of a box; each is the header of one frame.

A message travels as a JSON object whose keys are the fields of its named tuple, so both sides share every name. The
field `do` identifies the kind of request. The limits and the program in a request are JSON arrays, as `json` encodes
tuples. A supervisor trusts its worker and parses requests here. A worker does not trust a box, so it checks every field
of an answer itself (`sandbox.box.answers`).

The messages are named tuples because importing `dataclasses` would cost every box 1.6 MB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from sandbox.runner.enums import Mode, Status
from sandbox.runner.frames import PartIndex

KILL: Final = {"do": "kill"}  # ends the program that runs; has no answer of its own
WARMED: Final = {"warm": True}  # the answer to a WarmRequest
SETTLED: Final = {"settled": True}  # the answer to a SettleRequest


class RunLimits(NamedTuple):
    """The resource limits of one run, with the fields and units of `contract.Limits`."""

    cpu_time_s: float
    wall_time_s: float
    memory_mb: int
    processes: int
    output_kb: int
    file_mb: int


class ProgramMessage(NamedTuple):
    """A program to load before its first run.

    `parts` lists its files. They are in the payload if `inline` is True, and otherwise in a memfd, which follows the
    descriptors of the streams.
    """

    compile: Sequence[str]
    run: Sequence[str]
    keep: Sequence[str]
    environment: Mapping[str, str]
    parts: PartIndex
    inline: bool


class CompileRequest(NamedTuple):
    """Compile the program. The frame's first `streams` descriptors are the compiler's stdin, stdout and stderr."""

    limits: RunLimits
    tag: str = ""
    streams: int = 0
    program: ProgramMessage | None = None
    do: Literal["compile"] = "compile"


class RunRequest(NamedTuple):
    """Run the program once. The frame's first `streams` descriptors become the program's 0, 1, 2 and so on.

    `command` replaces the program's own unless it is empty. `fetch` names files to return. `warm` names the modules
    that the interpreter to fork has imported. `parts` lists the run's own files, if any; they are in a memfd. With
    `allowance`, the last descriptor is a pipe that grants CPU time (`cpu_allowance`). `program` is None if the box
    already has the program.
    """

    limits: RunLimits
    mode: Mode
    args: Sequence[str] = ()
    fetch: Sequence[str] = ()
    command: Sequence[str] = ()
    warm: Sequence[str] = ()
    allowance: bool = False
    tag: str = ""
    streams: int = 0
    parts: PartIndex = ()
    program: ProgramMessage | None = None
    do: Literal["run"] = "run"


class WarmRequest(NamedTuple):
    """Start an interpreter that has imported `modules` and keep it for later runs."""

    modules: Sequence[str]
    do: str = "warm"


class SettleRequest(NamedTuple):
    """Wait until the files of the last run are removed, then answer. With `forget`, also remove the loaded program."""

    forget: bool
    do: str = "settle"


Request = CompileRequest | RunRequest | WarmRequest | SettleRequest
_REQUESTS: Final[Mapping[str, type[Request]]] = {
    "compile": CompileRequest,
    "run": RunRequest,
    "warm": WarmRequest,
    "settle": SettleRequest,
}


class Ready(NamedTuple):
    """The first message of a supervisor. `kernel` is what `detect_kernel` returns inside the box."""

    kernel: str
    missing_isolation: Sequence[str] = ()
    ready: bool = True


class OutcomeMessage(NamedTuple):
    """The outcome of a run.

    `stopped` names the limit that the program exceeded, is `killed` after a `KILL`, and is otherwise empty.

    `exec_error` is the errno if the command could not be executed, and otherwise 0.
    """

    status: Status
    exit_code: int | None
    signal: int | None
    cpu_time_s: float
    wall_time_s: float
    memory_mb: float
    stopped: str
    message: str = ""
    exec_error: int = 0


class Answer(NamedTuple):
    """The answer to a CompileRequest or a RunRequest with this tag.

    `kept_bytes` is the size of the compiler's output files. `parts` lists the fetched files, one descriptor each.
    `retire` asks the worker to run no other program in this box.
    """

    tag: str
    outcome: OutcomeMessage
    kept_bytes: int = 0
    parts: PartIndex = ()
    retire: bool = False


class Broken(NamedTuple):
    """The last message of a supervisor that no longer trusts its box. It contains the reason."""

    broken: str


def build_header(
    request: CompileRequest | RunRequest, streams: int, program: ProgramMessage | None, parts: PartIndex = ()
) -> dict[str, Any]:
    """Return the frame header of a request that starts a program, and fill in its remaining fields.

    `_replace` would cost 1 us more for each run. The tuples in the request become JSON arrays.
    """
    header = request._asdict()
    header["streams"] = streams
    header["program"] = program
    if parts:
        header["parts"] = parts
    return header


def build_answer_header(answer: Answer) -> dict[str, Any]:
    """Return the frame header of an answer."""
    header = answer._asdict()
    header["outcome"] = answer.outcome._asdict()
    return header


def read_request(header: dict[str, Any]) -> Request | None:
    """Return the request in a worker's frame header, or None for a `KILL`."""
    if header == KILL:
        return None
    if "limits" in header:
        header["limits"] = RunLimits(*header["limits"])
        header["program"] = header["program"] and ProgramMessage(*header["program"])
    return _REQUESTS[header["do"]](**header)
