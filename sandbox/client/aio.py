"""The client for asyncio.

`sync.py` is generated from this file by removing `async` and `await`. Code that cannot be converted in this way is in
`batching` and `async_batching`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import httpx

from sandbox.client import protocol
from sandbox.client.aio_connection import AsyncConnection
from sandbox.client.async_batching import pass_results
from sandbox.client.connection import DEFAULT_URL, Progress
from sandbox.client.protocol import (
    ENDED_STATUSES,
    LANGUAGES_ADAPTER,
    ApiCall,
    Program,
    Submission,
)
from sandbox.client.retries import DEFAULT_RETRIES, PollSchedule, Retries
from sandbox.client.streams import EventStream, JobEvent
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
    from sandbox.schema.environments import EnvironmentInfo, EnvironmentRequest
    from sandbox.schema.gpu import GpuJob, GpuPool, GpuRequest
    from sandbox.schema.hack import HackRequest, HackResult
    from sandbox.schema.health import Readiness
    from sandbox.schema.live import LiveView
    from sandbox.schema.quality import QualityRequest, QualityResult
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
        self._connection = AsyncConnection(url, api_key, timeout_s, connections, retries, transport)
        self._send = self._connection.send
        self._read_stream = self._connection.read_stream

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._connection.close()

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
        return self._connection.stream_results("execute", programs, ExecuteResult, on_progress, idempotency_key)

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
        stream = self._connection.stream_results("verify", submissions, VerifyResult, on_progress, idempotency_key)
        if on_result is None:
            return stream
        return pass_results(stream, on_result)

    async def vote(self, request: VoteRequest | Mapping[str, Any], *, idempotency_key: str = "") -> VoteResult:
        """Run candidates on inputs; return the majority labels, the golden candidate and a labeled test set."""
        return await self._send(protocol.build_vote_call(request, idempotency_key))

    async def quality(self, request: QualityRequest | Mapping[str, Any], *, idempotency_key: str = "") -> QualityResult:
        """Judge right and wrong programs on tests; return how well the tests tell them apart."""
        return await self._send(protocol.build_quality_call(request, idempotency_key))

    async def hack(self, request: HackRequest | Mapping[str, Any], *, idempotency_key: str = "") -> HackResult:
        """Return whether an input is valid and breaks the target; raise InfrastructureError if the service failed."""
        return await self._send(protocol.build_hack_call(request, idempotency_key))

    async def hack_batch(
        self, requests: Sequence[HackRequest | Mapping[str, Any]], *, idempotency_key: str = ""
    ) -> list[HackResult]:
        """Judge many hacks; `breaks` is None if the service failed."""
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
        continues after the last event. To continue an earlier stream, pass the id of its last event as `after`.
        """
        return self._read_stream(EventStream(job_id, after))

    async def gpus(self) -> GpuPool:
        """Return the GPUs, the jobs that hold them, and the latest GPU jobs."""
        return await self._send(protocol.build_gpu_pool_call())

    async def live(self) -> LiveView:
        """Return a live view of the service: slots, lanes, the verdicts of the last seconds and the latest results."""
        return await self._send(protocol.build_live_call())

    async def put_environment(self, name: str, definition: EnvironmentRequest | Mapping[str, Any]) -> EnvironmentInfo:
        """Create or replace an environment; needs a key with the role admin."""
        from sandbox.client.environment_calls import build_put_call

        return await self._send(build_put_call(name, definition))

    async def environment(self, name: str) -> EnvironmentInfo:
        """Return the current version of an environment; raise NotFound if there is none."""
        from sandbox.client.environment_calls import build_get_call

        return await self._send(build_get_call(name))

    async def environments(self) -> list[EnvironmentInfo]:
        """Return all environments by name."""
        from sandbox.client.environment_calls import build_list_call

        answer = await self._send(build_list_call())
        return answer.environments

    async def remove_environment(self, name: str) -> None:
        """Remove an environment; accepted submissions still run in it. Needs a key with the role admin."""
        from sandbox.client.environment_calls import build_remove_call

        await self._send(build_remove_call(name))

    async def languages(self) -> list[LanguageInfo]:
        """Return the languages of the service and their versions."""
        return await self._send(ApiCall("GET", "/languages", LANGUAGES_ADAPTER))

    async def ready(self) -> Readiness:
        """Return the readiness of the service: whether it can run programs now. Not being ready raises no error."""
        return await self._send(protocol.build_readiness_call())
