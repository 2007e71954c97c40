"""One REST call as data: what is sent, how its answer is read, and when to try again.

Both clients speak through this; nothing here opens a connection.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar
from uuid import uuid4

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from sandbox import error_codes
from sandbox.errors import BadRequest, InfrastructureError, NotFound, Refused, SandboxError
from sandbox.schema import (
    ExecuteRequest,
    ExecuteResult,
    Job,
    JobStatus,
    LanguageInfo,
    Problem,
    VerifyRequest,
    VerifyResult,
)
from sandbox.schema.locations import dotted_path

if TYPE_CHECKING:
    from sandbox.schema.gpu import GpuJob, GpuPool, GpuRequest
    from sandbox.schema.live import LiveView
    from sandbox.schema.reward import RewardRequest, RewardResult, TaskSet, TaskSetInfo
    from sandbox.schema.vote import VoteRequest, VoteResult
    from sandbox.service import Kind, Readiness

logger = logging.getLogger(__name__)

Program = ExecuteRequest | Mapping[str, Any]
Submission = VerifyRequest | Mapping[str, Any]
Result = TypeVar("Result", ExecuteResult, VerifyResult)
Answer = TypeVar("Answer")

LANGUAGES = TypeAdapter(list[LanguageInfo])
ENDED = frozenset({JobStatus.FINISHED, JobStatus.CANCELLED, JobStatus.FAILED})
# The answer can no longer come, so asking again is all there is; a ReadTimeout is not among them: its time is up.
CONNECTION_ERRORS = (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ConnectTimeout, httpx.WriteTimeout)

_JSON = {"Content-Type": "application/json"}
_TRY_AGAIN = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how patiently to try again: full jitter over an exponential back-off, never before Retry-After.

    `attempts` counts the first one too, so it is at least 1.
    """

    attempts: int = 6
    first_delay_s: float = 0.1
    max_delay_s: float = 5.0

    def delay_s(self, attempt: int, retry_after_s: float = 0.0) -> float:
        """Seconds to sleep after failed attempt number `attempt`, the first being 0."""
        back_off = min(self.max_delay_s, self.first_delay_s * 2**attempt)
        # Spread above what the server asked for, or all its clients come back in the same instant.
        return retry_after_s + random.uniform(0.0, back_off)


PATIENT = Retries()


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """One request and how its answer is read; what both clients send."""

    method: str
    path: str
    answer: type[Answer] | TypeAdapter[Answer]
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    good: frozenset[int] = frozenset({200})
    items: int = 0

    def read(self, response: httpx.Response) -> Answer:
        """The typed answer; raises what the API's problem stands for."""
        if response.status_code not in self.good:
            raise error_of(response)
        try:
            if isinstance(self.answer, TypeAdapter):
                return self.answer.validate_json(response.content)
            assert issubclass(self.answer, BaseModel)
            return self.answer.model_validate_json(response.content)
        except ValidationError as error:
            raise InfrastructureError(f"{self.path} answered what this client does not understand: {error}") from error

    def retries(self, response: httpx.Response) -> bool:
        return response.status_code in _TRY_AGAIN and response.status_code not in self.good


def queue_time_s(answer: object) -> float:
    """The longest that anything in this answer waited in the service's queue."""
    if isinstance(answer, ExecuteResult | VerifyResult):
        return answer.queue_time_s
    return max((result.queue_time_s for result in getattr(answer, "results", ())), default=0.0)


def error_of(response: httpx.Response) -> SandboxError:
    """The exception that a problem document stands for; read by `type`, and by status where the type is not ours."""
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:  # a proxy's page, say
        problem = Problem(title=response.reason_phrase or "error", status=response.status_code)
    return _error_of_problem(problem, response.headers.get("retry-after", ""))


def _error_of_problem(problem: Problem, retry_after: str = "") -> SandboxError:
    code = error_codes.named(problem.type)
    kind = code.error if code is not None else _by_status(problem.status)
    message = f"{problem.title}: {problem.detail}" if problem.detail else problem.title
    if issubclass(kind, Refused):
        return kind(message, float(retry_after) if retry_after.isdecimal() else 1.0)
    if issubclass(kind, BadRequest):
        return kind(message, problem.errors[0].field if problem.errors else "")
    return kind(message)


def _by_status(status: int) -> type[SandboxError]:
    if status in _TRY_AGAIN:
        return Refused
    if status == 404:
        return NotFound
    return BadRequest if status < 500 else InfrastructureError


def unreachable(error: httpx.HTTPError) -> InfrastructureError:
    return InfrastructureError(f"the service does not answer ({type(error).__name__}: {error}); is it up, at this URL?")


def encoded(kind: str, request: Program | Submission) -> bytes:
    """A request as JSON, without what is left to the server's defaults; raises BadRequest for a bad mapping."""
    if not isinstance(request, Mapping):
        return _json_of(request)
    return _checked(ExecuteRequest if kind == "execute" else VerifyRequest, request)


