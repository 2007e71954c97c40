"""The client whose calls are waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, overload

import httpx

from sandbox import calls, flow
from sandbox.calls import (
    CONNECTION_ERRORS,
    ENDED,
    LANGUAGES,
    PATIENT,
    Answer,
    Call,
    Events,
    JobEvent,
    Polls,
    Program,
    Result,
    Retries,
    Stream,
    Submission,
)
from sandbox.client.connection import DEFAULT_URL, OUTLIVED, Progress, key_header, limits, timeout
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
    from sandbox.schema.live import LiveView
    from sandbox.schema.reward import RewardRequest, RewardResult, TaskSet, TaskSetInfo
    from sandbox.schema.vote import VoteRequest, VoteResult
    from sandbox.service import Kind, Readiness


class Client:
    """Keeps its connections open; use one for many calls, from any thread, and close it."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout_s: float = 900.0,
        connections: int = 256,
        retries: Retries = PATIENT,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._retries = retries
        self._gate = flow.Gate()
        self._http = httpx.Client(
            base_url=url,
            headers=key_header(api_key),
            timeout=timeout(timeout_s),
            limits=limits(connections),
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
        return self._send(calls.one("execute", program, ExecuteResult, idempotency_key))

    def verify(self, submission: Submission, *, idempotency_key: str = "") -> VerifyResult:
        """Judge one program on its tests."""
        return self._send(calls.one("verify", submission, VerifyResult, idempotency_key))

    def execute_batch(self, programs: Sequence[Program], *, idempotency_key: str = "") -> list[ExecuteResult]:
        """Run many programs; results in their order."""
        return self._send(calls.many("execute", programs, ExecuteBatchResult, idempotency_key)).results

    def verify_batch(self, submissions: Sequence[Submission], *, idempotency_key: str = "") -> list[VerifyResult]:
        """Judge many programs; results in their order."""
        return self._send(calls.many("verify", submissions, VerifyBatchResult, idempotency_key)).results

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
        return self._stream("execute", programs, ExecuteResult, on_progress, idempotency_key)

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
        stream = self._stream("verify", submissions, VerifyResult, on_progress, idempotency_key)
        if on_result is None:
            return stream
        for index, result in stream:
            on_result(index, result)
        return None

    def vote(self, request: VoteRequest | Mapping[str, Any], *, idempotency_key: str = "") -> VoteResult:
        """Run candidates on inputs: labels by majority, the golden candidate, and a labelled test set."""
        return self._send(calls.vote(request, idempotency_key))

    def reward(self, request: RewardRequest | Mapping[str, Any], *, idempotency_key: str = "") -> RewardResult:
        """Rewards of completions, in their order; None where the service failed."""
        return self._send(calls.reward(request, idempotency_key))

    def put_tasks(self, tasks: TaskSet | Mapping[str, Any]) -> TaskSetInfo:
        """Register tasks by name; a reward request then names each as `<id>/<name>`."""
        return self._send(calls.task_set(tasks))

    def submit(
        self,
        kind: Kind | Literal["reward"],
        requests: Program | Submission | Sequence[Program | Submission] | RewardRequest | VoteRequest,
        *,
        idempotency_key: str = "",
        callback_url: str = "",
        callback_for: Literal["batch", "item"] = "batch",
    ) -> Job:
        """Queue one request, or a sequence of them as a batch, without waiting for results; see `wait`.

        The result is also sent to `callback_url`; with `callback_for="item"` each of a batch's, as it is ready.
        """
        callback = calls.callback_fields(requests, callback_url, callback_for)
        return self._send(calls.later(kind, requests, idempotency_key, callback))

    def job(self, job_id: str) -> Job:
        """What has become of a submission; raises NotFound."""
        return self._send(calls.job(job_id))

    def wait(self, job_id: str, timeout_s: float | None = None) -> Job:
        """The job once it is finished or cancelled; raises TimeoutError."""
        polls = Polls(timeout_s)
        while True:
            job = self.job(job_id)
            if job.status in ENDED:
                return job
            time.sleep(polls.next_s(job))

    def cancel(self, job_id: str) -> Job:
        """Cancel the rest of a job and stop its running programs; raises NotFound."""
        return self._send(calls.cancellation(job_id))

    def start(self, kind: str, request: GpuRequest | Mapping[str, Any], *, idempotency_key: str = "") -> GpuJob:
        """Queue a GPU job: generate, train_sft, train_grpo or evaluate; see `wait`."""
        return self._send(calls.gpu_job(kind, request, idempotency_key))

    def events(self, job_id: str, *, after: int | None = None) -> Iterator[JobEvent]:
        """What happens to a job, as it happens, until it has ended; raises NotFound.

        A GPU job's state, progress, completions and verdicts. A stream that breaks off is taken up behind the last
        event that came; `after` is the id of the last one that you have from before.
        """
        events = Events(job_id, after)
        while not events.ended:
            try:
                with self._http.stream("GET", events.path, headers=events.headers()) as response:
                    if response.status_code != 200:
                        response.read()
                        raise calls.error_of(response)
                    for chunk in response.iter_bytes():
                        yield from events.read(chunk)
                failure: Exception | None = None
            except OUTLIVED as error:
                failure = error
            except httpx.HTTPError as error:
                raise calls.unreachable(error) from error
            if not events.ended:
                time.sleep(events.tries.delay_s(self._retries, failure))

    def gpus(self) -> GpuPool:
        """Who holds which GPU, and the latest GPU jobs."""
        return self._send(calls.gpus())

    def live(self) -> LiveView:
        """What goes on now: slots, lanes, the verdicts of the last seconds, and what ended last."""
        return self._send(calls.live())

    def languages(self) -> list[LanguageInfo]:
        return self._send(Call("GET", "/languages", LANGUAGES))

    def ready(self) -> Readiness:
        """Whether submissions would be served now; not being ready is an answer, not an error."""
        return self._send(calls.readiness())

    def _send(self, call: Call[Answer]) -> Answer:
        with self._gate.room(call.items):
            answer = self._sent(call)
        self._gate.answered(call.items, calls.queue_time_s(answer))
        return answer

    def _sent(self, call: Call[Answer]) -> Answer:
        for attempt in range(self._retries.attempts):
            try:
                response = self._http.request(call.method, call.path, content=call.body, headers=call.headers)
            except CONNECTION_ERRORS as error:
                failure: SandboxError = calls.unreachable(error)
            except httpx.HTTPError as error:
                raise calls.unreachable(error) from error
            else:
                if not call.retries(response):
                    return call.read(response)
                failure = calls.error_of(response)
                self._gate.refused()
            if attempt + 1 < self._retries.attempts:
                time.sleep(self._retries.delay_s(attempt, getattr(failure, "retry_after_s", 0.0)))
        raise failure

    def _stream(
        self,
        kind: str,
        requests: Iterable[Program] | Iterable[Submission],
        result: type[Result],
        on_progress: Progress | None,
        key: str,
    ) -> Iterator[tuple[int, Result]]:
        """Piece by piece: the next is sent when the last result of this one is there."""
        done, total = 0, flow.number_of(requests)
        asked = flow.pieces(requests, partial(calls.encoded, kind), lambda: self._gate.window.limit)
        for number, piece in enumerate(asked):
            stream = Stream(kind, piece, result, f"{key}-{number}" if key else "")
            with self._gate.room(len(piece)):
                for pair in self._piece(stream):
                    done += 1
                    self._gate.answered(1, pair[1].queue_time_s)
                    if on_progress is not None:
                        on_progress(done, total)
                    yield pair

    def _piece(self, stream: Stream[Result]) -> Iterator[tuple[int, Result]]:
        while stream.left:
            try:
                with self._http.stream("POST", stream.path, content=stream.body(), headers=stream.headers) as response:
                    if response.status_code != 200:
                        response.read()
                        raise calls.error_of(response)
                    for line in response.iter_lines():
                        if (pair := stream.read(line)) is not None:
                            yield pair
                failure: Exception | None = None
            except OUTLIVED as error:
                failure = error
                if isinstance(error, Refused):
                    self._gate.refused()
            except httpx.HTTPError as error:
                raise calls.unreachable(error) from error
            if stream.left:
                time.sleep(stream.tries.delay_s(self._retries, failure))
