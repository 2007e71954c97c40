"""The API calls of both clients as data: what to send, and how to parse the answer. Nothing here opens a connection."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast
from urllib.parse import quote
from uuid import uuid4

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from sandbox.client.invalid_request import build_bad_request
from sandbox.client.retries import RETRYABLE_STATUSES
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

if TYPE_CHECKING:
    from sandbox.schema.gpu import GpuJob, GpuPool, GpuRequest
    from sandbox.schema.hack import HackBatchResult, HackRequest, HackResult
    from sandbox.schema.health import Readiness
    from sandbox.schema.live import LiveView
    from sandbox.schema.quality import QualityRequest, QualityResult
    from sandbox.schema.reward import RewardRequest, RewardResult
    from sandbox.schema.submissions import SubmissionKind
    from sandbox.schema.vote import VoteRequest, VoteResult

Program = ExecuteRequest | Mapping[str, Any]
Submission = VerifyRequest | Mapping[str, Any]
Result = TypeVar("Result", ExecuteResult, VerifyResult)
Answer = TypeVar("Answer")

LANGUAGES_ADAPTER = TypeAdapter(list[LanguageInfo])
ENDED_STATUSES = frozenset({JobStatus.FINISHED, JobStatus.CANCELLED, JobStatus.FAILED})

_RAW_TYPES: tuple[object, ...] = (bytes, type(None))  # answers that are not JSON: a file's content, or nothing
_JSON_HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class ApiCall(Generic[Answer]):
    """One HTTP request and the type of its answer.

    `item_count` is the number of programs that the request adds to the congestion window.
    """

    method: str
    path: str
    answer_type: type[Answer] | TypeAdapter[Answer]
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    success_statuses: frozenset[int] = frozenset({200})
    item_count: int = 0

    def parse_response(self, response: httpx.Response) -> Answer:
        """Return the typed answer; raise the error that a problem document names."""
        if response.status_code not in self.success_statuses:
            raise build_error(response)
        if self.answer_type in _RAW_TYPES:
            return cast(Answer, response.content if self.answer_type == _RAW_TYPES[0] else None)
        try:
            if isinstance(self.answer_type, TypeAdapter):
                return self.answer_type.validate_json(response.content)
            assert issubclass(self.answer_type, BaseModel)
            return self.answer_type.model_validate_json(response.content)
        except ValidationError as error:
            raise InfrastructureError(f"{self.path}: cannot parse the answer of the service: {error}") from error

    def should_retry(self, response: httpx.Response) -> bool:
        return response.status_code in RETRYABLE_STATUSES and response.status_code not in self.success_statuses


def find_longest_queue_time_s(answer: object) -> float:
    """Return the longest time that a result in this answer waited in the queue of the service."""
    if isinstance(answer, ExecuteResult | VerifyResult):
        return answer.queue_time_s
    return max((result.queue_time_s for result in getattr(answer, "results", ())), default=0.0)


def build_error(response: httpx.Response) -> SandboxError:
    """Build the exception for a problem document: by its `type`, or by the HTTP status if the type is unknown."""
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:  # for example an error page of a proxy
        problem = Problem(title=response.reason_phrase or "error", status=response.status_code)
    return build_error_from_problem(problem, response.headers.get("retry-after", ""))


def build_error_from_problem(problem: Problem, retry_after: str = "") -> SandboxError:
    code = error_codes.find_by_type(problem.type)
    kind = code.error if code is not None else _choose_error_class(problem.status)
    message = f"{problem.title}: {problem.detail}" if problem.detail else problem.title
    if problem.detail.lower().startswith(problem.title.lower()):
        message = problem.detail
    if issubclass(kind, Refused):
        return kind(message, float(retry_after) if retry_after.isdecimal() else 1.0)
    if issubclass(kind, BadRequest):
        return kind(message, problem.errors[0].field if problem.errors else "")
    return kind(message)


def _choose_error_class(status: int) -> type[SandboxError]:
    if status in RETRYABLE_STATUSES:
        return Refused
    if status == 404:
        return NotFound
    return BadRequest if status < 500 else InfrastructureError


def build_unreachable_error(error: httpx.HTTPError) -> InfrastructureError:
    return InfrastructureError(
        f"no answer from the service ({type(error).__name__}: {error}); check the URL and that the service is running"
    )


def encode_request(kind: str, request: Program | Submission) -> bytes:
    """Encode a request as JSON without its unset fields; raise BadRequest for an invalid one."""
    if not isinstance(request, Mapping):
        return _encode_model(request)
    return validate_and_encode(ExecuteRequest if kind == "execute" else VerifyRequest, request)


def validate_and_encode(model: type[BaseModel], request: Any) -> bytes:
    """Encode a model, or a mapping of the same shape, as JSON; raise BadRequest for an invalid one."""
    try:
        return _encode_model(model.model_validate(request))
    except ValidationError as error:
        raise build_bad_request(model, error) from None


def _encode_model(request: BaseModel) -> bytes:
    """Raise BadRequest for values that JSON cannot represent, such as lone surrogates."""
    try:
        return request.model_dump_json(exclude_unset=True).encode()
    except PydanticSerializationError as error:
        raise BadRequest(f"the request contains a value that JSON cannot represent: {error}") from None


def encode_batch(requests: Iterable[bytes]) -> bytes:
    return b'{"items":[' + b",".join(requests) + b"]}"


def _encode_requests(kind: SubmissionKind, requests: Sequence[Program | Submission]) -> bytes:
    return encode_batch(encode_request(kind, request) for request in requests)


def build_headers(idempotency_key: str) -> dict[str, str]:
    return {**_JSON_HEADERS, "Idempotency-Key": idempotency_key} if idempotency_key else _JSON_HEADERS


def build_single_call(
    kind: SubmissionKind, request: Program | Submission, answer: type[Answer], key: str
) -> ApiCall[Answer]:
    return ApiCall("POST", f"/{kind}", answer, encode_request(kind, request), build_headers(key), item_count=1)


def build_batch_call(
    kind: SubmissionKind, requests: Sequence[Program | Submission], answer: type[Answer], key: str
) -> ApiCall[Answer]:
    return ApiCall(
        "POST", f"/{kind}/batch", answer, _encode_requests(kind, requests), build_headers(key), item_count=len(requests)
    )


def build_callback_fields(requests: object, url: str, callback_for: str) -> dict[str, str]:
    """Build the body's callback fields; only a batch has `callback_for`."""
    if not url:
        return {}
    several = isinstance(requests, Sequence)
    return {"callback_url": url, "callback_for": callback_for} if several else {"callback_url": url}