def _checked(model: type[BaseModel], request: Any) -> bytes:
    """A model of that type, or a mapping of its shape, as JSON; raises BadRequest for a bad mapping."""
    try:
        return _json_of(model.model_validate(request))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadRequest(str(error), dotted_path(("body", *first["loc"]))) from None


def _json_of(request: BaseModel) -> bytes:
    """Raises BadRequest for values that have no form in JSON, such as lone surrogates."""
    try:
        return request.model_dump_json(exclude_unset=True).encode()
    except PydanticSerializationError as error:
        raise BadRequest(f"a value in the request has no form in JSON: {error}") from None


def _batch(kind: Kind, requests: Sequence[Program | Submission]) -> bytes:
    return b'{"items":[' + b",".join(encoded(kind, request) for request in requests) + b"]}"


def _headers(idempotency_key: str) -> dict[str, str]:
    return {**_JSON, "Idempotency-Key": idempotency_key} if idempotency_key else _JSON


def one(kind: Kind, request: Program | Submission, answer: type[Answer], key: str) -> Call[Answer]:
    return Call("POST", f"/{kind}", answer, encoded(kind, request), _headers(key), items=1)


def many(kind: Kind, requests: Sequence[Program | Submission], answer: type[Answer], key: str) -> Call[Answer]:
    return Call("POST", f"/{kind}/batch", answer, _batch(kind, requests), _headers(key), items=len(requests))


def callback_fields(requests: object, url: str, called_for: str) -> dict[str, str]:
    """What a body says of its callback; only a batch's says for what."""
    if not url:
        return {}
    several = isinstance(requests, Sequence)
    return {"callback_url": url, "callback_for": called_for} if several else {"callback_url": url}


def later(
    kind: Kind | Literal["reward"],
    requests: Program | Submission | Sequence[Program | Submission] | RewardRequest | VoteRequest,
    key: str,
    callback: Mapping[str, str],
) -> Call[Job]:
    # With a key of its own a submission whose answer got lost is not queued twice.
    headers = {**_headers(key or uuid4().hex), "Prefer": "respond-async"}
    if kind == "reward" or kind == "vote":
        whole = _WHOLE[kind](requests, "")  # type: ignore[arg-type]  # its kind says what it is
        path, body = whole.path, whole.body or b"{}"
    elif isinstance(requests, Sequence):
        path, body = f"/{kind}/batch", _batch(kind, requests)
    else:
        path, body = f"/{kind}", encoded(kind, requests)  # type: ignore[arg-type]  # its kind says what it is
    if callback:
        body = body[:-1] + b"," + json.dumps(callback).encode()[1:]
    return Call("POST", path, Job, body, headers, frozenset({202}))


# Imported where they are used: these modules bring the rules of votes and rewards along, which no other call needs.
def vote(request: VoteRequest | Mapping[str, Any], key: str) -> Call[VoteResult]:
    from sandbox.schema.vote import VoteRequest, VoteResult

    return Call("POST", "/verify/vote", VoteResult, _checked(VoteRequest, request), _headers(key))


def reward(request: RewardRequest | Mapping[str, Any], key: str) -> Call[RewardResult]:
    from sandbox.schema.reward import RewardRequest, RewardResult

    return Call("POST", "/reward", RewardResult, _checked(RewardRequest, request), _headers(key))


# Kinds whose one request is a batch by itself.
_WHOLE: Mapping[str, Callable[[RewardRequest | VoteRequest, str], Call[Any]]] = {"reward": reward, "vote": vote}  # type: ignore[dict-item]


def task_set(tasks: TaskSet | Mapping[str, Any]) -> Call[TaskSetInfo]:
    from sandbox.schema.reward import TaskSet, TaskSetInfo

    body = _checked(TaskSet, tasks if isinstance(tasks, TaskSet) else {"tasks": tasks})
    return Call("PUT", f"/tasks/{TaskSet.id_of(body)}", TaskSetInfo, body, _JSON)


def job(job_id: str) -> Call[Job]:
    return Call("GET", f"/jobs/{job_id}", _job_model(job_id))


def cancellation(job_id: str) -> Call[Job]:
    return Call("DELETE", f"/jobs/{job_id}", _job_model(job_id))


def _job_model(job_id: str) -> type[Job]:
    if not job_id.startswith("gpu-"):
        return Job
    from sandbox.schema.gpu import GpuJob

    return GpuJob


def gpu_job(kind: str, request: GpuRequest | Mapping[str, Any], key: str) -> Call[GpuJob]:
    from sandbox.schema.gpu import REQUESTS, GpuJob, GpuKind

    body = _checked(REQUESTS[GpuKind(kind)], request)
    path = "/" + kind.replace("_", "/")
    return Call("POST", path, GpuJob, body, _headers(key or uuid4().hex), frozenset({202}))


def live() -> Call[LiveView]:
    from sandbox.schema.live import LiveView

    return Call("GET", "/live", LiveView)


def gpus() -> Call[GpuPool]:
    from sandbox.schema.gpu import GpuPool

    return Call("GET", "/gpus", GpuPool)


def readiness() -> Call[Readiness]:
    # Imported here: the service's module brings Redis and RQ along, which no other call needs.
    from sandbox.service import Readiness

    return Call("GET", "/health/ready", TypeAdapter(Readiness), good=frozenset({200, 503}))


