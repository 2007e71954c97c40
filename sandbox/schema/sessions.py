"""Sessions: stateful boxes that keep an interpreter, a shell and files between calls."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from sandbox.runner.contract import Usage
from sandbox.runner.enums import MAX_FORK_COUNT
from sandbox.schema.checkers import Checker, TokensChecker
from sandbox.schema.programs import (
    MAX_CODE_CHARS,
    MAX_NAME_CHARS,
    MAX_STDIN_CHARS,
    MAX_TESTS,
    Argument,
    FilePath,
    Files,
)
from sandbox.schema.submissions import check_tests
from sandbox.schema.tests import AnyTest
from sandbox.schema.wire import EnvironmentReference, LimitsRequest, WireModel

MAX_TTL_S = 86_400
MAX_VARIABLES = 256
VariableName = Annotated[str, Field(max_length=255, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class SessionLanguage(StrEnum):
    """What a session keeps: a Python interpreter or a bash shell. Both keep files."""

    PYTHON = "python"
    BASH = "bash"


class SessionStatus(StrEnum):
    """`open` sessions take calls. `closed` ones ended on request or by a limit, and `lost` ones through a failure."""

    OPEN = "open"
    CLOSED = "closed"
    LOST = "lost"


class SessionLimits(WireModel):
    """The limits of a session. `memory_mb` counts for a session and all its forks together."""

    cpu_time_s: float = Field(3_600.0, gt=0, le=86_400, description="CPU seconds of all calls together")
    memory_mb: int = Field(512, ge=16, le=16_384, description="MiB of processes and files together")
    processes: int = Field(64, ge=4, le=512, description="processes and threads at one time")
    disk_mb: int = Field(256, ge=1, le=16_384, description="MiB of files in the work directory; each fork has as much")
    file_mb: int = Field(64, ge=1, le=1_024, description="MiB of each file that is written")


class CallLimits(WireModel):
    """The limits of one call."""

    cpu_time_s: float = Field(10.0, gt=0, le=3_600, description="CPU seconds of all processes of the session")
    wall_time_s: float | None = Field(None, gt=0, le=7_200, description="elapsed seconds; default 2 + 2 x cpu_time_s")
    output_kb: int = Field(1_024, ge=1, le=16_384, description="KiB of stdout, and as many of stderr")

    @property
    def effective_wall_time_s(self) -> float:
        return 2.0 + 2.0 * self.cpu_time_s if self.wall_time_s is None else self.wall_time_s


MAX_METADATA = 64
Metadata = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=128)], Annotated[str, Field(max_length=1_024)]],
    Field(max_length=MAX_METADATA),
]
ContextName = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_-]*$")]


class SessionRequest(WireModel):
    """Open a session."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"language": "python", "ttl_s": 600}]})

    language: SessionLanguage = SessionLanguage.PYTHON
    limits: SessionLimits = SessionLimits()
    ttl_s: float = Field(3_600.0, ge=1, le=MAX_TTL_S, description="seconds until the session ends in any case")
    idle_ttl_s: float = Field(600.0, ge=1, le=MAX_TTL_S, description="seconds without a call until the session ends")
    files: Files = Field(default_factory=dict, description="files to put into the work directory")
    variables: dict[VariableName, Argument] = Field(
        default_factory=dict, max_length=MAX_VARIABLES, description="environment variables"
    )
    metadata: Metadata = Field(default_factory=dict, description="labels of one's own, shown in every view")
    replay: bool = Field(
        False,
        description="keep a journal of calls, and run them again on another host if the session's host dies",
    )
    wait_s: float = Field(30.0, ge=0, le=600, description="how long to wait for a free place if all are taken")
    environment: EnvironmentReference = ""


