"""A client of the REST API, sync and async, with the service's method names and its exceptions.

    with Client("http://127.0.0.1:8080") as client:
        result = client.verify({"language": "python", "code": code, "tests": [{"stdin": "1\\n", "expected": "1\\n"}]})

Where the service has API keys, `api_key` is the client's, by default the environment's SANDBOX_API_KEY. Requests are
the models of `sandbox.schema` or mappings of the same shape. What the API refuses for now (503, 429) and
connections that fail are tried again; a program that was sent twice that way ran twice, and that harms nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from functools import partial
from inspect import isawaitable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, overload

import httpx

from sandbox import flow
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
    callback_fields,
    cancellation,
    encoded,
    error_of,
    gpu_job,
    gpus,
    job,
    later,
    live,
    many,
    one,
    queue_time_s,
    readiness,
    reward,
    task_set,
    unreachable,
    vote,
)
from sandbox.errors import QueueUnavailable, Refused, SandboxError
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

__all__ = ["AsyncClient", "Client", "JobEvent", "Program", "Retries", "Submission"]

DEFAULT_URL = "http://127.0.0.1:8080"

Progress = Callable[[int, int | None], object]
"""Called with the number of results so far, and of all, None where that is not known."""

# What a stream outlives: it asks again for what is missing.
_PASSING = (Refused, QueueUnavailable, *CONNECTION_ERRORS)


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
            headers=_key_header(api_key),
            timeout=_timeout(timeout_s),
            limits=_limits(connections),
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
        return self._send(one("execute", program, ExecuteResult, idempotency_key))

    def verify(self, submission: Submission, *, idempotency_key: str = "") -> VerifyResult:
        """Judge one program on its tests."""
        return self._send(one("verify", submission, VerifyResult, idempotency_key))

    def execute_batch(self, programs: Sequence[Program], *, idempotency_key: str = "") -> list[ExecuteResult]:
        """Run many programs; results in their order."""
        return self._send(many("execute", programs, ExecuteBatchResult, idempotency_key)).results

    def verify_batch(self, submissions: Sequence[Submission], *, idempotency_key: str = "") -> list[VerifyResult]:
        """Judge many programs; results in their order."""
        return self._send(many("verify", submissions, VerifyBatchResult, idempotency_key)).results

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
        return self._send(vote(request, idempotency_key))

    def reward(self, request: RewardRequest | Mapping[str, Any], *, idempotency_key: str = "") -> RewardResult:
        """Rewards of completions, in their order; None where the service failed."""
        return self._send(reward(request, idempotency_key))

    def put_tasks(self, tasks: TaskSet | Mapping[str, Any]) -> TaskSetInfo:
        """Register tasks by name; a reward request then names each as `<id>/<name>`."""
        return self._send(task_set(tasks))

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
        callback = callback_fields(requests, callback_url, callback_for)
        return self._send(later(kind, requests, idempotency_key, callback))

    def job(self, job_id: str) -> Job:
        """What has become of a submission; raises NotFound."""
        return self._send(job(job_id))

    def wait(self, job_id: str, timeout_s: float | None = None) -> Job:
        """The job once it is finished or cancelled; raises TimeoutError."""
        polls = Polls(timeout_s)
        while True:
            job = self.job(job_id)
            if job.status in ENDED:
                return job
            time.sleep(polls.next_s(job_id))

    def cancel(self, job_id: str) -> Job:
        """Cancel what has not run yet; raises NotFound."""
        return self._send(cancellation(job_id))

    def start(self, kind: str, request: GpuRequest | Mapping[str, Any], *, idempotency_key: str = "") -> GpuJob:
        """Queue a GPU job: generate, train_sft, train_grpo or evaluate; see `wait`."""
        return self._send(gpu_job(kind, request, idempotency_key))

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
                        raise error_of(response)
                    for chunk in response.iter_bytes():
                        yield from events.read(chunk)
                failure: Exception | None = None
            except _PASSING as error:
                failure = error
            except httpx.HTTPError as error:
                raise unreachable(error) from error
            if not events.ended:
                time.sleep(events.tries.delay_s(self._retries, failure))

    def gpus(self) -> GpuPool:
        """Who holds which GPU, and the latest GPU jobs."""
        return self._send(gpus())

    def live(self) -> LiveView:
        """What goes on now: slots, lanes, the verdicts of the last seconds, and what ended last."""
        return self._send(live())

    def languages(self) -> list[LanguageInfo]:
        return self._send(Call("GET", "/languages", LANGUAGES))

    def ready(self) -> Readiness:
        """Whether submissions would be served now; not being ready is an answer, not an error."""
        return self._send(readiness())

    def _send(self, call: Call[Answer]) -> Answer:
        with self._gate.room(call.items):
            answer = self._sent(call)
        self._gate.answered(call.items, queue_time_s(answer))
        return answer

    def _sent(self, call: Call[Answer]) -> Answer:
        for attempt in range(self._retries.attempts):
            try:
                response = self._http.request(call.method, call.path, content=call.body, headers=call.headers)
            except CONNECTION_ERRORS as error:
                failure: SandboxError = unreachable(error)
            except httpx.HTTPError as error:
                raise unreachable(error) from error
            else:
                if not call.retries(response):
                    return call.read(response)
                failure = error_of(response)
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
        asked = flow.pieces(requests, partial(encoded, kind), lambda: self._gate.window.limit)
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
                        raise error_of(response)
                    for line in response.iter_lines():
                        if (pair := stream.read(line)) is not None:
                            yield pair
                failure: Exception | None = None
            except _PASSING as error:
                failure = error
                if isinstance(error, Refused):
                    self._gate.refused()
            except httpx.HTTPError as error:
                raise unreachable(error) from error
            if stream.left:
                time.sleep(stream.tries.delay_s(self._retries, failure))


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
            headers=_key_header(api_key),
            timeout=_timeout(timeout_s),
            limits=_limits(connections),
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
        return await self._send(one("execute", program, ExecuteResult, idempotency_key))

    async def verify(self, submission: Submission, *, idempotency_key: str = "") -> VerifyResult:
        """Judge one program on its tests."""
        return await self._send(one("verify", submission, VerifyResult, idempotency_key))

    async def execute_batch(self, programs: Sequence[Program], *, idempotency_key: str = "") -> list[ExecuteResult]:
        """Run many programs; results in their order."""
        return (await self._send(many("execute", programs, ExecuteBatchResult, idempotency_key))).results

    async def verify_batch(self, submissions: Sequence[Submission], *, idempotency_key: str = "") -> list[VerifyResult]:
        """Judge many programs; results in their order."""
        return (await self._send(many("verify", submissions, VerifyBatchResult, idempotency_key))).results

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
        return await self._send(vote(request, idempotency_key))

    async def reward(self, request: RewardRequest | Mapping[str, Any], *, idempotency_key: str = "") -> RewardResult:
        """Rewards of completions, in their order; None where the service failed."""
        return await self._send(reward(request, idempotency_key))

    async def put_tasks(self, tasks: TaskSet | Mapping[str, Any]) -> TaskSetInfo:
        """Register tasks by name; a reward request then names each as `<id>/<name>`."""
        return await self._send(task_set(tasks))

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
        callback = callback_fields(requests, callback_url, callback_for)
        return await self._send(later(kind, requests, idempotency_key, callback))

    async def job(self, job_id: str) -> Job:
        """What has become of a submission; raises NotFound."""
        return await self._send(job(job_id))

    async def wait(self, job_id: str, timeout_s: float | None = None) -> Job:
        """The job once it is finished or cancelled; raises TimeoutError."""
        polls = Polls(timeout_s)
        while True:
            job = await self.job(job_id)
            if job.status in ENDED:
                return job
            await asyncio.sleep(polls.next_s(job_id))

    async def cancel(self, job_id: str) -> Job:
        """Cancel what has not run yet; raises NotFound."""
        return await self._send(cancellation(job_id))

    async def start(self, kind: str, request: GpuRequest | Mapping[str, Any], *, idempotency_key: str = "") -> GpuJob:
        """Queue a GPU job: generate, train_sft, train_grpo or evaluate; see `wait`."""
        return await self._send(gpu_job(kind, request, idempotency_key))

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
                        raise error_of(response)
                    async for chunk in response.aiter_bytes():
                        for event in events.read(chunk):
                            yield event
                failure: Exception | None = None
            except _PASSING as error:
                failure = error
            except httpx.HTTPError as error:
                raise unreachable(error) from error
            if not events.ended:
                await asyncio.sleep(events.tries.delay_s(self._retries, failure))

    async def gpus(self) -> GpuPool:
        """Who holds which GPU, and the latest GPU jobs."""
        return await self._send(gpus())

    async def live(self) -> LiveView:
        """What goes on now: slots, lanes, the verdicts of the last seconds, and what ended last."""
        return await self._send(live())

    async def languages(self) -> list[LanguageInfo]:
        return await self._send(Call("GET", "/languages", LANGUAGES))

    async def ready(self) -> Readiness:
        """Whether submissions would be served now; not being ready is an answer, not an error."""
        return await self._send(readiness())

    async def _send(self, call: Call[Answer]) -> Answer:
        async with self._gate.room(call.items):
            answer = await self._sent(call)
        self._gate.answered(call.items, queue_time_s(answer))
        return answer

    async def _sent(self, call: Call[Answer]) -> Answer:
        for attempt in range(self._retries.attempts):
            try:
                response = await self._http.request(call.method, call.path, content=call.body, headers=call.headers)
            except CONNECTION_ERRORS as error:
                failure: SandboxError = unreachable(error)
            except httpx.HTTPError as error:
                raise unreachable(error) from error
            else:
                if not call.retries(response):
                    return call.read(response)
                failure = error_of(response)
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
            async for piece in flow.pieces_as_they_come(requests, partial(encoded, kind), most):
                yield piece
        else:
            for piece in flow.pieces(requests, partial(encoded, kind), most):
                yield piece

    async def _piece(self, stream: Stream[Result]) -> AsyncIterator[tuple[int, Result]]:
        while stream.left:
            try:
                request = self._http.stream("POST", stream.path, content=stream.body(), headers=stream.headers)
                async with request as response:
                    if response.status_code != 200:
                        await response.aread()
                        raise error_of(response)
                    async for line in response.aiter_lines():
                        if (pair := stream.read(line)) is not None:
                            yield pair
                failure: Exception | None = None
            except _PASSING as error:
                failure = error
                if isinstance(error, Refused):
                    self._gate.refused()
            except httpx.HTTPError as error:
                raise unreachable(error) from error
            if stream.left:
                await asyncio.sleep(stream.tries.delay_s(self._retries, failure))


async def hand_over(pairs: AsyncIterator[tuple[int, Result]], on_result: Callable[[int, Result], object]) -> None:
    """Give each result to a function, or to a coroutine function, which is awaited."""
    async for index, result in pairs:
        told = on_result(index, result)
        if isawaitable(told):
            await told


def _key_header(api_key: str | None) -> dict[str, str]:
    if api_key is None:
        # Imported here: reading settings brings a package along that no call needs.
        from sandbox.config import ClientSettings

        api_key = ClientSettings().api_key
    return {"Authorization": f"Bearer {api_key}"} if api_key else {}


def _timeout(timeout_s: float) -> httpx.Timeout:
    return httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0), pool=None)


def _limits(connections: int) -> httpx.Limits:
    return httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
