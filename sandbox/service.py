"""Submit, look at and cancel submissions: the one door that the API, the CLI and the GPU pool come through."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from pydantic_core import PydanticSerializationError
from redis import Redis
from redis.exceptions import RedisError

from sandbox import languages
from sandbox.config import QueueSettings
from sandbox.errors import BadRequest, Cancelled, CannotRun, LanguageNotInstalled, SandboxError
from sandbox.languages import Language
from sandbox.queue import idempotency, job_batch, live_view
from sandbox.queue.connection import connect
from sandbox.queue.gpu_jobs import GpuJobs, is_gpu_job
from sandbox.queue.idempotency import KeyedRequest
from sandbox.queue.job_batch import Item
from sandbox.queue.job_store import JobStore, allow_any_owner
from sandbox.queue.outage import OutageMonitor, list_problems, read_slot_reports
from sandbox.queue.payload_files import ExternalizedItems
from sandbox.queue.quotas import Quotas
from sandbox.queue.result_reader import ResultReader
from sandbox.queue.sender import BatchSender
from sandbox.queue.storage_limits import StorageLimiter, submission_member, translate_redis_error
from sandbox.queue.task_sets import TaskSets
from sandbox.request_context import CURRENT_CALLER, CURRENT_REQUEST_IDS, generate_id
from sandbox.rewards.plan import score_stored_request
from sandbox.schema import (
    AssertTest,
    ExecuteRequest,
    FunctionTest,
    InteractiveChecker,
    Job,
    Lane,
    ProgramChecker,
    PytestTest,
    VerifyRequest,
)
from sandbox.schema.callbacks import Callback, DeadWebhook
from sandbox.schema.gpu import GpuJob, GpuKind, GpuPool, GpuRequest
from sandbox.schema.health import Readiness
from sandbox.schema.live import LiveView
from sandbox.schema.reward import RewardRequest, Task, TaskSetInfo
from sandbox.schema.submissions import SubmissionKind
from sandbox.schema.vote import VoteRequest
from sandbox.webhooks.queue import WebhookQueue

__all__ = ["Service", "SubmissionRequest", "Ticket"]

logger = logging.getLogger(__name__)

SubmissionRequest = ExecuteRequest | VerifyRequest | VoteRequest
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Ticket:
    """A submission that was accepted: its id, and for each item the future of its result as JSON bytes.

    A future fails with `errors.Cancelled` or another `errors.SandboxError`. Items of a batch have the ids
    `<id>.<index>`.
    """

    id: str
    results: list[Future[bytes]] = field(default_factory=list)
    client: str = ""


class Service:
    """Thread-safe; `start` before use, `close` after."""

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

    def submit(
        self,
        kind: SubmissionKind,
        requests: Sequence[SubmissionRequest],
        *,
        durable: bool = False,
        batch: bool = False,
        idempotency_key: str = "",
        callback: Callback | None = None,
        reward: RewardRequest | None = None,
    ) -> Ticket:
        """Queue requests. `durable`: the results are kept for `/jobs`, and the ticket has no futures.

        A `callback` is for what is durable. With `reward`, whose programs the requests are, a durable batch's result is
        its rewards; it alone may be without requests.

        Raises `errors.UnknownLanguage`, a subclass of `errors.Refused`, `errors.QueueUnavailable`, or
        `errors.CannotRun` where somebody would wait for a result although no worker can run programs. The same
        idempotency key with the same request returns the first submission's ticket within the key's life; with another
        request it raises `errors.IdempotencyKeyReused`.
        """
        # A reward batch with one program in a missing language has rewards for the others.
        missing = self._outage_monitor.missing_languages if reward is None else frozenset()
        for position, request in enumerate(requests):
            _check_request(request, position if batch else None, missing)
        keyed = None
        if idempotency_key:
            route = ["reward" if reward is not None else kind, "batch" if batch else "one"]
            asked = [*(requests if reward is None else [reward]), *([] if callback is None else [callback])]
            keyed = KeyedRequest.create(
                _get_caller_id(), idempotency_key, idempotency.compute_fingerprint(route, asked)
            )
        submission = generate_id()
        try:
            if keyed is not None and (first := idempotency.find_submission(self._redis, keyed)):
                return self._join_existing(first, durable)
            if not durable and self._outage_monitor.reason:
                raise CannotRun("no worker can run programs now")
            self._storage_limiter.admit()
            if durable or keyed is not None:
                return self._submit_stored(kind, submission, requests, durable, batch, keyed, callback, reward)
        except RedisError as error:
            raise translate_redis_error(error) from error
        return self._submit_awaited(kind, submission, requests, batch)

    def get_job(self, job_id: str) -> Job:
        """The state of a kept submission or GPU job. Raises `errors.NotFound` or `errors.QueueUnavailable`."""
        owner_filter = _get_owner_filter()
        if is_gpu_job(job_id):
            return _query_redis(lambda: self._gpu_jobs.get_job(job_id, owner_filter))
        return _query_redis(lambda: self._job_store.get_job(job_id, owner_filter))

    def cancel(self, job_id: str) -> Job:
        """Cancel the rest of a job and stop its running programs; raises `errors.NotFound` or `QueueUnavailable`."""
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
        """The client of a synchronous submission went away: cancel the rest of it."""
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
        return _query_redis(lambda: self._task_sets.put(set_id, body, _get_caller_id(), _get_max_stored_bytes()))

    def get_task_set(self, set_id: str) -> TaskSetInfo:
        """What is registered under this id. Raises `errors.NotFound` or `errors.QueueUnavailable`."""
        return _query_redis(lambda: self._task_sets.get_info(set_id))

    def get_tasks(self, references: Sequence[str]) -> Mapping[str, Task]:
        """The tasks of these `<set>/<name>`s. Raises `errors.NotFound` or `errors.QueueUnavailable`."""
        return _query_redis(lambda: self._task_sets.get(references))

    def list_dead_webhooks(self) -> list[DeadWebhook]:
        """The webhooks that were given up, the latest first. Raises `errors.QueueUnavailable`."""
        return _query_redis(self._webhook_queue.list_dead)

    def requeue_webhook(self, webhook_id: str) -> None:
        """Deliver a dead webhook after all. Raises `errors.NotFound` or `errors.QueueUnavailable`."""
        _query_redis(lambda: self._webhook_queue.requeue(webhook_id))

    def start_gpu_job(self, kind: GpuKind, request: GpuRequest, idempotency_key: str = "") -> GpuJob:
        """Queue a GPU job; the same key with the same request within its life returns the first job.

        Raises `errors.IdempotencyKeyReused` or `errors.QueueUnavailable`.
        """
        caller_id, keyed = _get_caller_id(), None
        if idempotency_key:
            fingerprint = idempotency.compute_fingerprint(["gpu", kind.value], [request])
            keyed = KeyedRequest.create(caller_id, idempotency_key, fingerprint)
        _query_redis(lambda: self._storage_limiter.check_room(len(request.model_dump_json(exclude_unset=True))))
        return _query_redis(lambda: self._gpu_jobs.submit(kind, request, caller_id, keyed))

    def read_gpu_events(self, job_id: str, start: int) -> list[bytes]:
        """A GPU job's events from number `start` on, as JSON; other jobs have none.

        Raises `errors.NotFound` or `errors.QueueUnavailable`.
        """
        if not is_gpu_job(job_id):
            return []
        owner_filter = _get_owner_filter()
        return _query_redis(lambda: self._gpu_jobs.read_events(job_id, start, owner_filter))

    def get_gpu_pool(self) -> GpuPool:
        """Leases and latest jobs. Raises `errors.QueueUnavailable`."""
        return _query_redis(self._gpu_jobs.get_pool)

    def get_missing_languages(self) -> frozenset[str]:
        """The languages that no worker can run, as far as is known."""
        return self._outage_monitor.missing_languages

    def check_readiness(self) -> Readiness:
        """One look at Redis and the workers; never raises."""
        try:
            reports = read_slot_reports(self._redis, self._settings.lease_s)
            oldest_s = live_view.read_oldest_s(self._redis, time.time())
        except RedisError as error:
            return Readiness(False, 0, problems=[f"Redis does not answer: {error}"])
        alive = [report for report in reports if not report.is_starting]
        workers = [report.description for report in alive if report.description]
        older = sum(worker.get("reads", 1) < job_batch.FORMAT_VERSION for worker in workers)
        return Readiness(
            ready=any(report.starts_boxes for report in alive)
            and older < len(alive)
            and self._storage_limiter.has_room,
            workers=len(alive),
            queued=self._sender.count_waiting(),
            engine=",".join(sorted({worker["engine"] for worker in workers})),
            missing_walls=sorted({layer for worker in workers for layer in worker["missing_walls"]}),
            problems=[
                *list_problems(reports),
                *_list_version_problems(len(alive), older),
                *self._storage_limiter.list_problems(),
            ],
            oldest_s=oldest_s,
            waiting_for_box_s=round(max((report.box_wait_s for report in reports), default=0.0), 3),
            storage_bytes=self._storage_limiter.describe_usage(),
        )

    def get_live_view(self) -> LiveView:
        """What goes on now and what ended last. Raises `errors.QueueUnavailable`."""
        return _query_redis(
            lambda: live_view.read_live_view(self._redis, self._settings.lease_s, self._sender.count_waiting())
        )

    def _submit_awaited(
        self, kind: SubmissionKind, submission: str, requests: Sequence[SubmissionRequest], batch: bool
    ) -> Ticket:
        items = self._build_items(submission, requests, batch, stored=False)
        client = self._admit(items)
        futures = self._result_reader.expect([item_id for item_id, _ in items])
        _log_accepted(submission, kind, requests[0].priority, len(items))
        try:
            self._sender.accept(requests[0].priority, items, client)
        except SandboxError as error:
            self._release(client, items)
            self._result_reader.fail([item_id for item_id, _ in items], error)
            self._externalized.forget(item_id for item_id, _ in items)
            raise
        return Ticket(submission, futures, client)

    def _fail_all_waiting(self, reason: str) -> None:
        """Tell all clients that wait; what is kept stays in the queue. Raises RedisError or SandboxError."""
        expected = self._result_reader.list_expected()
        if not expected:
            return
        unsent = self._sender.withdraw_all()
        dropped = [item_id for item_id, stored in expected.items() if not stored]
        self._sender.mark_answered(dropped)
        self._result_reader.fail(expected, CannotRun("no worker can run programs now"))
        self._externalized.forget(dropped)
        logger.warning("clients were told that nothing runs", extra={"items": len(expected), "reason": reason})
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
        """A worker has no access to this item's large texts: send it again with them in it."""
        self._sender.mark_answered([item_id])
        item = self._externalized.take_original(item_id)
        if item is None:
            return
        try:
            request = item.verify or item.execute
            lane = Lane.DEFAULT if request is None else request.priority
            self._sender.accept(lane, [(item_id, _encode_item(item))], item.client)
        except SandboxError as error:
            self._result_reader.fail([item_id], error)

    def _submit_stored(
        self,
        kind: SubmissionKind,
        submission: str,
        requests: Sequence[SubmissionRequest],
        durable: bool,
        batch: bool,
        keyed: KeyedRequest | None,
        callback: Callback | None,
        reward: RewardRequest | None,
    ) -> Ticket:
        items = self._build_items(submission, requests, batch, stored=True, callback=callback)
        lane = requests[0].priority if reward is None else reward.priority
        client = self._admit(items)
        request_bytes = sum(len(item) for _, item in items)
        try:
            self._charge(submission, request_bytes, reward)
        except (SandboxError, RedisError):
            self._release(client, items)
            raise
        first = self._job_store.create(
            submission,
            kind,
            len(items),
            batch,
            lane,
            client,
            callback,
            reward,
            keyed,
            request_bytes,
            _get_max_stored_bytes(),
        )
        if first != submission:  # a duplicate was faster
            self._release(client, items)
            self._storage_limiter.release(submission_member(submission))
            return self._join_existing(first, durable)
        if not items:
            if callback is not None:
                self._webhook_queue.enqueue(submission)
            return Ticket(submission)
        ticket = Ticket(submission) if durable else self._join_existing(submission, durable)
        _log_accepted(submission, kind, lane, len(items))
        try:
            self._job_store.record_first_batch(submission, self._sender.send_now(lane, items, client))
        except SandboxError:
            self._release(client, items)
            self._job_store.discard(submission, keyed)
            self._storage_limiter.release(submission_member(submission))
            self._result_reader.fail([item_id for item_id, _ in items], Cancelled("not accepted"))
            raise
        return ticket

    def _admit(self, items: Sequence[tuple[str, bytes]]) -> str:
        """The caller's id after these items were counted against its limits; without a caller an empty string."""
        caller = CURRENT_CALLER.get()
        if caller is None:
            return ""
        self._quotas.admit(caller, [item_id for item_id, _ in items])
        return caller.id

    def _charge(self, submission: str, request_bytes: int, reward: RewardRequest | None) -> None:
        """Count what this submission makes Redis keep, until it expires."""
        size = request_bytes + (0 if reward is None else len(reward.model_dump_json(exclude_unset=True)))
        life_s = self._settings.queue_ttl_s + self._settings.result_ttl_s
        self._storage_limiter.charge(
            submission_member(submission), _get_caller_id(), size, life_s, _get_max_stored_bytes()
        )

    def _release(self, client: str, items: Sequence[tuple[str, bytes]]) -> None:
        """Take back what `_admit` counted."""
        if client:
            self._quotas.release(client, [item_id for item_id, _ in items])

    def _join_existing(self, submission: str, durable: bool) -> Ticket:
        """A ticket for a submission that is kept already; its results come from the ledger or by mail."""
        if durable:
            return Ticket(submission)
        record = self._job_store.get_record(submission)
        ids = record.item_ids
        futures = self._result_reader.expect(ids, stored=True)
        for index, result in self._job_store.read_results(submission, self._result_reader.reader_id).items():
            self._result_reader.resolve(ids[index], result)
        if record.is_cancelled:
            self._result_reader.fail(ids, Cancelled("the job was cancelled"))
        return Ticket(submission, futures)

    def _build_items(
        self,
        submission: str,
        requests: Sequence[SubmissionRequest],
        batch: bool,
        stored: bool,
        callback: Callback | None = None,
    ) -> list[tuple[str, bytes]]:
        now = time.time()
        called_for: dict[str, Any] = {} if callback is None else {"callback": "item" if callback.each else "batch"}
        reader = "" if stored else self._result_reader.reader_id
        client = _get_caller_id()
        origin = CURRENT_REQUEST_IDS.get()
        items = []
        for position, request in enumerate(requests):
            item = Item(
                submission=submission,
                index=position if batch else None,
                submitted_at=now,
                kept=stored,
                reader=reader,
                client=client,
                request=origin.request_id,
                trace=origin.traceparent,
                execute=request if isinstance(request, ExecuteRequest) else None,
                verify=request if isinstance(request, VerifyRequest) else None,
                vote=request if isinstance(request, VoteRequest) else None,
                **called_for,
            )
            items.append((item.id, _encode_item(item if stored else self._externalize(item))))
        return items

    def _externalize(self, item: Item) -> Item:
        try:
            return self._externalized.externalize(item)
        except RedisError:  # the queue's trouble, and told where the item is sent
            return item


