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
    error_codes,
)
from sandbox.schema.error_paths import format_dotted_path

if TYPE_CHECKING:
    from sandbox.schema.gpu import GpuJob, GpuPool, GpuRequest
    from sandbox.schema.health import Readiness
    from sandbox.schema.live import LiveView
    from sandbox.schema.reward import RewardRequest, RewardResult, TaskSet, TaskSetInfo
    from sandbox.schema.submissions import SubmissionKind
    from sandbox.schema.vote import VoteRequest, VoteResult

logger = logging.getLogger(__name__)

Program = ExecuteRequest | Mapping[str, Any]
Submission = VerifyRequest | Mapping[str, Any]
Result = TypeVar("Result", ExecuteResult, VerifyResult)
Answer = TypeVar("Answer")

LANGUAGES_ADAPTER = TypeAdapter(list[LanguageInfo])
ENDED_STATUSES = frozenset({JobStatus.FINISHED, JobStatus.CANCELLED, JobStatus.FAILED})
# The answer can no longer come, so asking again is all there is; a ReadTimeout is not among them: its time is up.
CONNECTION_ERRORS = (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ConnectTimeout, httpx.WriteTimeout)

_JSON_HEADERS = {"Content-Type": "application/json"}
_RETRYABLE_STATUSES = frozenset({429, 503})


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


DEFAULT_RETRIES = Retries()


@dataclass(frozen=True, slots=True)
class ApiCall(Generic[Answer]):
    """One request and how its answer is read; what both clients send."""

    method: str
    path: str
    answer_type: type[Answer] | TypeAdapter[Answer]
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    success_statuses: frozenset[int] = frozenset({200})
    item_count: int = 0

    def parse_response(self, response: httpx.Response) -> Answer:
        """The typed answer; raises what the API's problem stands for."""
        if response.status_code not in self.success_statuses:
            raise build_error(response)
        try:
            if isinstance(self.answer_type, TypeAdapter):
                return self.answer_type.validate_json(response.content)
            assert issubclass(self.answer_type, BaseModel)
            return self.answer_type.model_validate_json(response.content)
        except ValidationError as error:
            raise InfrastructureError(f"{self.path} answered what this client does not understand: {error}") from error

    def should_retry(self, response: httpx.Response) -> bool:
        return response.status_code in _RETRYABLE_STATUSES and response.status_code not in self.success_statuses


def find_longest_queue_time_s(answer: object) -> float:
    """The longest that anything in this answer waited in the service's queue."""
    if isinstance(answer, ExecuteResult | VerifyResult):
        return answer.queue_time_s
    return max((result.queue_time_s for result in getattr(answer, "results", ())), default=0.0)


def build_error(response: httpx.Response) -> SandboxError:
    """The exception that a problem document stands for; read by `type`, and by status where the type is not ours."""
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:  # a proxy's page, say
        problem = Problem(title=response.reason_phrase or "error", status=response.status_code)
    return _build_error_from_problem(problem, response.headers.get("retry-after", ""))


def _build_error_from_problem(problem: Problem, retry_after: str = "") -> SandboxError:
    code = error_codes.find_by_type(problem.type)
    kind = code.error if code is not None else _choose_error_class(problem.status)
    message = f"{problem.title}: {problem.detail}" if problem.detail else problem.title
    if issubclass(kind, Refused):
        return kind(message, float(retry_after) if retry_after.isdecimal() else 1.0)
    if issubclass(kind, BadRequest):
        return kind(message, problem.errors[0].field if problem.errors else "")
    return kind(message)


def _choose_error_class(status: int) -> type[SandboxError]:
    if status in _RETRYABLE_STATUSES:
        return Refused
    if status == 404:
        return NotFound
    return BadRequest if status < 500 else InfrastructureError


def build_unreachable_error(error: httpx.HTTPError) -> InfrastructureError:
    return InfrastructureError(f"the service does not answer ({type(error).__name__}: {error}); is it up, at this URL?")


