"""The blocking client, generated from `aio.py` by `python -m tests.client.generate_sync`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import httpx

from sandbox.client import protocol
from sandbox.client.batching import pass_results
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
from sandbox.client.sync_connection import Connection
from sandbox.schema import (
    ExecuteBatchResult,
    ExecuteResult,
    Job,
    LanguageInfo,
    VerifyBatchResult,
    VerifyResult,
)

if TYPE_CHECKING:
    from sandbox.client.sync_session import Session
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


class Client:
    """A client of the REST API that keeps its connections open.

    Use one client for many requests, from any thread, and close it.
    """

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
        self._connection = Connection(url, api_key, timeout_s, connections, retries, transport)
        self._send = self._connection.send
        self._read_stream = self._connection.read_stream

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._connection.close()

    def execute(self, program: Program, *, idempotency_key: str = "") -> ExecuteResult:
        """Run one program."""
        return self._send(protocol.build_single_call("execute", program, ExecuteResult, idempotency_key))

    def verify(self, submission: Submission, *, idempotency_key: str = "") -> VerifyResult:
        """Judge one program with its tests."""
        return self._send(protocol.build_single_call("verify", submission, VerifyResult, idempotency_key))

    def execute_batch(self, programs: Sequence[Program], *, idempotency_key: str = "") -> list[ExecuteResult]:
        """Run many programs; return their results in the same order."""
        call = protocol.build_batch_call("execute", programs, ExecuteBatchResult, idempotency_key)
        answer = self._send(call)
        return answer.results

    def verify_batch(self, submissions: Sequence[Submission], *, idempotency_key: str = "") -> list[VerifyResult]:
        """Judge many programs; return their results in the same order."""
        call = protocol.build_batch_call("verify", submissions, VerifyBatchResult, idempotency_key)
        answer = self._send(call)
        return answer.results

    def execute_stream(
        self,
        programs: Iterable[Program],
        *,
        on_progress: Progress | None = None,
        idempotency_key: str = "",
    ) -> Iterator[tuple[int, ExecuteResult]]:
        """Run many programs; yield each result with its index as soon as it is ready.

        The client calls `on_progress` with the number of results so far and the total, None if it is unknown.
        """
        return self._connection.stream_results("execute", programs, ExecuteResult, on_progress, idempotency_key)

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
        """Judge many programs; yield each result with its index as soon as it is ready.

        With `on_result`, call that function with each index and result instead of yielding them. The client calls
        `on_progress` with the number of results so far and the total, None if it is unknown.
        """
        stream = self._connection.stream_results("verify", submissions, VerifyResult, on_progress, idempotency_key)
        if on_result is None:
            return stream
        pass_results(stream, on_result)
        return None

    def vote(self, request: VoteRequest | Mapping[str, Any], *, idempotency_key: str = "") -> VoteResult:
        """Run candidates on inputs; return the majority labels, the golden candidate and a labeled test set."""
        return self._send(protocol.build_vote_call(request, idempotency_key))

    def quality(self, request: QualityRequest | Mapping[str, Any], *, idempotency_key: str = "") -> QualityResult:
        """Judge right and wrong programs on tests; return how well the tests tell them apart."""
        return self._send(protocol.build_quality_call(request, idempotency_key))

    def hack(self, request: HackRequest | Mapping[str, Any], *, idempotency_key: str = "") -> HackResult:
        """Return whether an input is valid and breaks the target; raise InfrastructureError if the service failed."""
        return self._send(protocol.build_hack_call(request, idempotency_key))

    def hack_batch(
        self, requests: Sequence[HackRequest | Mapping[str, Any]], *, idempotency_key: str = ""
    ) -> list[HackResult]:
        """Judge many hacks; `breaks` is None if the service failed."""
        answer = self._send(protocol.build_hack_batch_call(requests, idempotency_key))
        return answer.results

    def reward(self, request: RewardRequest | Mapping[str, Any], *, idempotency_key: str = "") -> RewardResult:
        """Return the rewards of completions, in the same order; a reward is None if the service failed."""
        return self._send(protocol.build_reward_call(request, idempotency_key))

    def put_tasks(self, tasks: TaskSet | Mapping[str, Any]) -> TaskSetInfo:
        """Register tasks by name; a reward request refers to each as `<id>/<name>`."""
        return self._send(protocol.build_task_set_call(tasks))

    def session(self, request: SessionRequest | Mapping[str, Any] | None = None, **fields: Any) -> Session:
        """Return a new session, which opens when it is entered as a context manager.

        `fields` are those of `schema.sessions.SessionRequest`, such as `language`, `files` and `idle_ttl_s`.
        """
        from sandbox.client.sync_session import Session

        return Session(self._send, self._read_stream, fields if request is None else request)

    def attach_session(self, session_id: str) -> Session:
        """Return an open session by its id."""
        from sandbox.client.sync_session import Session

        return Session(self._send, self._read_stream, session_id=session_id)

    def sessions(self) -> list[SessionInfo]:
        """Return the open sessions, the latest first."""
        from sandbox.client.session_calls import build_list_call

        answer = self._send(build_list_call())
        return answer.sessions

    def submit(
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
        return self._send(protocol.build_submit_call(kind, requests, idempotency_key, callback))

    def job(self, job_id: str) -> Job:
        """Return the current state of a job; raise NotFound if there is no such job."""
        return self._send(protocol.build_job_call(job_id))

    def wait(self, job_id: str, timeout_s: float | None = None) -> Job:
        """Wait until the job ends and return it; raise TimeoutError after `timeout_s` seconds."""
        polls = PollSchedule(timeout_s)
        while True:
            job = self.job(job_id)
            if job.status in ENDED_STATUSES:
                return job
            time.sleep(polls.compute_pause_s(job))

    def cancel(self, job_id: str) -> Job:
        """Cancel a job and stop its running programs; raise NotFound if there is no such job."""
        return self._send(protocol.build_cancel_call(job_id))

    def start(self, kind: str, request: GpuRequest | Mapping[str, Any], *, idempotency_key: str = "") -> GpuJob:
        """Queue a GPU job of kind generate, train_sft, train_grpo or evaluate; call `wait` for its result."""
        return self._send(protocol.build_gpu_job_call(kind, request, idempotency_key))

    def events(self, job_id: str, *, after: int | None = None) -> Iterator[JobEvent]:
        """Yield the events of a job as they happen, until it ends; raise NotFound if there is no such job.

        A GPU job has events for its state, progress, completions and verdicts. If the connection breaks, the stream
        continues after the last event. To continue an earlier stream, pass the id of its last event as `after`.
        """
        return self._read_stream(EventStream(job_id, after))

    def gpus(self) -> GpuPool:
        """Return the GPUs, the jobs that hold them, and the latest GPU jobs."""
        return self._send(protocol.build_gpu_pool_call())

    def live(self) -> LiveView:
        """Return a live view of the service: slots, lanes, the verdicts of the last seconds and the latest results."""
        return self._send(protocol.build_live_call())

    def put_environment(self, name: str, definition: EnvironmentRequest | Mapping[str, Any]) -> EnvironmentInfo:
        """Create or replace an environment; needs a key with the role admin."""
        from sandbox.client.environment_calls import build_put_call

        return self._send(build_put_call(name, definition))

    def environment(self, name: str) -> EnvironmentInfo:
        """Return the current version of an environment; raise NotFound if there is none."""
        from sandbox.client.environment_calls import build_get_call

        return self._send(build_get_call(name))

    def environments(self) -> list[EnvironmentInfo]:
        """Return all environments by name."""
        from sandbox.client.environment_calls import build_list_call

        answer = self._send(build_list_call())
        return answer.environments

    def remove_environment(self, name: str) -> None:
        """Remove an environment; accepted submissions still run in it. Needs a key with the role admin."""
        from sandbox.client.environment_calls import build_remove_call

        self._send(build_remove_call(name))

    def languages(self) -> list[LanguageInfo]:
        """Return the languages of the service and their versions."""
        return self._send(ApiCall("GET", "/languages", LANGUAGES_ADAPTER))

    def ready(self) -> Readiness:
        """Return the readiness of the service: whether it can run programs now. Not being ready raises no error."""
        return self._send(protocol.build_readiness_call())