class Polls:
    """When to look again: soon at first, then ever more rarely."""

    def __init__(self, timeout_s: float | None) -> None:
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._pause_s = 0.02
        self._noted = ""

    def next_s(self, job: Job) -> float:
        """Return the seconds until the next look; log why a job does not start, once. Raises TimeoutError."""
        note = str(getattr(job, "note", ""))  # of a GPU job
        if note and note != self._noted:
            logger.warning("job %s waits: %s", job.id, note)
        self._noted = note
        if self._deadline is not None and time.monotonic() >= self._deadline:
            why = f": {note}" if note else ""
            raise TimeoutError(f"job {job.id} has not ended in time{why}; it goes on, wait for it again or cancel it")
        self._pause_s = min(1.0, self._pause_s * 1.5)
        return self._pause_s


class Tries:
    """Tries of what is read from `path` until nothing is left to read; they begin anew with whatever a try brings."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fruitless = 0

    def bear(self) -> None:
        """This try has brought something."""
        self._fruitless = 0

    def delay_s(self, retries: Retries, failure: Exception | None) -> float:
        """Seconds until the rest is asked for; raises the failure when too many tries in a row brought nothing."""
        self._fruitless += 1
        if self._fruitless >= retries.attempts:
            if isinstance(failure, SandboxError):
                raise failure
            raise InfrastructureError(f"{self._path} breaks off again and again: {failure}") from failure
        return retries.delay_s(self._fruitless - 1, getattr(failure, "retry_after_s", 0.0))


@dataclass(frozen=True, slots=True)
class JobEvent:
    """What happened to a job: `state`, `progress`, `completion` or `verdict`.

    `id` is what a reader that comes back goes on behind; a `state`, which is the job as it is then, has none.
    """

    event: str
    data: dict[str, Any]
    id: int | None = None


class Events:
    """A job's server-sent events until it has ended; after a break they are asked for from behind the last one."""

    def __init__(self, job_id: str, after: int | None) -> None:
        self.path = f"/jobs/{job_id}/events"
        self.ended = False
        self.tries = Tries(self.path)
        self._last = after
        self._state = ""
        self._rest = b""
        self._data = TypeAdapter(dict[str, Any])

    def headers(self) -> dict[str, str]:
        """Of the next request, whose stream begins at a whole event."""
        self._rest = b""
        return {"Accept": "text/event-stream"} | ({} if self._last is None else {"Last-Event-ID": str(self._last)})

    def read(self, chunk: bytes) -> Iterator[JobEvent]:
        """The events that this piece of the stream completes."""
        *blocks, self._rest = (self._rest + chunk).split(b"\n\n")
        for block in blocks:
            fields = dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line)
            if b"data" in fields and (event := self._event(fields)) is not None:
                self.tries.bear()
                yield event

    def _event(self, fields: dict[bytes, bytes]) -> JobEvent | None:
        """None for a state that was told before the stream broke off."""
        try:
            number = int(fields[b"id"]) if b"id" in fields else None
            event = JobEvent(fields[b"event"].decode(), self._data.validate_json(fields[b"data"]), number)
        except (ValueError, KeyError) as error:
            raise InfrastructureError(f"{self.path} sent what this client does not understand: {error}") from error
        if number is not None:
            self._last = number
        elif event.event == "state":
            known, self._state = self._state, str(event.data.get("status", ""))
            self.ended = self._state in ENDED
            return event if self._state != known else None
        return event


class Stream(Generic[Result]):
    """A batch whose results come line by line; what is missing when a connection breaks is asked for again.

    `requests` are the batch's, encoded, by their index among all. With a key of its own a batch is asked for as a whole
    again, for the key stands for the whole; what came already is not told twice.
    """

    def __init__(self, kind: str, requests: Mapping[int, bytes], result: type[Result], key: str = "") -> None:
        self.path = f"/{kind}/batch"
        self.headers = {**_headers(key), "Accept": "application/x-ndjson"}
        self.left = dict(requests)
        self._whole = self.left.copy() if key else {}
        self._result: type[Result] = result
        self._sent: list[int] = []
        self.tries = Tries(self.path)
        self._line = TypeAdapter(dict[str, Any])

    def body(self) -> bytes:
        asked = self._whole or self.left
        self._sent = list(asked)
        return b'{"items":[' + b",".join(asked.values()) + b"]}"

    def read(self, line: str) -> tuple[int, Result] | None:
        """One line's index among all the requests, and its result, or None for one that came before.

        Raises the problem that a line has instead.
        """
        try:
            told = self._line.validate_json(line)
            if "problem" in told:
                raise _error_of_problem(Problem.model_validate(told["problem"]))
            index = self._sent[told["index"]]
            result = self._result.model_validate(told["result"])
        except (ValidationError, LookupError, TypeError) as error:
            raise InfrastructureError(f"{self.path} sent a line this client does not understand: {error}") from error
        self.tries.bear()
        if self.left.pop(index, None) is None:
            return None
        return index, result