def _get_caller_id() -> str:
    """The id of the API key that the current request came with; empty where there are no keys."""
    caller = CURRENT_CALLER.get()
    return "" if caller is None else caller.id


def _get_max_stored_bytes() -> int:
    """How many bytes may be kept for the current caller; 0: any number."""
    caller = CURRENT_CALLER.get()
    return 0 if caller is None else caller.max_kept_mb << 20


def _get_owner_filter() -> Callable[[str], bool]:
    """Tell whose jobs the current caller may see and cancel."""
    caller = CURRENT_CALLER.get()
    return allow_any_owner if caller is None else caller.may_see


def _encode_item(item: Item) -> bytes:
    """An item as JSON. Raises BadRequest for values that a Python caller can build and JSON cannot carry."""
    try:
        return item.model_dump_json(exclude_unset=True).encode()
    except PydanticSerializationError as error:
        raise BadRequest(f"a value in the request has no form in JSON: {error}") from None


def _log_accepted(submission: str, kind: SubmissionKind, lane: str, items: int) -> None:
    """By this line a request's id is known to be a submission's."""
    logger.info("accepted", extra={"submission": submission, "kind": kind, "lane": lane, "items": items})


def _list_version_problems(workers: int, older: int) -> list[str]:
    if older:
        return [f"{older} of {workers} workers are of an older version and pass on what this one sends: upgrade them"]
    return []


