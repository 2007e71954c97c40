"""A fake service that answers from memory, for tests of the API."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from sandbox import languages
from sandbox.api.openapi.examples import EXAMPLES
from sandbox.errors import BadRequest, NotFound, SandboxError
from sandbox.queue.environments import Environments, StoredEnvironment
from sandbox.queue.lifecycle import LifecycleObserver
from sandbox.queue.submission import Submission, SubmissionRequest, Ticket
from sandbox.schema import Job, JobStatus
from sandbox.schema.callbacks import Callback, DeadWebhook
from sandbox.schema.environments import EnvironmentInfo, EnvironmentRequest
from sandbox.schema.gpu import GpuJob, GpuKind, GpuLease, GpuPool, GpuRequest
from sandbox.schema.hack import HackRequest
from sandbox.schema.health import Readiness
from sandbox.schema.live import LiveHistory, LiveView
from sandbox.schema.reward import RewardRequest, RewardResult, Task, TaskSet, TaskSetInfo
from sandbox.schema.runs import Run, RunSummary
from sandbox.schema.submissions import SubmissionKind
from sandbox.schema.vote import VoteRequest
from sandbox.service import Service


@dataclass
class SubmitCall:
    """The arguments of one call of `submit`."""

    kind: SubmissionKind
    requests: list[SubmissionRequest]
    durable: bool
    batch: bool
    idempotency_key: str
    ticket: Ticket
    callback: Callback | None = None
    reward: RewardRequest | None = None


@dataclass
class FakeService(Service):
    """A service without Redis.

    It returns results at once, unless `held`: then the test sets them from a thread, as the real service does.
    """

    held: bool = False
    refusal: SandboxError | Exception | None = None
    failure: SandboxError | None = None
    reported_readiness: Readiness = field(
        default_factory=lambda: Readiness(True, 2, {"rl": 0, "default": 3, "bulk": 0}, "docker")
    )
    unavailable_languages: frozenset[str] = frozenset()
    live_view: LiveView = field(default_factory=lambda: LiveView(at=0.0, slots=[], lanes=[], seconds=[], recent=[]))
    submissions: list[SubmitCall] = field(default_factory=list)
    abandoned: list[str] = field(default_factory=list)
    jobs: dict[str, Job] = field(default_factory=dict)
    gpu_requests: list[GpuRequest] = field(default_factory=list)
    gpu_leases: list[GpuLease] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    dead_letters: list[DeadWebhook] = field(default_factory=list)
    task_sets: dict[str, TaskSet] = field(default_factory=dict)
    environments: FakeEnvironments = field(default_factory=lambda: FakeEnvironments())
    # Used instead of `result_bytes`.
    results: Callable[[SubmissionRequest], dict[str, Any]] | None = None
    changed: threading.Condition = field(default_factory=threading.Condition)
    observers: list[LifecycleObserver] = field(default_factory=list)
    recorded_runs: list[str | None] = field(default_factory=list)

    def add_observer(self, observer: LifecycleObserver) -> None:
        self.observers.append(observer)

    def _refuse(self) -> None:
        """Raise the refusal, if there is one, and report it to the observers."""
        if self.refusal is not None:
            for observer in self.observers:
                if isinstance(self.refusal, SandboxError):
                    observer.record_refused(self.refusal)
            raise self.refusal

    def submit(self, submission: Submission) -> Ticket:
        for position, request in enumerate(submission.requests):
            _check_language(request, position if submission.batch else None)
        self._refuse()
        results: list[Future[bytes]] = [] if submission.durable else [Future() for _ in submission.requests]
        ticket = Ticket(f"job{len(self.submissions)}", results)
        if submission.durable:
            self.jobs[ticket.id] = Job(id=ticket.id, status=JobStatus.QUEUED, position=0)
        with self.changed:
            self.submissions.append(
                SubmitCall(
                    submission.kind,
                    list(submission.requests),
                    submission.durable,
                    submission.batch,
                    submission.idempotency_key,
                    ticket,
                    submission.callback,
                    submission.reward,
                )
            )
            self.changed.notify_all()
        for observer in self.observers:
            observer.record_accepted(submission, ticket.id)
        if not self.held:
            threading.Thread(target=self._set_all_results, args=(self.submissions[-1],)).start()
        return ticket

    def get_job(self, job_id: str) -> Job:
        try:
            return self.jobs[job_id]
        except KeyError:
            raise NotFound(f"no job {job_id}") from None

    def cancel(self, job_id: str) -> Job:
        self.jobs[job_id] = self.get_job(job_id).model_copy(update={"status": JobStatus.CANCELLED, "position": None})
        return self.jobs[job_id]

    def abandon(self, ticket: Ticket) -> None:
        with self.changed:
            self.abandoned.append(ticket.id)
            self.changed.notify_all()

    def get_missing_languages(self) -> frozenset[str]:
        return self.unavailable_languages

    def check_readiness(self) -> Readiness:
        return self.reported_readiness

    def start_gpu_job(self, kind: GpuKind, request: GpuRequest, idempotency_key: str = "") -> GpuJob:
        self._refuse()
        job = GpuJob(id=f"gpu-{idempotency_key or len(self.jobs)}", kind=kind, status=JobStatus.QUEUED, position=0)
        self.gpu_requests.append(request)
        self.jobs[job.id] = job
        return job

    def read_gpu_events(self, job_id: str, start: int) -> list[bytes]:
        return self.events[start:]

    def get_gpu_pool(self) -> GpuPool:
        self._refuse()
        return GpuPool(leases=self.gpu_leases, jobs=[job for job in self.jobs.values() if isinstance(job, GpuJob)])

    def list_runs(self) -> list[RunSummary]:
        self._refuse()
        return []

    def get_run(self, run_id: str, max_points: int) -> Run:
        self._refuse()
        raise NotFound(f"there is no run {run_id!r}", field="id")

    def record_rewards(self, request: RewardRequest, result: RewardResult, took_s: float) -> None:
        self.recorded_runs.append(request.run)

    def get_live_history(self, hours: int) -> LiveHistory:
        return LiveHistory(at=3_600.0 * hours, step_s=60, periods=[])

    def get_live_view(self) -> LiveView:
        self._refuse()
        return self.live_view

    def list_dead_webhooks(self) -> list[DeadWebhook]:
        return self.dead_letters

    def requeue_webhook(self, webhook_id: str) -> None:
        left = [each for each in self.dead_letters if each.id != webhook_id]
        if len(left) == len(self.dead_letters):
            raise NotFound(f"no dead webhook {webhook_id}")
        self.dead_letters = left

    def put_tasks(self, set_id: str, body: bytes) -> TaskSetInfo:
        self._refuse()
        if TaskSet.compute_id(body) != set_id:
            raise BadRequest("another hash", field="set")
        self.task_sets[set_id] = TaskSet.model_validate_json(body)
        return self.get_task_set(set_id)

    def get_task_set(self, set_id: str) -> TaskSetInfo:
        if set_id not in self.task_sets:
            raise NotFound(f"no task set {set_id}", field="tasks")
        return TaskSetInfo(id=set_id, tasks=len(self.task_sets[set_id].tasks))

    def get_tasks(self, references: Sequence[str]) -> Mapping[str, Task]:
        found = {}
        for reference in references:
            set_id, _, name = reference.partition("/")
            self.get_task_set(set_id)
            found[reference] = self.task_sets[set_id].tasks[name]
        return found

    def set_result(self, submitted: SubmitCall, index: int) -> None:
        """Set one held result."""
        future = submitted.ticket.results[index]
        if self.failure is not None:
            future.set_exception(self.failure)
        elif self.results is not None:
            future.set_result(
                _dump_json({"id": f"{submitted.ticket.id}.{index}", **self.results(submitted.requests[index])})
            )
        else:
            future.set_result(build_result(submitted.kind, submitted.requests[index], f"{submitted.ticket.id}.{index}"))

    def wait_for_submission(self, number: int = 0) -> SubmitCall:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.submissions) > number, timeout=10)
        return self.submissions[number]

    def wait_for_abandonment(self) -> str:
        with self.changed:
            assert self.changed.wait_for(lambda: self.abandoned, timeout=10)
        return self.abandoned[0]

    def _set_all_results(self, submitted: SubmitCall) -> None:
        for index in reversed(range(len(submitted.ticket.results))):  # out of order, as workers answer
            self.set_result(submitted, index)


class FakeEnvironments(Environments):
    """Keeps environments in memory."""

    def __init__(self) -> None:
        self._stored: dict[str, EnvironmentInfo] = {}

    def put(self, name: str, definition: EnvironmentRequest) -> EnvironmentInfo:
        self._stored[name] = StoredEnvironment(updated_at=0.0, definition=definition).describe(name)
        return self._stored[name]

    def get(self, name: str) -> EnvironmentInfo:
        if name not in self._stored:
            raise NotFound(f"no environment {name!r}", "path.name")
        return self._stored[name]

    def list_all(self) -> list[EnvironmentInfo]:
        return list(self._stored.values())

    def remove(self, name: str) -> None:
        self.get(name)
        del self._stored[name]


def build_result(kind: SubmissionKind, request: SubmissionRequest, result_id: str) -> bytes:
    """Return a result that identifies its request by repeating its code as stdout or message."""
    if isinstance(request, VoteRequest):
        return _dump_json({**EXAMPLES["VoteResult"], "id": result_id})
    if isinstance(request, HackRequest):
        return _dump_json({**EXAMPLES["HackResult"], "id": result_id})
    if kind == "execute":
        return _dump_json({"id": result_id, "status": "ok", "exit_code": 0, "stdout": request.code})
    test = {"verdict": "accepted", "message": request.code}
    return _dump_json({"id": result_id, "verdict": "accepted", "passed": 1, "total": 1, "score": 1.0, "tests": [test]})


def _dump_json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _check_language(request: SubmissionRequest, position: int | None) -> None:
    if isinstance(request, VoteRequest | HackRequest):
        return
    try:
        languages.get_language(request.language)
    except BadRequest as error:
        error.field = "language" if position is None else f"items.{position}.language"
        raise