def encode_request(kind: str, request: Program | Submission) -> bytes:
    """A request as JSON, without what is left to the server's defaults; raises BadRequest for a bad mapping."""
    if not isinstance(request, Mapping):
        return _encode_model(request)
    return _validate_and_encode(ExecuteRequest if kind == "execute" else VerifyRequest, request)


def _validate_and_encode(model: type[BaseModel], request: Any) -> bytes:
    """A model of that type, or a mapping of its shape, as JSON; raises BadRequest for a bad mapping."""
    try:
        return _encode_model(model.model_validate(request))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadRequest(str(error), format_dotted_path(("body", *first["loc"]))) from None


def _encode_model(request: BaseModel) -> bytes:
    """Raises BadRequest for values that have no form in JSON, such as lone surrogates."""
    try:
        return request.model_dump_json(exclude_unset=True).encode()
    except PydanticSerializationError as error:
        raise BadRequest(f"a value in the request has no form in JSON: {error}") from None


def _encode_batch(kind: SubmissionKind, requests: Sequence[Program | Submission]) -> bytes:
    return b'{"items":[' + b",".join(encode_request(kind, request) for request in requests) + b"]}"


def _build_headers(idempotency_key: str) -> dict[str, str]:
    return {**_JSON_HEADERS, "Idempotency-Key": idempotency_key} if idempotency_key else _JSON_HEADERS


def build_single_call(
    kind: SubmissionKind, request: Program | Submission, answer: type[Answer], key: str
) -> ApiCall[Answer]:
    return ApiCall("POST", f"/{kind}", answer, encode_request(kind, request), _build_headers(key), item_count=1)


def build_batch_call(
    kind: SubmissionKind, requests: Sequence[Program | Submission], answer: type[Answer], key: str
) -> ApiCall[Answer]:
    return ApiCall(
        "POST", f"/{kind}/batch", answer, _encode_batch(kind, requests), _build_headers(key), item_count=len(requests)
    )


def build_callback_fields(requests: object, url: str, callback_for: str) -> dict[str, str]:
    """What a body says of its callback; only a batch's says for what."""
    if not url:
        return {}
    several = isinstance(requests, Sequence)
    return {"callback_url": url, "callback_for": callback_for} if several else {"callback_url": url}


def build_submit_call(
    kind: SubmissionKind | Literal["reward"],
    requests: Program | Submission | Sequence[Program | Submission] | RewardRequest | VoteRequest,
    key: str,
    callback: Mapping[str, str],
) -> ApiCall[Job]:
    # With a key of its own a submission whose answer got lost is not queued twice.
    headers = {**_build_headers(key or uuid4().hex), "Prefer": "respond-async"}
    if kind == "reward" or kind == "vote":
        whole = _CALL_BUILDERS[kind](requests, "")  # type: ignore[arg-type]  # its kind says what it is
        path, body = whole.path, whole.body or b"{}"
    elif isinstance(requests, Sequence):
        path, body = f"/{kind}/batch", _encode_batch(kind, requests)
    else:
        path, body = f"/{kind}", encode_request(kind, requests)  # type: ignore[arg-type]  # its kind says what it is
    if callback:
        body = body[:-1] + b"," + json.dumps(callback).encode()[1:]
    return ApiCall("POST", path, Job, body, headers, frozenset({202}))


# Imported where they are used: these modules bring the rules of votes and rewards along, which no other call needs.
def build_vote_call(request: VoteRequest | Mapping[str, Any], key: str) -> ApiCall[VoteResult]:
    from sandbox.schema.vote import VoteRequest, VoteResult

    return ApiCall("POST", "/verify/vote", VoteResult, _validate_and_encode(VoteRequest, request), _build_headers(key))


def build_reward_call(request: RewardRequest | Mapping[str, Any], key: str) -> ApiCall[RewardResult]:
    from sandbox.schema.reward import RewardRequest, RewardResult

    return ApiCall("POST", "/reward", RewardResult, _validate_and_encode(RewardRequest, request), _build_headers(key))