def _query_redis(query: Callable[[], Answer]) -> Answer:
    try:
        return query()
    except RedisError as error:
        raise translate_redis_error(error) from error


def _check_request(request: SubmissionRequest, position: int | None, missing: frozenset[str]) -> None:
    """Raises BadRequest with the field at fault. `missing` are the languages that no worker can run."""
    prefix = "" if position is None else f"items.{position}."
    if isinstance(request, VoteRequest):
        for index, candidate in enumerate(request.candidates):
            _check_language(candidate.language, f"{prefix}candidates.{index}.language", missing)
        return
    language = _check_language(request.language, prefix + "language", missing)
    if not isinstance(request, VerifyRequest):
        return
    if isinstance(request.checker, ProgramChecker | InteractiveChecker):
        _check_language(request.checker.language, f"{prefix}checker.language", missing)
    if not language.forked:
        for index, test in enumerate(request.tests):
            if isinstance(test, FunctionTest | AssertTest | PytestTest):
                raise BadRequest(
                    "function, assert and pytest tests are for python alone", field=f"{prefix}tests.{index}"
                )


def _check_language(name: str, field: str, missing: frozenset[str]) -> Language:
    try:
        language = languages.get_language(name)
    except BadRequest as error:
        error.field = field
        raise
    if language.name in missing:
        raise LanguageNotInstalled(
            f"{language.name} is not installed: run `sandbox images build {language.image}` on the workers' hosts, or, "
            "with the local engine, install its commands there",
            field,
        )
    return language
