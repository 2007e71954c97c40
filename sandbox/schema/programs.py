"""Programs to run and to judge: requests, results and jobs, as they travel over REST and through the queue.

The API, the client, the worker and the tests all use these models. They live outside `api/` because the worker may not
import the API. Text is UTF-8; bytes that are not valid UTF-8 travel in a `..._base64` field next to the text field.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from sandbox import languages
from sandbox.runner.contract import FileSpan, Outcome, Status, Usage, Verdict
from sandbox.schema.callbacks import CallbackFor, CallbackUrl
from sandbox.schema.wire import DEBUG_CHECKS, IMAGE_TIME
from sandbox.schema.wire import MAX_CODE_CHARS as MAX_CODE_CHARS
from sandbox.schema.wire import EnvironmentReference as EnvironmentReference
from sandbox.schema.wire import LimitsRequest as LimitsRequest
from sandbox.schema.wire import WireModel as WireModel
from sandbox.verify.result import TestPart as TestPart
from sandbox.verify.result import TestResult as TestResult

MAX_STDIN_CHARS = 64 << 20
MAX_ARGUMENT_CHARS = 16_384
MAX_TESTS = 10_000
MAX_ITEMS = 10_000
MAX_FILES = 64
MAX_NAME_CHARS = 255
MAX_PATH_BYTES = 255  # the limit of a file system for one name


class Lane(StrEnum):
    """The priority queue that a submission waits in. Workers empty `rl` before `default` before `bulk`."""

    RL = "rl"
    DEFAULT = "default"
    BULK = "bulk"


class JobStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"  # GPU jobs only: a submission always has a result


def _decode_base64(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a base64 string")
    try:
        return b64decode(value, validate=True)
    except ValueError as error:
        raise ValueError(f"is not valid base64: {error}") from error


def check_relative_path(name: str) -> str:
    parts = name.split("/")
    if not name or len(name.encode()) > MAX_PATH_BYTES or name.startswith("/") or "\0" in name:
        raise ValueError(f"must be a relative path of 1 to {MAX_PATH_BYTES} bytes in UTF-8 without NUL")
    if any(part in {"", ".", ".."} for part in parts) or len(parts) > 16:
        raise ValueError("must not contain empty, '.' or '..' parts, or more than 16 parts")
    return name


def _check_argument(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain NUL")
    text.encode()  # raises ValueError for a lone surrogate
    return text


def _check_file_tree(files: dict[str, bytes]) -> dict[str, bytes]:
    for name in files:
        parts = name.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if folder in files:
                raise ValueError(f"{folder!r} cannot be both a file and a folder")
    return files


def reject_program_files(names: Iterable[str], language: str, field: str) -> None:
    """Raise ValueError if a test's file is, or lies below, a file of the program itself."""
    known = languages.find_language(language)
    if known is None:  # reported when the program is run
        return
    for name in names:
        own = name.split("/")[0]
        if own == known.source or own in known.keep:
            raise ValueError(f"{field}: {name!r} would replace {own!r}, which is the program itself; rename the file")


Base64Data = Annotated[
    bytes,
    BeforeValidator(_decode_base64, json_schema_input_type=str),
    PlainSerializer(lambda value: b64encode(value).decode(), return_type=str, when_used="json"),
]
FilePath = Annotated[str, AfterValidator(check_relative_path)]
Files = Annotated[dict[FilePath, Base64Data], Field(max_length=MAX_FILES), AfterValidator(_check_file_tree)]
Argument = Annotated[str, Field(max_length=MAX_ARGUMENT_CHARS), AfterValidator(_check_argument)]


class ProgramInput(WireModel):
    """The input of one run."""

    stdin: str = Field("", max_length=MAX_STDIN_CHARS)
    stdin_base64: Base64Data | None = Field(None, description="stdin as bytes; use instead of `stdin`")
    args: list[Argument] = Field(default_factory=list, max_length=256)
    files: Files = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_stdin_and_args(self) -> ProgramInput:
        if self.stdin and self.stdin_base64 is not None:
            raise ValueError("give stdin or stdin_base64, not both")
        if sum(map(len, self.args)) > MAX_ARGUMENT_CHARS:
            raise ValueError(f"args have more than {MAX_ARGUMENT_CHARS} characters in total")
        return self

    @property
    def stdin_bytes(self) -> bytes:
        return self.stdin.encode() if self.stdin_base64 is None else self.stdin_base64

    @property
    def stdin_source(self) -> bytes | FileSpan:
        """Return the bytes for stdin, or a `FileSpan` if they lie in a file on the host."""
        return self.stdin_bytes