# Kinds whose one request is a batch by itself.
_CALL_BUILDERS: Mapping[str, Callable[[RewardRequest | VoteRequest, str], ApiCall[Any]]] = {
    "reward": build_reward_call,  # type: ignore[dict-item]
    "vote": build_vote_call,  # type: ignore[dict-item]
}


def build_task_set_call(tasks: TaskSet | Mapping[str, Any]) -> ApiCall[TaskSetInfo]:
    from sandbox.schema.reward import TaskSet, TaskSetInfo

    body = _validate_and_encode(TaskSet, tasks if isinstance(tasks, TaskSet) else {"tasks": tasks})
    return ApiCall("PUT", f"/tasks/{TaskSet.compute_id(body)}", TaskSetInfo, body, _JSON_HEADERS)


def build_job_call(job_id: str) -> ApiCall[Job]:
    return ApiCall("GET", f"/jobs/{job_id}", _choose_job_model(job_id))


def build_cancel_call(job_id: str) -> ApiCall[Job]:
    return ApiCall("DELETE", f"/jobs/{job_id}", _choose_job_model(job_id))


def _choose_job_model(job_id: str) -> type[Job]:
    if not job_id.startswith("gpu-"):
        return Job
    from sandbox.schema.gpu import GpuJob

    return GpuJob


def build_gpu_job_call(kind: str, request: GpuRequest | Mapping[str, Any], key: str) -> ApiCall[GpuJob]:
    from sandbox.schema.gpu import REQUEST_MODELS, GpuJob, GpuKind

    body = _validate_and_encode(REQUEST_MODELS[GpuKind(kind)], request)
    path = "/" + kind.replace("_", "/")
    return ApiCall("POST", path, GpuJob, body, _build_headers(key or uuid4().hex), frozenset({202}))


def build_live_call() -> ApiCall[LiveView]:
    from sandbox.schema.live import LiveView

    return ApiCall("GET", "/live", LiveView)


def build_gpu_pool_call() -> ApiCall[GpuPool]:
    from sandbox.schema.gpu import GpuPool

    return ApiCall("GET", "/gpus", GpuPool)


def build_readiness_call() -> ApiCall[Readiness]:
    from sandbox.schema.health import Readiness

    return ApiCall("GET", "/health/ready", TypeAdapter(Readiness), success_statuses=frozenset({200, 503}))


class PollSchedule:
    """When to look again: soon at first, then ever more rarely."""

    def __init__(self, timeout_s: float | None) -> None:
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._pause_s = 0.02
        self._last_note = ""

    def compute_pause_s(self, job: Job) -> float:
        """Return the seconds until the next look; log why a job does not start, once. Raises TimeoutError."""
        note = str(getattr(job, "note", ""))  # of a GPU job
        if note and note != self._last_note:
            logger.warning("job %s waits: %s", job.id, note)
        self._last_note = note
        if self._deadline is not None and time.monotonic() >= self._deadline:
            why = f": {note}" if note else ""
            raise TimeoutError(f"job {job.id} has not ended in time{why}; it goes on, wait for it again or cancel it")
        self._pause_s = min(1.0, self._pause_s * 1.5)
        return self._pause_s


