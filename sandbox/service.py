"""The service layer: submit, look up, and cancel work. The API, the CLI, and the GPU pool call it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from redis import Redis
from redis.exceptions import RedisError

from sandbox.config import QueueSettings
from sandbox.errors import Cancelled, CannotRun
from sandbox.queue import idempotency, live_view
from sandbox.queue.connection import connect
from sandbox.queue.gpu_jobs import GpuJobs, is_gpu_job
from sandbox.queue.idempotency import KeyedRequest
from sandbox.queue.intake import Intake, get_caller_id, get_max_stored_bytes
from sandbox.queue.job_store import JobStore, allow_any_owner
from sandbox.queue.outage import OutageMonitor, build_readiness, read_slot_reports
from sandbox.queue.payload_files import ExternalizedItems
from sandbox.queue.quotas import Quotas
from sandbox.queue.result_reader import ResultReader
from sandbox.queue.sender import BatchSender
from sandbox.queue.storage_limits import StorageLimiter, submission_member, translate_redis_error
from sandbox.queue.submission import Submission, SubmissionRequest, Ticket
from sandbox.queue.task_sets import TaskSets
from sandbox.request_context import CURRENT_CALLER
from sandbox.rewards.scoring import score_stored_request
from sandbox.schema import Job
from sandbox.schema.callbacks import DeadWebhook
from sandbox.schema.gpu import GpuJob, GpuKind, GpuPool, GpuRequest
from sandbox.schema.health import Readiness
from sandbox.schema.live import LiveView
from sandbox.schema.reward import Task, TaskSetInfo
from sandbox.webhooks.queue import WebhookQueue

__all__ = ["Service", "Submission", "SubmissionRequest", "Ticket"]

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")


class Service:
    """The entry point to the queue. Thread-safe. Call `start` before use and `close` afterwards."""

    def __init__(self, settings: QueueSettings) -> None:
        self._settings = settings
        self._redis: Redis = connect(settings.effective_redis_url)
        self._sender = BatchSender(
            self._redis, settings.queue_ttl_s, settings.max_queued, settings.lease_s, settings.max_queued_mb << 20
        )
        self._result_reader = ResultReader(self._redis, self._handle_results, self._resend_with_payload)
        self._externalized = ExternalizedItems(settings.home, self._redis, settings.lease_s)
        self._storage_limiter = StorageLimiter(self._redis, settings.max_kept_mb)
        self._task_sets = TaskSets(self._redis, settings.task_set_ttl_s, storage_limiter=self._storage_limiter)
        self._job_store = JobStore(
            self._redis,
            settings.queue_ttl_s,
            settings.result_ttl_s,
            partial(score_stored_request, look_up_tasks=self._task_sets.get),
        )
        self._webhook_queue = WebhookQueue(self._redis, self._job_store)
        self._quotas = Quotas(self._redis, settings.queue_ttl_s)
        self._gpu_jobs = GpuJobs(self._redis, settings.queue_ttl_s, settings.result_ttl_s)
        self._outage_monitor = OutageMonitor(self._redis, settings.lease_s, self._fail_all_waiting)
        self._intake = Intake(
            self._redis,
            self._sender,
            self._result_reader,
            self._job_store,
            self._quotas,
            self._storage_limiter,
            self._externalized,
            settings.queue_ttl_s + settings.result_ttl_s,
            self._webhook_queue.enqueue,
        )

    def start(self) -> None:
        self._outage_monitor.start()
        self._sender.start()
        self._result_reader.start()
        self._storage_limiter.start()

    def close(self) -> None:
        self._outage_monitor.close()
        self._sender.close()
        self._result_reader.close()
        self._storage_limiter.close()
        self._externalized.close()
        self._redis.close()

    def submit(self, submission: Submission) -> Ticket:
        """Queue a submission and return its ticket.

        Until an idempotency key expires, repeating the same request returns the ticket of the first submission. A
        different request with that key raises `errors.IdempotencyKeyReused`. Also raises `errors.UnknownLanguage`, a
        subclass of `errors.Refused`, `errors.QueueUnavailable`, or, if the client waits for the result and no worker
        can run programs, `errors.CannotRun`.
        """
        submission.check(self._outage_monitor.missing_languages)
        return _query_redis(lambda: self._intake.submit(submission, self._outage_monitor.reason))

    def get_job(self, job_id: str) -> Job:
        """Return the state of a stored submission or GPU job.

        Raises `errors.NotFound` or `errors.QueueUnavailable`.
        """
        owner_filter = _get_owner_filter()
        if is_gpu_job(job_id):
            return _query_redis(lambda: self._gpu_jobs.get_job(job_id, owner_filter))
        return _query_redis(lambda: self._job_store.get_job(job_id, owner_filter))

    def cancel(self, job_id: str) -> Job:
        """Cancel the unfinished items of a job, stop its running programs, and return its state.

        Raises `errors.NotFound` or `errors.QueueUnavailable`.
        """
        if is_gpu_job(job_id):
            owner_filter = _get_owner_filter()
            return _query_redis(lambda: self._gpu_jobs.cancel(job_id, owner_filter))
        job = self.get_job(job_id)
        if job.result is None:
            _query_redis(lambda: self._cancel(job_id))
        return self.get_job(job_id)

    def _cancel(self, job_id: str) -> None:
        self._job_store.cancel(job_id)
        record = self._job_store.get_record(job_id)
        if record.done_count < record.item_count:
            self._storage_limiter.shrink(submission_member(job_id), record.request_bytes, self._settings.result_ttl_s)
            self._job_store.notify_cancelled(record)

    def abandon(self, ticket: Ticket) -> None:
        """Cancel the unfinished items of a synchronous submission whose client disconnected."""
        waiting = [position for position, future in enumerate(ticket.results) if not future.done()]
        ids = {ticket.id, *(f"{ticket.id}.{position}" for position in waiting)}
        sent = self._sender.withdraw(ids)
        if ticket.client:
            self._quotas.release(ticket.client, list(ids - sent))
        if sent:
            try:
                self._job_store.cancel(ticket.id)
            except RedisError as error:
                raise translate_redis_error(error) from error
        self._result_reader.fail(ids, Cancelled("the client went away"))
        self._externalized.forget(ids)

    def put_tasks(self, set_id: str, body: bytes) -> TaskSetInfo:
        """Register a task set's JSON under its SHA-256.

        Raises `errors.BadRequest`, `errors.StorageFull`, `errors.StorageQuotaExceeded` or `errors.QueueUnavailable`.
        """
        return _query_redis(lambda: self._task_sets.put(set_id, body, get_caller_id(), get_max_stored_bytes()))

    def get_task_set(self, set_id: str) -> TaskSetInfo:
        """Return the id and size of a registered task set. Raises `errors.NotFound` or `errors.QueueUnavailable`."""
        return _query_redis(lambda: self._task_sets.get_info(set_id))

    def get_tasks(self, references: Sequence[str]) -> Mapping[str, Task]:
        """Return the tasks for references of the form `<set>/<name>`.

        Raises `errors.NotFound` or `errors.QueueUnavailable`.
        """
        return _query_redis(lambda: self._task_sets.get(references))

    def list_dead_webhooks(self) -> list[DeadWebhook]:
        """Return the webhooks that could not be delivered, latest first. Raises `errors.QueueUnavailable`."""
        return _query_redis(self._webhook_queue.list_dead)

    def requeue_webhook(self, webhook_id: str) -> None:
        """Queue a dead webhook for delivery again. Raises `errors.NotFound` or `errors.QueueUnavailable`."""
        _query_redis(lambda: self._webhook_queue.requeue(webhook_id))

    def start_gpu_job(self, kind: GpuKind, request: GpuRequest, idempotency_key: str = "") -> GpuJob:
        """Queue a GPU job. Until the idempotency key expires, repeating the same request returns the first job.

        Raises `errors.IdempotencyKeyReused` or `errors.QueueUnavailable`.
        """
        caller_id, keyed = get_caller_id(), None
        if idempotency_key:
            fingerprint = idempotency.compute_fingerprint(["gpu", kind.value], [request])
            keyed = KeyedRequest.create(caller_id, idempotency_key, fingerprint)
        _query_redis(lambda: self._storage_limiter.check_room(len(request.model_dump_json(exclude_unset=True))))
        return _query_redis(lambda: self._gpu_jobs.submit(kind, request, caller_id, keyed))

    def read_gpu_events(self, job_id: str, start: int) -> list[bytes]:
        """Return a GPU job's events from number `start` onward, as JSON; return an empty list for other jobs.

        Raises `errors.NotFound` or `errors.QueueUnavailable`.
        """
        if not is_gpu_job(job_id):
            return []
        owner_filter = _get_owner_filter()
        return _query_redis(lambda: self._gpu_jobs.read_events(job_id, start, owner_filter))

    def get_gpu_pool(self) -> GpuPool:
        """Return the current GPU leases and the latest GPU jobs. Raises `errors.QueueUnavailable`."""
        return _query_redis(self._gpu_jobs.get_pool)

    def get_missing_languages(self) -> frozenset[str]:
        """Return the languages that no worker could run at the last check."""
        return self._outage_monitor.missing_languages

    def check_readiness(self) -> Readiness:
        """Check Redis and the workers now, and return whether the service can run programs."""
        try:
            reports = read_slot_reports(self._redis, self._settings.lease_s)
            oldest_s = live_view.read_oldest_s(self._redis, time.time())
        except RedisError as error:
            return Readiness(False, 0, problems=[f"Redis does not respond: {error}"])
        return build_readiness(reports, self._sender.count_waiting(), oldest_s, self._storage_limiter)

    def get_live_view(self) -> LiveView:
        """Return what is running now and the latest results. Raises `errors.QueueUnavailable`."""
        return _query_redis(
            lambda: live_view.read_live_view(self._redis, self._settings.lease_s, self._sender.count_waiting())
        )

    def _fail_all_waiting(self, reason: str) -> None:
        """Fail the requests of all waiting clients; stored submissions stay queued.

        Raises RedisError or SandboxError.
        """
        expected = self._result_reader.list_expected()
        if not expected:
            return
        unsent = self._sender.withdraw_all()
        dropped = [item_id for item_id, stored in expected.items() if not stored]
        self._sender.mark_answered(dropped)
        self._result_reader.fail(expected, CannotRun("no worker can run programs now"))
        self._externalized.forget(dropped)
        logger.warning("failed all waiting requests", extra={"items": len(expected), "reason": reason})
        for client, item_ids in unsent.items():
            if client:
                self._quotas.release(client, item_ids)
        sent = set(dropped).difference(*unsent.values())
        for submission in {item_id.partition(".")[0] for item_id in sent}:
            self._job_store.cancel(submission)

    def _handle_results(self, item_ids: Sequence[str]) -> None:
        self._externalized.forget(item_ids)
        self._sender.mark_answered(item_ids)

    def _resend_with_payload(self, item_id: str) -> None:
        self._sender.mark_answered([item_id])
        if (item := self._externalized.take_original(item_id)) is not None:
            self._intake.resend(item)


def _get_owner_filter() -> Callable[[str], bool]:
    """Return a predicate that tells whether the current caller may see and cancel the jobs of an owner."""
    caller = CURRENT_CALLER.get()
    return allow_any_owner if caller is None else caller.may_see


def _query_redis(query: Callable[[], Answer]) -> Answer:
    try:
        return query()
    except RedisError as error:
        raise translate_redis_error(error) from error
