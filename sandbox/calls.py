"""One REST call as data: what is sent, how its answer is read, and when to try again.

Both clients speak through this; nothing here opens a connection.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import uuid4

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

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
    from sandbox.schema.reward import RewardRequest, RewardResult, TaskSet, TaskSetInfo
    from sandbox.schema.vote import VoteRequest, VoteResult
    from sandbox.service import Kind, Readiness

Program = ExecuteRequest | Mapping[str, Any]
Submission = VerifyRequest | Mapping[str, Any]
Result = TypeVar("Result", ExecuteResult, VerifyResult)
Answer = TypeVar("Answer")

LANGUAGES = TypeAdapter(list[LanguageInfo])
ENDED = frozenset({JobStatus.FINISHED, JobStatus.CANCELLED})
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


def _encoded(kind: Kind, request: Program | Submission) -> bytes:
    """A request as JSON, without what is left to the server's defaults; raises BadRequest for a bad mapping."""
    if not isinstance(request, Mapping):
        return request.model_dump_json(exclude_unset=True).encode()
    return _checked(ExecuteRequest if kind == "execute" else VerifyRequest, request)


def _checked(model: type[BaseModel], request: Any) -> bytes:
    """A model of that type, or a mapping of its shape, as JSON; raises BadRequest for a bad mapping."""
    try:
        return model.model_validate(request).model_dump_json(exclude_unset=True).encode()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadRequest(str(error), dotted_path(("body", *first["loc"]))) from None


def _batch(kind: Kind, requests: Sequence[Program | Submission]) -> bytes:
    return b'{"items":[' + b",".join(_encoded(kind, request) for request in requests) + b"]}"


def _headers(idempotency_key: str) -> dict[str, str]:
    return {**_JSON, "Idempotency-Key": idempotency_key} if idempotency_key else _JSON


def one(kind: Kind, request: Program | Submission, answer: type[Answer], key: str) -> Call[Answer]:
    return Call("POST", f"/{kind}", answer, _encoded(kind, request), _headers(key))


def many(kind: Kind, requests: Sequence[Program | Submission], answer: type[Answer], key: str) -> Call[Answer]:
    return Call("POST", f"/{kind}/batch", answer, _batch(kind, requests), _headers(key))


def later(kind: Kind, requests: Program | Submission | Sequence[Program | Submission], key: str) -> Call[Job]:
    # With a key of its own a submission whose answer got lost is not queued twice.
    headers = {**_headers(key or uuid4().hex), "Prefer": "respond-async"}
    if isinstance(requests, Sequence):
        return Call("POST", f"/{kind}/batch", Job, _batch(kind, requests), headers, frozenset({202}))
    return Call("POST", f"/{kind}", Job, _encoded(kind, requests), headers, frozenset({202}))


# Imported where they are used: these modules bring the rules of votes and rewards along, which no other call needs.
def vote(request: VoteRequest | Mapping[str, Any], key: str) -> Call[VoteResult]:
    from sandbox.schema.vote import VoteRequest, VoteResult

    return Call("POST", "/verify/vote", VoteResult, _checked(VoteRequest, request), _headers(key))


def reward(request: RewardRequest | Mapping[str, Any], key: str) -> Call[RewardResult]:
    from sandbox.schema.reward import RewardRequest, RewardResult

    return Call("POST", "/reward", RewardResult, _checked(RewardRequest, request), _headers(key))


def task_set(tasks: TaskSet | Mapping[str, Any]) -> Call[TaskSetInfo]:
    from sandbox.schema.reward import TaskSet, TaskSetInfo

    body = _checked(TaskSet, tasks if isinstance(tasks, TaskSet) else {"tasks": tasks})
    return Call("PUT", f"/tasks/{TaskSet.id_of(body)}", TaskSetInfo, body, _JSON)


def readiness() -> Call[Readiness]:
    # Imported here: the service's module brings Redis and RQ along, which no other call needs.
    from sandbox.service import Readiness

    return Call("GET", "/health/ready", TypeAdapter(Readiness), good=frozenset({200, 503}))


class Polls:
    """When to look again: soon at first, then ever more rarely."""

    def __init__(self, timeout_s: float | None) -> None:
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._pause_s = 0.02

    def next_s(self, job_id: str) -> float:
        if self._deadline is not None and time.monotonic() >= self._deadline:
            raise TimeoutError(f"job {job_id} has not ended in time; it goes on, wait for it again or cancel it")
        self._pause_s = min(1.0, self._pause_s * 1.5)
        return self._pause_s


class Stream(Generic[Result]):
    """A batch whose results come line by line; what is missing when a connection breaks is asked for again."""

    def __init__(self, kind: Kind, requests: Sequence[Program | Submission], result: type[Result]) -> None:
        self.path = f"/{kind}/batch"
        self.headers = {**_JSON, "Accept": "application/x-ndjson"}
        self.left = {index: _encoded(kind, request) for index, request in enumerate(requests)}
        self._result: type[Result] = result
        self._sent: list[int] = []
        self._fruitless = 0
        self._line = TypeAdapter(dict[str, Any])

    def body(self) -> bytes:
        self._sent = list(self.left)
        return b'{"items":[' + b",".join(self.left.values()) + b"]}"

    def read(self, line: str) -> tuple[int, Result]:
        """One line's index among all the requests, and its result; raises the problem it has instead."""
        try:
            told = self._line.validate_json(line)
            if "problem" in told:
                raise _error_of_problem(Problem.model_validate(told["problem"]))
            index = self._sent[told["index"]]
            result = self._result.model_validate(told["result"])
        except (ValidationError, LookupError, TypeError) as error:
            raise InfrastructureError(f"{self.path} sent a line this client does not understand: {error}") from error
        del self.left[index]
        self._fruitless = 0
        return index, result

    def delay_s(self, retries: Retries, failure: Exception | None) -> float:
        """Seconds until the rest is asked for; raises the failure when too many tries in a row brought nothing."""
        self._fruitless += 1
        if self._fruitless >= retries.attempts:
            if isinstance(failure, SandboxError):
                raise failure
            raise InfrastructureError(f"{self.path} breaks off again and again: {failure}") from failure
        return retries.delay_s(self._fruitless - 1, getattr(failure, "retry_after_s", 0.0))
