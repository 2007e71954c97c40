"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from inspect import isawaitable
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


class AsyncClient:
    """`Client` for asyncio: the same methods, awaited; streams are asynchronous iterators."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout_s: float = 900.0,
        connections: int = 256,
        retries: Retries = DEFAULT_RETRIES,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._retries = retries
        self._gate = congestion.AsyncGate()
        self._http = httpx.AsyncClient(
            base_url=url,
            headers=build_auth_headers(api_key),
            timeout=build_timeout(timeout_s),
            limits=build_limits(connections),
            transport=transport,
        )

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def execute(self, program: Program, *, idempotency_key: str = "") -> ExecuteResult:
        """Run one program once."""
        return await self._send(protocol.build_single_call("execute", program, ExecuteResult, idempotency_key))

    async def verify(self, submission: Submission, *, idempotency_key: str = "") -> VerifyResult:
        """Judge one program on its tests."""
        return await self._send(protocol.build_single_call("verify", submission, VerifyResult, idempotency_key))

    async def execute_batch(self, programs: Sequence[Program], *, idempotency_key: str = "") -> list[ExecuteResult]:
        """Run many programs; results in their order."""
        return (
            await self._send(protocol.build_batch_call("execute", programs, ExecuteBatchResult, idempotency_key))
        ).results

    async def verify_batch(self, submissions: Sequence[Submission], *, idempotency_key: str = "") -> list[VerifyResult]:
        """Judge many programs; results in their order."""
        return (
            await self._send(protocol.build_batch_call("verify", submissions, VerifyBatchResult, idempotency_key))
        ).results

    def execute_stream(
        self,
        programs: Iterable[Program] | AsyncIterable[Program],
        *,
        on_progress: Progress | None = None,
        idempotency_key: str = "",
    ) -> AsyncIterator[tuple[int, ExecuteResult]]:
        """Run many programs; each result with its index, as soon as it is ready.

        `on_progress` is told how many are done, and of how many.
        """
        return self._stream_results("execute", programs, ExecuteResult, on_progress, idempotency_key)

    @overload
    def verify_stream(
        self,
        submissions: Iterable[Submission] | AsyncIterable[Submission],
        *,
        on_result: None = None,
        on_progress: Progress | None = None,
        idempotency_key: str = "",
    ) -> AsyncIterator[tuple[int, VerifyResult]]: ...

    @overload
    def verify_stream(
        self,
        submissions: Iterable[Submission] | AsyncIterable[Submission],
        *,
        on_result: Callable[[int, VerifyResult], object],
        on_progress: Progress | None = None,
        idempotency_key: str = "",
    ) -> Coroutine[Any, Any, None]: ...

    def verify_stream(
        self,
        submissions: Iterable[Submission] | AsyncIterable[Submission],
        *,
        on_result: Callable[[int, VerifyResult], object] | None = None,
        on_progress: Progress | None = None,
        idempotency_key: str = "",
    ) -> AsyncIterator[tuple[int, VerifyResult]] | Coroutine[Any, Any, None]:
        """Judge many programs; each result with its index, as soon as it is ready.

        They are yielded or, with `on_result`, given to that; `on_progress` is told how many are done, and of how many.
        """
        stream = self._stream_results("verify", submissions, VerifyResult, on_progress, idempotency_key)
        return stream if on_result is None else pass_results(stream, on_result)

    async def vote(self, request: VoteRequest | Mapping[str, Any], *, idempotency_key: str = "") -> VoteResult:
        """Run candidates on inputs: labels by majority, the golden candidate, and a labelled test set."""
        return await self._send(protocol.build_vote_call(request, idempotency_key))

    async def reward(self, request: RewardRequest | Mapping[str, Any], *, idempotency_key: str = "") -> RewardResult:
        """Rewards of completions, in their order; None where the service failed."""
        return await self._send(protocol.build_reward_call(request, idempotency_key))

    async def put_tasks(self, tasks: TaskSet | Mapping[str, Any]) -> TaskSetInfo:
        """Register tasks by name; a reward request then names each as `<id>/<name>`."""
        return await self._send(protocol.build_task_set_call(tasks))

    async def submit(
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
        return await self._send(protocol.build_submit_call(kind, requests, idempotency_key, callback))

    async def job(self, job_id: str) -> Job:
        """What has become of a submission; raises NotFound."""
        return await self._send(protocol.build_job_call(job_id))

    async def wait(self, job_id: str, timeout_s: float | None = None) -> Job:
        """The job once it is finished or cancelled; raises TimeoutError."""
        polls = PollSchedule(timeout_s)
        while True:
            job = await self.job(job_id)
            if job.status in ENDED_STATUSES:
                return job
            await asyncio.sleep(polls.compute_pause_s(job))

    async def cancel(self, job_id: str) -> Job:
        """Cancel the rest of a job and stop its running programs; raises NotFound."""
        return await self._send(protocol.build_cancel_call(job_id))

    async def start(self, kind: str, request: GpuRequest | Mapping[str, Any], *, idempotency_key: str = "") -> GpuJob:
        """Queue a GPU job: generate, train_sft, train_grpo or evaluate; see `wait`."""
        return await self._send(protocol.build_gpu_job_call(kind, request, idempotency_key))

    async def events(self, job_id: str, *, after: int | None = None) -> AsyncIterator[JobEvent]:
        """What happens to a job, as it happens, until it has ended; raises NotFound.

        A GPU job's state, progress, completions and verdicts. A stream that breaks off is taken up behind the last
        event that came; `after` is the id of the last one that you have from before.
        """
        events = EventStream(job_id, after)
        while not events.ended:
            try:
                async with self._http.stream("GET", events.path, headers=events.build_headers()) as response:
                    if response.status_code != 200:
                        await response.aread()
                        raise protocol.build_error(response)
                    async for chunk in response.aiter_bytes():
                        for event in events.parse_chunk(chunk):
                            yield event
                failure: Exception | None = None
            except RECONNECT_ERRORS as error:
                failure = error
            except httpx.HTTPError as error:
                raise protocol.build_unreachable_error(error) from error
            if not events.ended:
                await asyncio.sleep(events.attempts.count_failure(self._retries, failure))

    async def gpus(self) -> GpuPool:
        """Who holds which GPU, and the latest GPU jobs."""
        return await self._send(protocol.build_gpu_pool_call())

    async def live(self) -> LiveView:
        """What goes on now: slots, lanes, the verdicts of the last seconds, and what ended last."""
        return await self._send(protocol.build_live_call())

    async def languages(self) -> list[LanguageInfo]:
        return await self._send(ApiCall("GET", "/languages", LANGUAGES_ADAPTER))

    async def ready(self) -> Readiness:
        """Whether submissions would be served now; not being ready is an answer, not an error."""
        return await self._send(protocol.build_readiness_call())

    async def _send(self, call: ApiCall[Answer]) -> Answer:
        async with self._gate.reserve(call.item_count):
            answer = await self._send_with_retries(call)
        self._gate.record_answer(call.item_count, protocol.find_longest_queue_time_s(answer))
        return answer

    async def _send_with_retries(self, call: ApiCall[Answer]) -> Answer:
        for attempt in range(self._retries.attempts):
            try:
                response = await self._http.request(call.method, call.path, content=call.body, headers=call.headers)
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
                await asyncio.sleep(self._retries.delay_s(attempt, getattr(failure, "retry_after_s", 0.0)))
        raise failure

    async def _stream_results(
        self,
        kind: str,
        requests: Iterable[Any] | AsyncIterable[Any],
        result: type[Result],
        on_progress: Progress | None,
        key: str,
    ) -> AsyncIterator[tuple[int, Result]]:
        """Piece by piece, as many at a time as the window has room for."""
        done, total = 0, congestion.count_items(requests)
        arrivals: asyncio.Queue[tuple[int, Result] | None] = asyncio.Queue()
        feeding = asyncio.create_task(self._feed_results(arrivals, kind, requests, result, key))
        feeding.add_done_callback(lambda _: arrivals.put_nowait(None))
        try:
            while (pair := await arrivals.get()) is not None:
                done += 1
                if on_progress is not None:
                    on_progress(done, total)
                yield pair
            await feeding
        finally:
            feeding.cancel()
            await asyncio.wait([feeding])

    async def _feed_results(
        self,
        arrivals: asyncio.Queue[tuple[int, Result] | None],
        kind: str,
        requests: Iterable[Any] | AsyncIterable[Any],
        result: type[Result],
        key: str,
    ) -> None:
        async def send(stream: BatchStream[Result]) -> None:
            async with self._gate.reserve(len(stream.pending)):
                async for pair in self._stream_batch(stream):
                    self._gate.record_answer(1, pair[1].queue_time_s)
                    arrivals.put_nowait(pair)

        try:
            async with asyncio.TaskGroup() as group:
                number = 0
                async for piece in self._split_requests(kind, requests):
                    group.create_task(send(BatchStream(kind, piece, result, f"{key}-{number}" if key else "")))
                    number += 1
                    async with self._gate.reserve(1):  # reads no further than there is room
                        pass
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None

    async def _split_requests(
        self, kind: str, requests: Iterable[Any] | AsyncIterable[Any]
    ) -> AsyncIterator[dict[int, bytes]]:
        def get_limit() -> float:
            return self._gate.window.limit

        if isinstance(requests, AsyncIterable):
            async for piece in congestion.split_async_into_batches(
                requests, partial(protocol.encode_request, kind), get_limit
            ):
                yield piece
        else:
            for piece in congestion.split_into_batches(requests, partial(protocol.encode_request, kind), get_limit):
                yield piece

    async def _stream_batch(self, stream: BatchStream[Result]) -> AsyncIterator[tuple[int, Result]]:
        while stream.pending:
            try:
                request = self._http.stream("POST", stream.path, content=stream.build_body(), headers=stream.headers)
                async with request as response:
                    if response.status_code != 200:
                        await response.aread()
                        raise protocol.build_error(response)
                    async for line in response.aiter_lines():
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
                await asyncio.sleep(stream.attempts.count_failure(self._retries, failure))


async def pass_results(pairs: AsyncIterator[tuple[int, Result]], on_result: Callable[[int, Result], object]) -> None:
    """Give each result to a function, or to a coroutine function, which is awaited."""
    async for index, result in pairs:
        returned = on_result(index, result)
        if isawaitable(returned):
            await returned