class ExecuteRequest(ProgramInput):
    """Run one program once."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"language": "python", "code": "a, b = map(int, input().split())\nprint(a + b)", "stdin": "20 22\n"}
            ]
        }
    )

    language: str = Field(max_length=64)
    code: str = Field(max_length=MAX_CODE_CHARS)
    fetch_files: list[FilePath] = Field(default_factory=list, max_length=MAX_FILES)
    limits: LimitsRequest = LimitsRequest()
    debug_checks: bool = Field(False, description=DEBUG_CHECKS)
    environment: EnvironmentReference = ""
    priority: Lane = Lane.DEFAULT

    @model_validator(mode="after")
    def _check_files(self) -> ExecuteRequest:
        reject_program_files(self.files, self.language, "files")
        return self


class ExecuteSubmission(ExecuteRequest):
    """An `ExecuteRequest` that is submitted alone. In a batch, the batch has the callback instead."""

    callback_url: CallbackUrl | None = None


class TestCase(ProgramInput):
    """One test: an input and the expected output."""

    __test__ = False  # not a test class of pytest, despite its name

    expected: str = Field("", max_length=MAX_STDIN_CHARS)
    expected_base64: Base64Data | None = Field(None, description="expected stdout as bytes; use instead of `expected`")
    expected_files: dict[FilePath, Base64Data] = Field(
        default_factory=dict,
        max_length=MAX_FILES,
        description="files that the program must write; the checker judges them as it judges stdout. If given without"
        " expected stdout, stdout is not judged",
    )

    @property
    def judges_stdout(self) -> bool:
        return not self.expected_files or bool(self.expected_bytes)

    @property
    def expected_bytes(self) -> bytes:
        return self.expected.encode() if self.expected_base64 is None else self.expected_base64


class ExecuteBatchRequest(WireModel):
    items: list[ExecuteRequest] = Field(min_length=1, max_length=MAX_ITEMS)
    callback_url: CallbackUrl | None = None
    callback_for: CallbackFor = "batch"


class StageResult(WireModel):
    """The outcome of one stage: compiling or running."""

    status: Status
    exit_code: int | None = None
    signal: int | None = None
    stdout: str = ""
    stderr: str = ""
    stdout_base64: Base64Data | None = Field(None, description="all of stdout, present if it is not valid UTF-8")
    stderr_base64: Base64Data | None = Field(None, description="all of stderr, present if it is not valid UTF-8")
    stdout_truncated: bool = False
    stderr_truncated: bool = False
    usage: Usage = Usage()
    message: str = Field("", description="explains the status if it needs an explanation")

    @property
    def stdout_bytes(self) -> bytes:
        """Return all of stdout."""
        return self.stdout.encode() if self.stdout_base64 is None else self.stdout_base64

    @property
    def stderr_bytes(self) -> bytes:
        """Return all of stderr."""
        return self.stderr.encode() if self.stderr_base64 is None else self.stderr_base64

    @staticmethod
    def build_fields(outcome: Outcome) -> dict[str, Any]:
        """Return an outcome as this model's fields, with a base64 field for output that is not valid UTF-8."""
        fields: dict[str, Any] = {
            "status": outcome.status,
            "exit_code": outcome.exit_code,
            "signal": outcome.signal,
            "stdout_truncated": outcome.stdout_truncated,
            "stderr_truncated": outcome.stderr_truncated,
            "usage": outcome.usage,
            "message": outcome.message,
        }
        for name, data in (("stdout", outcome.stdout), ("stderr", outcome.stderr)):
            try:
                fields[name] = data.decode()
            except UnicodeDecodeError:
                fields[name] = data.decode(errors="replace")
                fields[name + "_base64"] = data
        return fields

    @classmethod
    def from_outcome(cls, outcome: Outcome) -> StageResult:
        return cls.model_construct(**cls.build_fields(outcome))


class ExecuteResult(StageResult):
    """The answer of `POST /execute`."""

    id: str
    compile: StageResult | None = None
    files: dict[str, Base64Data] = Field(default_factory=dict)
    queue_time_s: float = 0.0
    image_time_s: float = Field(0.0, description=IMAGE_TIME)


class VerifyResult(WireModel):
    """The answer of `POST /verify`. `score` is the mean of the scores of all tests; a skipped test scores 0."""

    id: str
    verdict: Verdict
    passed: int
    total: int
    score: float
    tests: list[TestResult]
    compile: StageResult | None = None
    queue_time_s: float = 0.0
    run_time_s: float = 0.0
    image_time_s: float = Field(0.0, description=IMAGE_TIME)

    @property
    def accepted(self) -> bool:
        """Return whether the program passed all tests."""
        return self.verdict is Verdict.ACCEPTED


class ExecuteBatchResult(WireModel):
    results: list[ExecuteResult]


class VerifyBatchResult(WireModel):
    results: list[VerifyResult]


class Job(WireModel):
    """A submission made with `Prefer: respond-async`. `result` is set once `status` is `finished`."""

    id: str
    status: JobStatus
    position: int | None = Field(None, description="while queued: submissions ahead of it in its lane")
    result: dict[str, Any] | None = Field(None, description="the answer that the synchronous call would have returned")


class LanguageInfo(WireModel):
    name: str
    version: str
    aliases: list[str]
    compiled: bool
    available: bool = Field(True, description="whether a worker can run programs in this language")
