"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from inspect import isawaitable
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


class AsyncClient:
    """`Client` for asyncio: the same methods, awaited; streams are asynchronous iterators."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout_s: float = 900.0,
        connections: int = 256,
        retries: Retries = PATIENT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._retries = retries
        self._gate = flow.AsyncGate()
        self._http = httpx.AsyncClient(
            base_url=url,
            headers=key_header(api_key),
            timeout=timeout(timeout_s),
            limits=limits(connections),
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
        return await self._send(calls.one("execute", program, ExecuteResult, idempotency_key))

    async def verify(self, submission: Submission, *, idempotency_key: str = "") -> VerifyResult:
        """Judge one program on its tests."""
        return await self._send(calls.one("verify", submission, VerifyResult, idempotency_key))

    async def execute_batch(self, programs: Sequence[Program], *, idempotency_key: str = "") -> list[ExecuteResult]:
        """Run many programs; results in their order."""
        return (await self._send(calls.many("execute", programs, ExecuteBatchResult, idempotency_key))).results

    async def verify_batch(self, submissions: Sequence[Submission], *, idempotency_key: str = "") -> list[VerifyResult]:
        """Judge many programs; results in their order."""
        return (await self._send(calls.many("verify", submissions, VerifyBatchResult, idempotency_key))).results

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
        return self._stream("execute", programs, ExecuteResult, on_progress, idempotency_key)

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
        stream = self._stream("verify", submissions, VerifyResult, on_progress, idempotency_key)
        return stream if on_result is None else hand_over(stream, on_result)

    async def vote(self, request: VoteRequest | Mapping[str, Any], *, idempotency_key: str = "") -> VoteResult:
        """Run candidates on inputs: labels by majority, the golden candidate, and a labelled test set."""
        return await self._send(calls.vote(request, idempotency_key))

    async def reward(self, request: RewardRequest | Mapping[str, Any], *, idempotency_key: str = "") -> RewardResult:
        """Rewards of completions, in their order; None where the service failed."""
        return await self._send(calls.reward(request, idempotency_key))

    async def put_tasks(self, tasks: TaskSet | Mapping[str, Any]) -> TaskSetInfo:
        """Register tasks by name; a reward request then names each as `<id>/<name>`."""
        return await self._send(calls.task_set(tasks))

    async def submit(
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
        return await self._send(calls.later(kind, requests, idempotency_key, callback))

    async def job(self, job_id: str) -> Job:
        """What has become of a submission; raises NotFound."""
        return await self._send(calls.job(job_id))

    async def wait(self, job_id: str, timeout_s: float | None = None) -> Job:
        """The job once it is finished or cancelled; raises TimeoutError."""
        polls = Polls(timeout_s)
        while True:
            job = await self.job(job_id)
            if job.status in ENDED:
                return job
            await asyncio.sleep(polls.next_s(job))

    async def cancel(self, job_id: str) -> Job:
        """Cancel the rest of a job and stop its running programs; raises NotFound."""
        return await self._send(calls.cancellation(job_id))

    async def start(self, kind: str, request: GpuRequest | Mapping[str, Any], *, idempotency_key: str = "") -> GpuJob:
        """Queue a GPU job: generate, train_sft, train_grpo or evaluate; see `wait`."""
        return await self._send(calls.gpu_job(kind, request, idempotency_key))

    async def events(self, job_id: str, *, after: int | None = None) -> AsyncIterator[JobEvent]:
        """What happens to a job, as it happens, until it has ended; raises NotFound.

        A GPU job's state, progress, completions and verdicts. A stream that breaks off is taken up behind the last
        event that came; `after` is the id of the last one that you have from before.
        """
        events = Events(job_id, after)
        while not events.ended:
            try:
                async with self._http.stream("GET", events.path, headers=events.headers()) as response:
                    if response.status_code != 200:
                        await response.aread()
                        raise calls.error_of(response)
                    async for chunk in response.aiter_bytes():
                        for event in events.read(chunk):
                            yield event
                failure: Exception | None = None
            except OUTLIVED as error:
                failure = error
            except httpx.HTTPError as error:
                raise calls.unreachable(error) from error
            if not events.ended:
                await asyncio.sleep(events.tries.delay_s(self._retries, failure))

    async def gpus(self) -> GpuPool:
        """Who holds which GPU, and the latest GPU jobs."""
        return await self._send(calls.gpus())

    async def live(self) -> LiveView:
        """What goes on now: slots, lanes, the verdicts of the last seconds, and what ended last."""
        return await self._send(calls.live())

    async def languages(self) -> list[LanguageInfo]:
        return await self._send(Call("GET", "/languages", LANGUAGES))

    async def ready(self) -> Readiness:
        """Whether submissions would be served now; not being ready is an answer, not an error."""
        return await self._send(calls.readiness())

    async def _send(self, call: Call[Answer]) -> Answer:
        async with self._gate.room(call.items):
            answer = await self._sent(call)
        self._gate.answered(call.items, calls.queue_time_s(answer))
        return answer

    async def _sent(self, call: Call[Answer]) -> Answer:
        for attempt in range(self._retries.attempts):
            try:
                response = await self._http.request(call.method, call.path, content=call.body, headers=call.headers)
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
                await asyncio.sleep(self._retries.delay_s(attempt, getattr(failure, "retry_after_s", 0.0)))
        raise failure

    async def _stream(
        self,
        kind: str,
        requests: Iterable[Any] | AsyncIterable[Any],
        result: type[Result],
        on_progress: Progress | None,
        key: str,
    ) -> AsyncIterator[tuple[int, Result]]:
        """Piece by piece, as many at a time as the window has room for."""
        done, total = 0, flow.number_of(requests)
        arrivals: asyncio.Queue[tuple[int, Result] | None] = asyncio.Queue()
        feeding = asyncio.create_task(self._feed(arrivals, kind, requests, result, key))
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

    async def _feed(
        self,
        arrivals: asyncio.Queue[tuple[int, Result] | None],
        kind: str,
        requests: Iterable[Any] | AsyncIterable[Any],
        result: type[Result],
        key: str,
    ) -> None:
        async def send(stream: Stream[Result]) -> None:
            async with self._gate.room(len(stream.left)):
                async for pair in self._piece(stream):
                    self._gate.answered(1, pair[1].queue_time_s)
                    arrivals.put_nowait(pair)

        try:
            async with asyncio.TaskGroup() as group:
                number = 0
                async for piece in self._pieces(kind, requests):
                    group.create_task(send(Stream(kind, piece, result, f"{key}-{number}" if key else "")))
                    number += 1
                    async with self._gate.room(1):  # reads no further than there is room
                        pass
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None

    async def _pieces(self, kind: str, requests: Iterable[Any] | AsyncIterable[Any]) -> AsyncIterator[dict[int, bytes]]:
        def most() -> float:
            return self._gate.window.limit

        if isinstance(requests, AsyncIterable):
            async for piece in flow.pieces_as_they_come(requests, partial(calls.encoded, kind), most):
                yield piece
        else:
            for piece in flow.pieces(requests, partial(calls.encoded, kind), most):
                yield piece

    async def _piece(self, stream: Stream[Result]) -> AsyncIterator[tuple[int, Result]]:
        while stream.left:
            try:
                request = self._http.stream("POST", stream.path, content=stream.body(), headers=stream.headers)
                async with request as response:
                    if response.status_code != 200:
                        await response.aread()
                        raise calls.error_of(response)
                    async for line in response.aiter_lines():
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
                await asyncio.sleep(stream.tries.delay_s(self._retries, failure))


async def hand_over(pairs: AsyncIterator[tuple[int, Result]], on_result: Callable[[int, Result], object]) -> None:
    """Give each result to a function, or to a coroutine function, which is awaited."""
    async for index, result in pairs:
        told = on_result(index, result)
        if isawaitable(told):
            await told
