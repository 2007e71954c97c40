"""The client for asyncio.

`sync.py` is generated from this file, so everything here must have the same shape without `await`. `batching` and
`async_batching` hold the code that does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence, Sized
from contextlib import aclosing
from functools import partial
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import httpx

from sandbox.client import protocol
from sandbox.client.async_batching import pass_results, split_into_batches, stream_batches
from sandbox.client.congestion import AsyncGate
from sandbox.client.connection import DEFAULT_URL, Progress, build_auth_headers, build_limits, build_timeout
from sandbox.client.protocol import (
    ENDED_STATUSES,
    LANGUAGES_ADAPTER,
    Answer,
    ApiCall,
    Program,
    Result,
    Submission,
)
from sandbox.client.retries import CONNECTION_ERRORS, DEFAULT_RETRIES, RECONNECT_ERRORS, PollSchedule, Retries
from sandbox.client.streams import BatchStream, EventStream, JobEvent, ResumableStream
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
    from sandbox.client.aio_session import AsyncSession
    from sandbox.schema.gpu import GpuJob, GpuPool, GpuRequest
    from sandbox.schema.hack import HackRequest, HackResult
    from sandbox.schema.health import Readiness
    from sandbox.schema.live import LiveView
    from sandbox.schema.reward import RewardRequest, RewardResult, TaskSet, TaskSetInfo
    from sandbox.schema.sessions import SessionInfo, SessionRequest
    from sandbox.schema.submissions import SubmissionKind
    from sandbox.schema.vote import VoteRequest, VoteResult

Part = TypeVar("Part")


class AsyncClient:
    """A client of the REST API that keeps its connections open.

    Use one client for many requests, in any task of one event loop, and close it.
    """

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
        self._gate = AsyncGate()
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
        """Close all connections."""
        await self._http.aclose()

    async def execute(self, program: Program, *, idempotency_key: str = "") -> ExecuteResult:
        """Run one program."""
        return await self._send(protocol.build_single_call("execute", program, ExecuteResult, idempotency_key))

    async def verify(self, submission: Submission, *, idempotency_key: str = "") -> VerifyResult:
        """Judge one program with its tests."""
        return await self._send(protocol.build_single_call("verify", submission, VerifyResult, idempotency_key))

    async def execute_batch(self, programs: Sequence[Program], *, idempotency_key: str = "") -> list[ExecuteResult]:
        """Run many programs; return their results in the same order."""
        call = protocol.build_batch_call("execute", programs, ExecuteBatchResult, idempotency_key)
        answer = await self._send(call)
        return answer.results

    async def verify_batch(self, submissions: Sequence[Submission], *, idempotency_key: str = "") -> list[VerifyResult]:
        """Judge many programs; return their results in the same order."""
        call = protocol.build_batch_call("verify", submissions, VerifyBatchResult, idempotency_key)
        answer = await self._send(call)
        return answer.results

    def execute_stream(
        self,
        programs: Iterable[Program] | AsyncIterable[Program],
        *,
        on_progress: Progress | None = None,
        idempotency_key: str = "",
    ) -> AsyncIterator[tuple[int, ExecuteResult]]:
        """Run many programs; yield each result with its index as soon as it is ready.

        The client calls `on_progress` with the number of results so far and the total, None if it is unknown.
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
        """Judge many programs; yield each result with its index as soon as it is ready.

        With `on_result`, call that function with each index and result instead of yielding them. The client calls
        `on_progress` with the number of results so far and the total, None if it is unknown.
        """
        stream = self._stream_results("verify", submissions, VerifyResult, on_progress, idempotency_key)
        if on_result is None:
            return stream
        return pass_results(stream, on_result)

    async def vote(self, request: VoteRequest | Mapping[str, Any], *, idempotency_key: str = "") -> VoteResult:
        """Run candidates on inputs; return the majority labels, the golden candidate and a labeled test set."""
        return await self._send(protocol.build_vote_call(request, idempotency_key))

    async def hack(self, request: HackRequest | Mapping[str, Any], *, idempotency_key: str = "") -> HackResult:
        """Return whether an input is valid and breaks the target; raise InfrastructureError if the service failed."""
        return await self._send(protocol.build_hack_call(request, idempotency_key))

    async def hack_batch(
        self, requests: Sequence[HackRequest | Mapping[str, Any]], *, idempotency_key: str = ""
    ) -> list[HackResult]:
        """Judge many hacks; `breaks` is None where the service failed."""
        answer = await self._send(protocol.build_hack_batch_call(requests, idempotency_key))
        return answer.results

    async def reward(self, request: RewardRequest | Mapping[str, Any], *, idempotency_key: str = "") -> RewardResult:
        """Return the rewards of completions, in the same order; a reward is None if the service failed."""
        return await self._send(protocol.build_reward_call(request, idempotency_key))

    async def put_tasks(self, tasks: TaskSet | Mapping[str, Any]) -> TaskSetInfo:
        """Register tasks by name; a reward request refers to each as `<id>/<name>`."""
        return await self._send(protocol.build_task_set_call(tasks))

    def session(self, request: SessionRequest | Mapping[str, Any] | None = None, **fields: Any) -> AsyncSession:
        """Return a new session, which opens when it is entered as a context manager.

        `fields` are those of `schema.sessions.SessionRequest`, such as `language`, `files` and `idle_ttl_s`.
        """
        from sandbox.client.aio_session import AsyncSession

        return AsyncSession(self._send, self._read_stream, fields if request is None else request)

    def attach_session(self, session_id: str) -> AsyncSession:
        """Return an open session by its id."""
        from sandbox.client.aio_session import AsyncSession

        return AsyncSession(self._send, self._read_stream, session_id=session_id)

    async def sessions(self) -> list[SessionInfo]:
        """Return the open sessions, the latest first."""
        from sandbox.client.session_calls import build_list_call

        answer = await self._send(build_list_call())
        return answer.sessions

    async def submit(
        self,
        kind: SubmissionKind | Literal["reward"],
        requests: Program
        | Submission
        | Sequence[Program | Submission]
        | RewardRequest
        | VoteRequest
        | HackRequest
        | Sequence[HackRequest],
        *,
        idempotency_key: str = "",
        callback_url: str = "",
        callback_for: Literal["batch", "item"] = "batch",
    ) -> Job:
        """Queue one request, or a sequence of requests as a batch, and return at once; call `wait` for the results.

        The service also sends the result to `callback_url`. With `callback_for="item"` it sends each result of a batch
        as soon as it is ready.
        """
        callback = protocol.build_callback_fields(requests, callback_url, callback_for)
        return await self._send(protocol.build_submit_call(kind, requests, idempotency_key, callback))

    async def job(self, job_id: str) -> Job:
        """Return the current state of a job; raise NotFound if there is no such job."""
        return await self._send(protocol.build_job_call(job_id))

    async def wait(self, job_id: str, timeout_s: float | None = None) -> Job:
        """Wait until the job ends and return it; raise TimeoutError after `timeout_s` seconds."""
        polls = PollSchedule(timeout_s)
        while True:
            job = await self.job(job_id)
            if job.status in ENDED_STATUSES:
                return job
            await asyncio.sleep(polls.compute_pause_s(job))

    async def cancel(self, job_id: str) -> Job:
        """Cancel a job and stop its running programs; raise NotFound if there is no such job."""
        return await self._send(protocol.build_cancel_call(job_id))

    async def start(self, kind: str, request: GpuRequest | Mapping[str, Any], *, idempotency_key: str = "") -> GpuJob:
        """Queue a GPU job of kind generate, train_sft, train_grpo or evaluate; call `wait` for its result."""
        return await self._send(protocol.build_gpu_job_call(kind, request, idempotency_key))

    def events(self, job_id: str, *, after: int | None = None) -> AsyncIterator[JobEvent]:
        """Yield the events of a job as they happen, until it ends; raise NotFound if there is no such job.

        A GPU job has events for its state, progress, completions and verdicts. If the connection breaks, the stream
        continues behind the last event. To continue an earlier stream, pass the id of its last event as `after`.
        """
        return self._read_stream(EventStream(job_id, after))

    async def gpus(self) -> GpuPool:
        """Return the GPUs, the jobs that hold them, and the latest GPU jobs."""
        return await self._send(protocol.build_gpu_pool_call())

    async def live(self) -> LiveView:
        """Return a live view of the service: slots, lanes, the verdicts of the last seconds and the latest results."""
        return await self._send(protocol.build_live_call())

    async def languages(self) -> list[LanguageInfo]:
        """Return the languages of the service and their versions."""
        return await self._send(ApiCall("GET", "/languages", LANGUAGES_ADAPTER))

    async def ready(self) -> Readiness:
        """Return the readiness of the service: whether it can run programs now. Not being ready raises no error."""
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
        """Send the requests in batches as large as the window; each batch has its own idempotency key."""
        done, total = 0, len(requests) if isinstance(requests, Sized) else None
        encode = partial(protocol.encode_request, kind)
        numbers = count()
        batches = (
            BatchStream(kind, batch, result, f"{key}-{next(numbers)}" if key else "")
            async for batch in split_into_batches(requests, encode, lambda: self._gate.window.limit)
        )
        async with aclosing(stream_batches(self._gate, batches, self._read_stream)) as pairs:
            async for pair in pairs:
                done += 1
                if on_progress is not None:
                    on_progress(done, total)
                yield pair

    async def _read_stream(self, stream: ResumableStream[Part]) -> AsyncIterator[Part]:
        """Yield the parts of a streamed response; when the connection breaks, reconnect and ask for the rest."""
        while not stream.ended:
            headers, body = stream.start_request()
            failure: Exception | None = None
            try:
                async with self._http.stream(stream.method, stream.path, content=body, headers=headers) as response:
                    if response.status_code != 200:
                        await response.aread()
                        raise protocol.build_error(response)
                    async for chunk in response.aiter_bytes():
                        for part in stream.parse_chunk(chunk):
                            yield part
            except RECONNECT_ERRORS as error:
                failure = error
                if isinstance(error, Refused):
                    self._gate.record_refusal()
            except httpx.HTTPError as error:
                raise protocol.build_unreachable_error(error) from error
            if not stream.ended:
                await asyncio.sleep(stream.attempts.count_failure(self._retries, failure))