class SessionUpdate(WireModel):
    """Change how long a session may stay open."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ttl_s": 600}]})

    ttl_s: float = Field(ge=1, le=MAX_TTL_S, description="seconds from now until the session ends in any case")


class SessionSummary(WireModel):
    """The fields that every view of a session contains."""

    id: str
    language: SessionLanguage
    created_at: float = Field(description="Unix time in seconds")
    expires_at: float = Field(description="Unix time at which it ends if it is not called before")
    parent: str | None = Field(None, description="the session that this one was forked from")


class SessionInfo(SessionSummary):
    """The state of a session."""

    status: SessionStatus
    reason: str = Field("", description="why a session ended")
    calls: int | None = Field(0, description="number of the latest call; null in a list of sessions")
    replay: bool = False
    metadata: dict[str, str] = Field(default_factory=dict)
    limits: SessionLimits = SessionLimits()
    environment: str = Field("", description="the version of the environment that it runs in")
    image_time_s: float = Field(
        0.0, description="how long opening it waited until its host had the image of its environment"
    )


class SessionList(WireModel):
    sessions: list[SessionInfo]


class SessionCall(WireModel):
    """Run code, or a shell command, in a session."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"code": "x = 20\nx + 22"}]})

    code: str | None = Field(None, max_length=MAX_CODE_CHARS, description="source in the session's language")
    command: str | None = Field(
        None, max_length=MAX_CODE_CHARS, description="a command for bash, in the session's work directory"
    )
    stdin: str = Field("", max_length=MAX_STDIN_CHARS)
    context: ContextName = Field(
        "",
        description="the namespace of a Python session that the code runs in. A new name creates one; all of them share"
        " modules and files",
    )
    variables: dict[VariableName, Argument] = Field(
        default_factory=dict, max_length=MAX_VARIABLES, description="environment variables of this call, for Python"
    )
    limits: CallLimits = CallLimits()
    sequence: int | None = Field(
        None,
        ge=1,
        description="number of the call: 1 for the first call, then one more each time. A repeated number returns the"
        " first answer and runs nothing",
    )

    @model_validator(mode="after")
    def _check_source(self) -> SessionCall:
        if (self.code is None) == (self.command is None):
            raise ValueError("give code or command, not both")
        return self


class CallStatus(StrEnum):
    """How a call ended. After `ended`, the session's process is gone."""

    OK = "ok"
    ERROR = "error"
    TIME_LIMIT = "time_limit"
    OUTPUT_LIMIT = "output_limit"
    DISK_LIMIT = "disk_limit"
    INTERRUPTED = "interrupted"
    ENDED = "ended"


class CallError(WireModel):
    """An exception that the code raised, or its syntax error."""

    type: str
    message: str = ""
    line: int | None = Field(None, description="line of the call's code, from 1")
    traceback: str = ""


class CallResult(WireModel):
    """The answer of `POST /sessions/{id}/execute`."""

    sequence: int
    status: CallStatus
    stdout: str = ""
    stderr: str = ""
    stdout_truncated: bool = False
    stderr_truncated: bool = False
    result: dict[str, str] | None = Field(
        None, description="the value of the last expression, by MIME type; binary types are base64"
    )
    displays: list[dict[str, str]] = Field(default_factory=list, description="displayed objects, each by MIME type")
    error: CallError | None = None
    exit_code: int | None = None
    usage: Usage = Usage()
    state: Literal["kept", "lost"] = "kept"
    reason: str = Field("", description="why the state was lost")
    replayed: int = Field(0, description="calls that were run again on another host before this one")


class InterruptResult(WireModel):
    interrupted: bool = Field(description="false if no call was running")


class ForkRequest(WireModel):
    count: int = Field(1, ge=1, le=MAX_FORK_COUNT)


class ForkResult(WireModel):
    ids: list[str]


class SessionFile(WireModel):
    """An entry of a session's work directory."""

    path: str
    type: Literal["file", "directory", "symlink", "other"]
    size: int = 0
    mode: int = Field(0, description="permission bits")
    modified_at: float = Field(0.0, description="Unix time in seconds")


class SessionFiles(WireModel):
    files: list[SessionFile]
    complete: bool = Field(True, description="false if the directory has more entries than are listed")


class SessionVerifyRequest(WireModel):
    """Judge what a session holds with tests that it never sees. The tests run in another box, on a copy."""

    file: FilePath | None = Field(
        None, description="program to judge, a file in the work directory; default: the code of all successful calls"
    )
    language: str = Field("python", max_length=64)
    entry_point: str = Field("", max_length=MAX_NAME_CHARS, description="as in `POST /verify`")
    tests: list[AnyTest] = Field(min_length=1, max_length=MAX_TESTS)
    checker: Checker = TokensChecker(type="tokens")
    hidden: Files = Field(
        default_factory=dict, description="files to add to the copy; they replace the session's files of the same name"
    )
    limits: LimitsRequest = LimitsRequest()

    @model_validator(mode="after")
    def _check_tests(self) -> SessionVerifyRequest:
        check_tests(self.tests, self.language, self.entry_point, self.checker)
        return self


class SessionHost(WireModel):
    """A session host that is alive, as it last reported itself."""

    id: str
    name: str
    places: int = Field(description="sessions that it may hold at one time")
    open: int = Field(description="sessions that it holds; forks count")
    warm: int = Field(description="boxes that are ready for new sessions")
    draining: bool = Field(False, description="it takes no new sessions, and stops when the last one has ended")


REQUEST_MODELS: tuple[type[WireModel], ...] = (
    SessionRequest,
    SessionUpdate,
    SessionCall,
    ForkRequest,
    SessionVerifyRequest,
)
RESULT_MODELS: tuple[type[WireModel], ...] = (
    SessionInfo,
    SessionList,
    CallResult,
    InterruptResult,
    ForkResult,
    SessionFiles,
)