def build_submit_call(
    kind: SubmissionKind | Literal["reward"],
    requests: Program
    | Submission
    | Sequence[Program | Submission]
    | RewardRequest
    | VoteRequest
    | HackRequest
    | Sequence[HackRequest],
    key: str,
    callback: Mapping[str, str],
) -> ApiCall[Job]:
    # The generated key keeps a retry after a lost answer from queueing the submission twice.
    headers = {**build_headers(key or uuid4().hex), "Prefer": "respond-async"}
    if kind == "reward" or kind == "vote":
        build = build_reward_call if kind == "reward" else build_vote_call
        call = build(requests, "")  # type: ignore[arg-type]  # `kind` decides the type
        path, body = call.path, call.body or b"{}"
    elif kind == "hack":
        several = isinstance(requests, Sequence)
        hack_call = build_hack_batch_call(requests, "") if several else build_hack_call(requests, "")  # type: ignore[arg-type]
        path, body = hack_call.path, hack_call.body or b"{}"
    elif isinstance(requests, Sequence):
        path, body = f"/{kind}/batch", _encode_requests(kind, requests)  # type: ignore[arg-type]  # `kind` decides
    else:
        path, body = f"/{kind}", encode_request(kind, requests)  # type: ignore[arg-type]  # `kind` decides the type
    if callback:
        body = body[:-1] + b"," + json.dumps(callback).encode()[1:]
    return ApiCall("POST", path, Job, body, headers, frozenset({202}))


# These functions import their models themselves: the models load the rules of votes and rewards, which no other call
# needs.
def build_vote_call(request: VoteRequest | Mapping[str, Any], key: str) -> ApiCall[VoteResult]:
    from sandbox.schema.vote import VoteRequest, VoteResult

    return ApiCall("POST", "/verify/vote", VoteResult, validate_and_encode(VoteRequest, request), build_headers(key))


def build_quality_call(request: QualityRequest | Mapping[str, Any], key: str) -> ApiCall[QualityResult]:
    from sandbox.schema.quality import QualityRequest, QualityResult

    body = validate_and_encode(QualityRequest, request)
    return ApiCall("POST", "/verify/quality", QualityResult, body, build_headers(key))


def build_hack_call(request: HackRequest | Mapping[str, Any], key: str) -> ApiCall[HackResult]:
    from sandbox.schema.hack import HackRequest, HackResult

    return ApiCall("POST", "/verify/hack", HackResult, validate_and_encode(HackRequest, request), build_headers(key))


def build_hack_batch_call(requests: Sequence[HackRequest | Mapping[str, Any]], key: str) -> ApiCall[HackBatchResult]:
    from sandbox.schema.hack import HackBatchResult, HackRequest

    body = encode_batch(validate_and_encode(HackRequest, request) for request in requests)
    return ApiCall("POST", "/verify/hack/batch", HackBatchResult, body, build_headers(key), item_count=len(requests))


def build_reward_call(request: RewardRequest | Mapping[str, Any], key: str) -> ApiCall[RewardResult]:
    from sandbox.schema.reward import RewardRequest, RewardResult

    body = validate_and_encode(RewardRequest, request)
    completions = request["completions"] if isinstance(request, Mapping) else request.completions
    return ApiCall("POST", "/reward", RewardResult, body, build_headers(key), item_count=len(completions))


def build_job_call(job_id: str) -> ApiCall[Job]:
    return ApiCall("GET", f"/jobs/{quote(job_id, safe='')}", _choose_job_model(job_id))


def build_cancel_call(job_id: str) -> ApiCall[Job]:
    return ApiCall("DELETE", f"/jobs/{quote(job_id, safe='')}", _choose_job_model(job_id))


def _choose_job_model(job_id: str) -> type[Job]:
    if not job_id.startswith("gpu-"):
        return Job
    from sandbox.schema.gpu import GpuJob

    return GpuJob


def build_gpu_job_call(kind: str, request: GpuRequest | Mapping[str, Any], key: str) -> ApiCall[GpuJob]:
    from sandbox.schema.gpu import REQUEST_MODELS, GpuJob, GpuKind

    body = validate_and_encode(REQUEST_MODELS[GpuKind(kind)], request)
    path = "/" + kind.replace("_", "/")
    return ApiCall("POST", path, GpuJob, body, build_headers(key or uuid4().hex), frozenset({202}))


def build_live_call() -> ApiCall[LiveView]:
    from sandbox.schema.live import LiveView

    return ApiCall("GET", "/live", LiveView)


def build_gpu_pool_call() -> ApiCall[GpuPool]:
    from sandbox.schema.gpu import GpuPool

    return ApiCall("GET", "/gpus", GpuPool)


def build_readiness_call() -> ApiCall[Readiness]:
    from sandbox.schema.health import Readiness

    return ApiCall("GET", "/health/ready", TypeAdapter(Readiness), success_statuses=frozenset({200, 503}))