class StreamAttempts:
    """Tries of what is read from `path` until nothing is left to read; they begin anew with whatever a try brings."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._consecutive_failures = 0

    def reset(self) -> None:
        """This try has brought something."""
        self._consecutive_failures = 0

    def count_failure(self, retries: Retries, failure: Exception | None) -> float:
        """Seconds until the rest is asked for; raises the failure when too many tries in a row brought nothing."""
        self._consecutive_failures += 1
        if self._consecutive_failures >= retries.attempts:
            if isinstance(failure, SandboxError):
                raise failure
            raise InfrastructureError(f"{self._path} breaks off again and again: {failure}") from failure
        return retries.delay_s(self._consecutive_failures - 1, getattr(failure, "retry_after_s", 0.0))


@dataclass(frozen=True, slots=True)
class JobEvent:
    """What happened to a job: `state`, `progress`, `completion` or `verdict`.

    `id` is what a reader that comes back goes on behind; a `state`, which is the job as it is then, has none.
    """

    event: str
    data: dict[str, Any]
    id: int | None = None


class EventStream:
    """A job's server-sent events until it has ended; after a break they are asked for from behind the last one."""

    def __init__(self, job_id: str, after: int | None) -> None:
        self.path = f"/jobs/{job_id}/events"
        self.ended = False
        self.attempts = StreamAttempts(self.path)
        self._last_event_id = after
        self._last_status = ""
        self._buffer = b""
        self._data_adapter = TypeAdapter(dict[str, Any])

    def build_headers(self) -> dict[str, str]:
        """Of the next request, whose stream begins at a whole event."""
        self._buffer = b""
        return {"Accept": "text/event-stream"} | (
            {} if self._last_event_id is None else {"Last-Event-ID": str(self._last_event_id)}
        )

    def parse_chunk(self, chunk: bytes) -> Iterator[JobEvent]:
        """The events that this piece of the stream completes."""
        *blocks, self._buffer = (self._buffer + chunk).split(b"\n\n")
        for block in blocks:
            fields = dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line)
            if b"data" in fields and (event := self._parse_event(fields)) is not None:
                self.attempts.reset()
                yield event

    def _parse_event(self, fields: dict[bytes, bytes]) -> JobEvent | None:
        """None for a state that was told before the stream broke off."""
        try:
            number = int(fields[b"id"]) if b"id" in fields else None
            event = JobEvent(fields[b"event"].decode(), self._data_adapter.validate_json(fields[b"data"]), number)
        except (ValueError, KeyError) as error:
            raise InfrastructureError(f"{self.path} sent what this client does not understand: {error}") from error
        if number is not None:
            self._last_event_id = number
        elif event.event == "state":
            known, self._last_status = self._last_status, str(event.data.get("status", ""))
            self.ended = self._last_status in ENDED_STATUSES
            return event if self._last_status != known else None
        return event


class BatchStream(Generic[Result]):
    """A batch whose results come line by line; what is missing when a connection breaks is asked for again.

    `requests` are the batch's, encoded, by their index among all. With a key of its own a batch is asked for as a whole
    again, for the key stands for the whole; what came already is not told twice.
    """

    def __init__(self, kind: str, requests: Mapping[int, bytes], result: type[Result], key: str = "") -> None:
        self.path = f"/{kind}/batch"
        self.headers = {**_build_headers(key), "Accept": "application/x-ndjson"}
        self.pending = dict(requests)
        self._all_requests = self.pending.copy() if key else {}
        self._result: type[Result] = result
        self._sent_indices: list[int] = []
        self.attempts = StreamAttempts(self.path)
        self._line_adapter = TypeAdapter(dict[str, Any])

    def build_body(self) -> bytes:
        requests = self._all_requests or self.pending
        self._sent_indices = list(requests)
        return b'{"items":[' + b",".join(requests.values()) + b"]}"

    def parse_line(self, line: str) -> tuple[int, Result] | None:
        """One line's index among all the requests, and its result, or None for one that came before.

        Raises the problem that a line has instead.
        """
        try:
            payload = self._line_adapter.validate_json(line)
            if "problem" in payload:
                raise _build_error_from_problem(Problem.model_validate(payload["problem"]))
            index = self._sent_indices[payload["index"]]
            result = self._result.model_validate(payload["result"])
        except (ValidationError, LookupError, TypeError) as error:
            raise InfrastructureError(f"{self.path} sent a line this client does not understand: {error}") from error
        self.attempts.reset()
        if self.pending.pop(index, None) is None:
            return None
        return index, result
