"""The client whose calls are waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, overload

import httpx

from sandbox.client import congestion, protocol
from sandbox.client.connection import (
    DEFAULT_URL,
    RECONNECT_ERRORS,
    Progress,
    build_auth_headers,
    build_limits,
    build_timeout,
)
from sandbox.client.protocol import (
    CONNECTION_ERRORS,
    DEFAULT_RETRIES,
    ENDED_STATUSES,
    LANGUAGES_ADAPTER,
    Answer,
    ApiCall,
    BatchStream,
    EventStream,
    JobEvent,
    PollSchedule,
    Program,
    Result,
    Retries,
    Submission,
)
from sandbox.errors import Refused, SandboxError
from sandbox.schema import (
    ExecuteBatchResult,
    ExecuteResult,
    Job,
    LanguageInfo,
    VerifyBatchResult,
    VerifyResult,
)

if TYPE_CHECKING:
    from sandbox.schema.gpu import GpuJob, GpuPool, GpuRequest
    from sandbox.schema.health import Readiness
    from sandbox.schema.live import LiveView
    from sandbox.schema.reward import RewardRequest, RewardResult, TaskSet, TaskSetInfo
    from sandbox.schema.submissions import SubmissionKind
    from sandbox.schema.vote import VoteRequest, VoteResult


class Client:
    """Keeps its connections open; use one for many calls, from any thread, and close it."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout_s: float = 900.0,
        connections: int = 256,
        retries: Retries = DEFAULT_RETRIES,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._retries = retries
        self._gate = congestion.Gate()
        self._http = httpx.Client(
            base_url=url,
            headers=build_auth_headers(api_key),
            timeout=build_timeout(timeout_s),
            limits=build_limits(connections),
            transport=transport,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def execute(self, program: Program, *, idempotency_key: str = "") -> ExecuteResult:
        """Run one program once."""
        return self._send(protocol.build_single_call("execute", program, ExecuteResult, idempotency_key))

    def verify(self, submission: Submission, *, idempotency_key: str = "") -> VerifyResult:
        """Judge one program on its tests."""
        return self._send(protocol.build_single_call("verify", submission, VerifyResult, idempotency_key))

    def execute_batch(self, programs: Sequence[Program], *, idempotency_key: str = "") -> list[ExecuteResult]:
        """Run many programs; results in their order."""
        return self._send(protocol.build_batch_call("execute", programs, ExecuteBatchResult, idempotency_key)).results

    def verify_batch(self, submissions: Sequence[Submission], *, idempotency_key: str = "") -> list[VerifyResult]:
        """Judge many programs; results in their order."""
        return self._send(protocol.build_batch_call("verify", submissions, VerifyBatchResult, idempotency_key)).results

    def execute_stream(
        self,
        programs: Iterable[Program],
        *,
        on_progress: Progress | None = None,
        idempotency_key: str = "",
    ) -> Iterator[tuple[int, ExecuteResult]]:
        """Run many programs; each result with its index, as soon as it is ready.

        `on_progress` is told how many are done, and of how many.
        """
        return self._stream_results("execute", programs, ExecuteResult, on_progress, idempotency_key)

    @overload
    def verify_stream(
        self,
        submissions: Iterable[Submission],
        *,
        on_result: None = None,
        on_progress: Progress | None = None,
        idempotency_key: str = "",
    ) -> Iterator[tuple[int, VerifyResult]]: ...

    @overload
    def verify_stream(
        self,
        submissions: Iterable[Submission],
        *,
        on_result: Callable[[int, VerifyResult], object],
        on_progress: Progress | None = None,
        idempotency_key: str = "",
    ) -> None: ...

    def verify_stream(
        self,
        submissions: Iterable[Submission],
        *,
        on_result: Callable[[int, VerifyResult], object] | None = None,
        on_progress: Progress | None = None,
        idempotency_key: str = "",
    ) -> Iterator[tuple[int, VerifyResult]] | None:
        """Judge many programs; each result with its index, as soon as it is ready.

        They are yielded or, with `on_result`, given to that; `on_progress` is told how many are done, and of how many.
        """
        stream = self._stream_results("verify", submissions, VerifyResult, on_progress, idempotency_key)
        if on_result is None:
            return stream
        for index, result in stream:
            on_result(index, result)
        return None

    def vote(self, request: VoteRequest | Mapping[str, Any], *, idempotency_key: str = "") -> VoteResult:
        """Run candidates on inputs: labels by majority, the golden candidate, and a labelled test set."""
        return self._send(protocol.build_vote_call(request, idempotency_key))

    def reward(self, request: RewardRequest | Mapping[str, Any], *, idempotency_key: str = "") -> RewardResult:
        """Rewards of completions, in their order; None where the service failed."""
        return self._send(protocol.build_reward_call(request, idempotency_key))

    def put_tasks(self, tasks: TaskSet | Mapping[str, Any]) -> TaskSetInfo:
        """Register tasks by name; a reward request then names each as `<id>/<name>`."""
        return self._send(protocol.build_task_set_call(tasks))

    def submit(
        self,
        kind: SubmissionKind | Literal["reward"],
        requests: Program | Submission | Sequence[Program | Submission] | RewardRequest | VoteRequest,
        *,
        idempotency_key: str = "",
        callback_url: str = "",
        callback_for: Literal["batch", "item"] = "batch",
    ) -> Job:
        """Queue one request, or a sequence of them as a batch, without waiting for results; see `wait`.

        The result is also sent to `callback_url`; with `callback_for="item"` each of a batch's, as it is ready.
        """
        callback = protocol.build_callback_fields(requests, callback_url, callback_for)
        return self._send(protocol.build_submit_call(kind, requests, idempotency_key, callback))

    def job(self, job_id: str) -> Job:
        """What has become of a submission; raises NotFound."""
        return self._send(protocol.build_job_call(job_id))

    def wait(self, job_id: str, timeout_s: float | None = None) -> Job:
        """The job once it is finished or cancelled; raises TimeoutError."""
        polls = PollSchedule(timeout_s)
        while True:
            job = self.job(job_id)
            if job.status in ENDED_STATUSES:
                return job
            time.sleep(polls.compute_pause_s(job))

    def cancel(self, job_id: str) -> Job:
        """Cancel the rest of a job and stop its running programs; raises NotFound."""
        return self._send(protocol.build_cancel_call(job_id))

    def start(self, kind: str, request: GpuRequest | Mapping[str, Any], *, idempotency_key: str = "") -> GpuJob:
        """Queue a GPU job: generate, train_sft, train_grpo or evaluate; see `wait`."""
        return self._send(protocol.build_gpu_job_call(kind, request, idempotency_key))

    def events(self, job_id: str, *, after: int | None = None) -> Iterator[JobEvent]:
        """What happens to a job, as it happens, until it has ended; raises NotFound.

        A GPU job's state, progress, completions and verdicts. A stream that breaks off is taken up behind the last
        event that came; `after` is the id of the last one that you have from before.
        """
        events = EventStream(job_id, after)
        while not events.ended:
            try:
                with self._http.stream("GET", events.path, headers=events.build_headers()) as response:
                    if response.status_code != 200:
                        response.read()
                        raise protocol.build_error(response)
                    for chunk in response.iter_bytes():
                        yield from events.parse_chunk(chunk)
                failure: Exception | None = None
            except RECONNECT_ERRORS as error:
                failure = error
            except httpx.HTTPError as error:
                raise protocol.build_unreachable_error(error) from error
            if not events.ended:
                time.sleep(events.attempts.count_failure(self._retries, failure))

    def gpus(self) -> GpuPool:
        """Who holds which GPU, and the latest GPU jobs."""
        return self._send(protocol.build_gpu_pool_call())

    def live(self) -> LiveView:
        """What goes on now: slots, lanes, the verdicts of the last seconds, and what ended last."""
        return self._send(protocol.build_live_call())

    def languages(self) -> list[LanguageInfo]:
        return self._send(ApiCall("GET", "/languages", LANGUAGES_ADAPTER))

    def ready(self) -> Readiness:
        """Whether submissions would be served now; not being ready is an answer, not an error."""
        return self._send(protocol.build_readiness_call())

    def _send(self, call: ApiCall[Answer]) -> Answer:
        with self._gate.reserve(call.item_count):
            answer = self._send_with_retries(call)
        self._gate.record_answer(call.item_count, protocol.find_longest_queue_time_s(answer))
        return answer

    def _send_with_retries(self, call: ApiCall[Answer]) -> Answer:
        for attempt in range(self._retries.attempts):
            try:
                response = self._http.request(call.method, call.path, content=call.body, headers=call.headers)
            except CONNECTION_ERRORS as error:
                failure: SandboxError = protocol.build_unreachable_error(error)
            except httpx.HTTPError as error:
                raise protocol.build_unreachable_error(error) from error
            else:
                if not call.should_retry(response):
                    return call.parse_response(response)
                failure = protocol.build_error(response)
                self._gate.record_refusal()
            if attempt + 1 < self._retries.attempts:
                time.sleep(self._retries.delay_s(attempt, getattr(failure, "retry_after_s", 0.0)))
        raise failure

    def _stream_results(
        self,
        kind: str,
        requests: Iterable[Program] | Iterable[Submission],
        result: type[Result],
        on_progress: Progress | None,
        key: str,
    ) -> Iterator[tuple[int, Result]]:
        """Piece by piece: the next is sent when the last result of this one is there."""
        done, total = 0, congestion.count_items(requests)
        batches = congestion.split_into_batches(
            requests, partial(protocol.encode_request, kind), lambda: self._gate.window.limit
        )
        for number, piece in enumerate(batches):
            stream = BatchStream(kind, piece, result, f"{key}-{number}" if key else "")
            with self._gate.reserve(len(piece)):
                for pair in self._stream_batch(stream):
                    done += 1
                    self._gate.record_answer(1, pair[1].queue_time_s)
                    if on_progress is not None:
                        on_progress(done, total)
                    yield pair

    def _stream_batch(self, stream: BatchStream[Result]) -> Iterator[tuple[int, Result]]:
        while stream.pending:
            try:
                with self._http.stream(
                    "POST", stream.path, content=stream.build_body(), headers=stream.headers
                ) as response:
                    if response.status_code != 200:
                        response.read()
                        raise protocol.build_error(response)
                    for line in response.iter_lines():
                        if (pair := stream.parse_line(line)) is not None:
                            yield pair
                failure: Exception | None = None
            except RECONNECT_ERRORS as error:
                failure = error
                if isinstance(error, Refused):
                    self._gate.record_refusal()
            except httpx.HTTPError as error:
                raise protocol.build_unreachable_error(error) from error
            if stream.pending:
                time.sleep(stream.attempts.count_failure(self._retries, failure))
