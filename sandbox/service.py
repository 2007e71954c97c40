"""The service layer: submit, look up, and cancel work. The API, the CLI, and the GPU pool call it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial

from redis import Redis
from redis.exceptions import RedisError

from sandbox.config import QueueSettings
from sandbox.errors import SandboxError
from sandbox.queue import idempotency, live_view, session_records
from sandbox.queue.admission import Admission, get_caller_id, get_max_stored_bytes, get_owner_filter
from sandbox.queue.connection import connect, translate_redis_errors
from sandbox.queue.environments import Environments, refuse_environments
from sandbox.queue.gpu_environments import bind_gpu_request
from sandbox.queue.gpu_jobs import GpuJobs, is_gpu_job
from sandbox.queue.idempotency import KeyedRequest
from sandbox.queue.intake import Intake
from sandbox.queue.job_store import JobStore
from sandbox.queue.lifecycle import DropReason, LifecycleLog, LifecycleObserver
from sandbox.queue.outage import OutageMonitor, build_readiness, read_slot_reports
from sandbox.queue.quotas import Quotas
from sandbox.queue.runs import UNKNOWN_STEP, RunHistory, build_point
from sandbox.queue.storage_limits import StorageLimiter
from sandbox.queue.submission import Submission, SubmissionRequest, Ticket
from sandbox.queue.task_sets import TaskSets
from sandbox.queue.transit import ItemTransit
from sandbox.rewards.scoring import score_stored_request
from sandbox.schema import Job
from sandbox.schema.callbacks import DeadWebhook
from sandbox.schema.gpu import GpuJob, GpuKind, GpuPool, GpuRequest
from sandbox.schema.health import Readiness
from sandbox.schema.live import LiveHistory, LiveView
from sandbox.schema.reward import RewardRequest, RewardResult, Task, TaskSetInfo
from sandbox.schema.runs import Run, RunSummary
from sandbox.webhooks.queue import WebhookQueue

__all__ = ["Service", "Submission", "SubmissionRequest", "Ticket"]


class Service:
    """The entry point to the queue. Thread-safe. Call `start` before use and `close` afterwards."""

    def __init__(self, settings: QueueSettings) -> None:
        self._settings = settings
        self._observers: list[LifecycleObserver] = [LifecycleLog()]
        self._redis: Redis = connect(settings.effective_redis_url)
        self._storage_limiter = StorageLimiter(self._redis, settings.max_kept_mb)
        self._task_sets = TaskSets(self._redis, settings.task_set_ttl_s, storage_limiter=self._storage_limiter)
        score_rewards = partial(score_stored_request, look_up_tasks=self._task_sets.get)
        self._job_store = JobStore(self._redis, settings.queue_ttl_s, settings.result_ttl_s, score_rewards)
        self._runs = RunHistory(self._redis)
        self._webhook_queue = WebhookQueue(self._redis, self._job_store)
        self._gpu_jobs = GpuJobs(self._redis, settings.queue_ttl_s, settings.result_ttl_s)
        quotas = Quotas(self._redis, settings.queue_ttl_s)
        self._transit = ItemTransit(self._redis, settings, quotas, self._job_store.cancel)
        self._outage_monitor = OutageMonitor(self._redis, settings.lease_s, self._transit.fail_all)
        admission = Admission(quotas, self._storage_limiter, settings.queue_ttl_s, settings.result_ttl_s)
        self.environments = Environments(self._redis, settings.queue_ttl_s, self._storage_limiter)
        self._intake = Intake(
            self._redis, self._transit, self._job_store, admission, self._webhook_queue.enqueue, self.environments
        )
        self._take_in = translate_redis_errors(self._intake.submit)

    def add_observer(self, observer: LifecycleObserver) -> None:
        """Also report the submissions of this process to `observer`."""
        self._observers.append(observer)

    def start(self) -> None:
        self._outage_monitor.start()
        self._transit.start()
        self._storage_limiter.start()

    def close(self) -> None:
        self._outage_monitor.close()
        self._transit.close()
        self._storage_limiter.close()
        self._redis.close()

    def submit(self, submission: Submission) -> Ticket:
        """Queue a submission and return its ticket.

        Until an idempotency key expires, repeating the same request returns the ticket of the first submission. A
        different request with that key raises `errors.IdempotencyKeyReused`. Also raises `errors.UnknownLanguage`, a
        subclass of `errors.Refused`, `errors.QueueUnavailable`, or, if the client waits for the result and no worker
        can run programs, `errors.CannotRun`.
        """
        try:
            submission.check(self._outage_monitor.missing_languages)
            if self._outage_monitor.lacks_environments:
                refuse_environments(submission)
            ticket = self._take_in(submission, self._outage_monitor.reason)
        except SandboxError as error:
            for observer in self._observers:
                observer.record_refused(error)
            raise
        for observer in self._observers:
            observer.record_accepted(submission, ticket.id)
        return ticket

    @translate_redis_errors
    def get_job(self, job_id: str) -> Job:
        """Return the state of a stored submission or GPU job.

        Raises `errors.NotFound` or `errors.QueueUnavailable`.
        """
        jobs = self._gpu_jobs if is_gpu_job(job_id) else self._job_store
        return jobs.get_job(job_id, get_owner_filter())

    @translate_redis_errors
    def cancel(self, job_id: str) -> Job:
        """Cancel the unfinished items of a job, stop its running programs, and return its state.

        Raises `errors.NotFound` or `errors.QueueUnavailable`.
        """
        if is_gpu_job(job_id):
            job: Job = self._gpu_jobs.cancel(job_id, get_owner_filter())
        else:
            if self.get_job(job_id).result is None:
                self._intake.cancel(job_id)
            job = self.get_job(job_id)
        self._record_dropped("cancelled")
        return job

    @translate_redis_errors
    def abandon(self, ticket: Ticket) -> None:
        """Cancel the unfinished items of a synchronous submission whose client disconnected."""
        self._record_dropped("abandoned")
        self._transit.abandon(ticket)

    def _record_dropped(self, reason: DropReason) -> None:
        for observer in self._observers:
            observer.record_dropped(reason)

    @translate_redis_errors
    def put_tasks(self, set_id: str, body: bytes) -> TaskSetInfo:
        """Register a task set's JSON under its SHA-256.

        Raises `errors.BadRequest`, `errors.StorageFull`, `errors.StorageQuotaExceeded` or `errors.QueueUnavailable`.
        """
        return self._task_sets.put(set_id, body, get_caller_id(), get_max_stored_bytes())

    @translate_redis_errors
    def get_task_set(self, set_id: str) -> TaskSetInfo:
        """Return the id and size of a registered task set. Raises `errors.NotFound` or `errors.QueueUnavailable`."""
        return self._task_sets.get_info(set_id)

    @translate_redis_errors
    def get_tasks(self, references: Sequence[str]) -> Mapping[str, Task]:
        """Return the tasks for references of the form `<set>/<name>`.

        Raises `errors.NotFound` or `errors.QueueUnavailable`.
        """
        return self._task_sets.get(references)

    @translate_redis_errors
    def list_dead_webhooks(self) -> list[DeadWebhook]:
        """Return the webhooks that could not be delivered, latest first. Raises `errors.QueueUnavailable`."""
        return self._webhook_queue.list_dead()

    @translate_redis_errors
    def requeue_webhook(self, webhook_id: str) -> None:
        """Queue a dead webhook for delivery again. Raises `errors.NotFound` or `errors.QueueUnavailable`."""
        self._webhook_queue.requeue(webhook_id)

    @translate_redis_errors
    def start_gpu_job(self, kind: GpuKind, request: GpuRequest, idempotency_key: str = "") -> GpuJob:
        """Queue a GPU job. Until the idempotency key expires, repeating the same request returns the first job.

        Raises `errors.IdempotencyKeyReused`, `errors.UnknownEnvironment`, `errors.BadRequest` or
        `errors.QueueUnavailable`.
        """
        keyed = KeyedRequest.create(get_caller_id(), idempotency_key, ["gpu", kind.value], [request])
        if keyed is None or not idempotency.find_submission(self._redis, keyed):
            request = bind_gpu_request(self.environments, request, not self._outage_monitor.lacks_environments)
        self._storage_limiter.check_room(len(request.model_dump_json(exclude_unset=True)))
        return self._gpu_jobs.submit(kind, request, get_caller_id(), keyed)

    @translate_redis_errors
    def read_gpu_events(self, job_id: str, start: int) -> list[bytes]:
        """Return a GPU job's events from number `start` onward, as JSON; return an empty list for other jobs.

        Raises `errors.NotFound` or `errors.QueueUnavailable`.
        """
        return self._gpu_jobs.read_events(job_id, start, get_owner_filter()) if is_gpu_job(job_id) else []

    @translate_redis_errors
    def get_gpu_pool(self) -> GpuPool:
        """Return the current GPU leases and the latest GPU jobs. Raises `errors.QueueUnavailable`."""
        return self._gpu_jobs.get_pool()

    def get_missing_languages(self) -> frozenset[str]:
        """Return the languages that no worker could run at the last check."""
        return self._outage_monitor.missing_languages

    def check_readiness(self) -> Readiness:
        """Check Redis and the workers now, and return whether the service can run programs."""
        try:
            reports = read_slot_reports(self._redis, self._settings.lease_s)
            oldest_s = live_view.read_oldest_s(self._redis, time.time())
            session_hosts = session_records.count_hosts(self._redis, self._settings.lease_s)
        except RedisError as error:
            return Readiness(False, 0, problems=[f"Redis does not respond: {error}"])
        waiting = self._transit.sender.count_waiting()
        return build_readiness(reports, waiting, oldest_s, self._storage_limiter, session_hosts)

    def record_rewards(self, request: RewardRequest, result: RewardResult, took_s: float) -> None:
        """Add the rewards of a request that names a run to the run's history. Raises nothing."""
        if request.run is not None:
            step = UNKNOWN_STEP if request.step is None else request.step
            self._runs.record(get_caller_id(), request.run, build_point(result, step, time.time(), took_s))

    @translate_redis_errors
    def list_runs(self) -> list[RunSummary]:
        """Return the caller's latest training runs. Raises `errors.QueueUnavailable`."""
        return self._runs.list_latest(get_owner_filter())

    @translate_redis_errors
    def get_run(self, run_id: str, max_points: int) -> Run:
        """Return the history of a training run. Raises `errors.NotFound` or `errors.QueueUnavailable`."""
        return self._runs.get(run_id, max_points, get_owner_filter())

    @translate_redis_errors
    def get_live_view(self) -> LiveView:
        """Return what is running now and the latest results. Raises `errors.QueueUnavailable`."""
        return live_view.read_live_view(self._redis, self._settings.lease_s, self._transit.sender.count_waiting())

    @translate_redis_errors
    def get_live_history(self, hours: int) -> LiveHistory:
        """Return the verdicts of the last `hours`, 1 to 24. Raises `errors.QueueUnavailable`."""
        return live_view.read_history(self._redis, hours)
