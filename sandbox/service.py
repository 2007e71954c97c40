"""Submit, look at and cancel submissions: the one door that the API, the CLI and the GPU pool come through."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic_core import PydanticSerializationError
from redis import Redis
from redis.exceptions import RedisError

from sandbox import languages
from sandbox.caller import CALLER
from sandbox.config import QueueSettings
from sandbox.errors import BadRequest, Cancelled, CannotRun, LanguageNotInstalled, SandboxError
from sandbox.ids import new_id
from sandbox.jobs import envelope, idempotency, watching
from sandbox.jobs.connection import connect
from sandbox.jobs.envelope import Item, Kind
from sandbox.jobs.gpu_jobs import GpuJobs, is_gpu_job
from sandbox.jobs.idempotency import KeyedRequest
from sandbox.jobs.ledger import Ledger, anybody
from sandbox.jobs.mailbox import Mailbox
from sandbox.jobs.outage import OutageWatch, problems, slot_reports
from sandbox.jobs.outbox import Outbox
from sandbox.jobs.postman import Postman
from sandbox.jobs.quotas import Quotas
from sandbox.jobs.spool import SpooledItems
from sandbox.jobs.storage import Storage, of_submission, refusal_of
from sandbox.jobs.tasksets import TaskSets
from sandbox.languages import Language
from sandbox.origin import ORIGIN
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
from sandbox.schema.live import LiveView
from sandbox.schema.reward import RewardRequest, Task, TaskSetInfo
from sandbox.schema.vote import VoteRequest

__all__ = ["Kind", "Readiness", "Request", "Service", "Ticket"]

logger = logging.getLogger(__name__)

Request = ExecuteRequest | VerifyRequest | VoteRequest
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


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether submissions would be served now, and what stands in the way.

    `waiting_for_box_s` is the longest time that a worker has been waiting for a box to start.
    """

    ready: bool
    workers: int
    queued: dict[str, int] = field(default_factory=dict)
    engine: str = ""
    missing_walls: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    oldest_s: dict[str, float] = field(default_factory=dict)
    waiting_for_box_s: float = 0.0
    storage_bytes: dict[str, int] = field(default_factory=dict)


class Service:
    """Thread-safe; `start` before use, `close` after."""

    def __init__(self, settings: QueueSettings) -> None:
        self._settings = settings
        self._redis: Redis = connect(settings.effective_redis_url)
        self._postman = Postman(
            self._redis, settings.queue_ttl_s, settings.max_queued, settings.lease_s, settings.max_queued_mb << 20
        )
        self._mailbox = Mailbox(self._redis, self._answered, self._send_whole)
        self._spooled = SpooledItems(settings.home, self._redis, settings.lease_s)
        self._storage = Storage(self._redis, settings.max_kept_mb)
        self._task_sets = TaskSets(self._redis, settings.task_set_ttl_s, store=self._storage)
        self._ledger = Ledger(self._redis, settings.queue_ttl_s, settings.result_ttl_s, self._task_sets.get)
        self._outbox = Outbox(self._redis, self._ledger)
        self._quotas = Quotas(self._redis, settings.queue_ttl_s)
        self._gpu_jobs = GpuJobs(self._redis, settings.queue_ttl_s, settings.result_ttl_s)
        self._outage = OutageWatch(self._redis, settings.lease_s, self._fail_all_waiting)

    def start(self) -> None:
        self._outage.start()
        self._postman.start()
        self._mailbox.start()
        self._storage.start()

    def close(self) -> None:
        self._outage.close()
        self._postman.close()
        self._mailbox.close()
        self._storage.close()
        self._spooled.close()
        self._redis.close()

    def submit(
        self,
        kind: Kind,
        requests: Sequence[Request],
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
        missing = self._outage.missing_languages if reward is None else frozenset()
        for position, request in enumerate(requests):
            _check(request, position if batch else None, missing)
        keyed = None
        if idempotency_key:
            route = ["reward" if reward is not None else kind, "batch" if batch else "one"]
            asked = [*(requests if reward is None else [reward]), *([] if callback is None else [callback])]
            keyed = KeyedRequest.of(_caller_id(), idempotency_key, idempotency.fingerprint_of(route, asked))
        submission = new_id()
        try:
            if keyed is not None and (first := idempotency.first(self._redis, keyed)):
                return self._rejoin(first, durable)
            if not durable and self._outage.why:
                raise CannotRun("no worker can run programs now")
            self._storage.admit()
            if durable or keyed is not None:
                return self._submit_kept(kind, submission, requests, durable, batch, keyed, callback, reward)
        except RedisError as error:
            raise refusal_of(error) from error
        return self._submit_awaited(kind, submission, requests, batch)

    def job(self, job_id: str) -> Job:
        """The state of a kept submission or GPU job. Raises `errors.NotFound` or `errors.QueueUnavailable`."""
        may_see = _may_see()
        if is_gpu_job(job_id):
            return _from_redis(lambda: self._gpu_jobs.job(job_id, may_see))
        return _from_redis(lambda: self._ledger.job(job_id, may_see))

    def cancel(self, job_id: str) -> Job:
        """Cancel the rest of a job and stop its running programs; raises `errors.NotFound` or `QueueUnavailable`."""
        if is_gpu_job(job_id):
            may_see = _may_see()
            return _from_redis(lambda: self._gpu_jobs.cancel(job_id, may_see))
        job = self.job(job_id)
        if job.result is None:
            _from_redis(lambda: self._cancel(job_id))
        return self.job(job_id)

    def _cancel(self, job_id: str) -> None:
        self._ledger.cancel(job_id)
        entry = self._ledger.entry(job_id)
        if entry.done < entry.total:
            self._storage.end(of_submission(job_id), entry.request_bytes, self._settings.result_ttl_s)
            self._ledger.tell_cancelled(entry)

    def abandon(self, ticket: Ticket) -> None:
        """The client of a synchronous submission went away: cancel the rest of it."""
        waiting = [position for position, future in enumerate(ticket.results) if not future.done()]
        ids = {ticket.id, *(f"{ticket.id}.{position}" for position in waiting)}
        sent = self._postman.withdraw(ids)
        if ticket.client:
            self._quotas.release(ticket.client, list(ids - sent))
        if sent:
            try:
                self._ledger.cancel(ticket.id)
            except RedisError as error:
                raise refusal_of(error) from error
        self._mailbox.forget(ids, Cancelled("the client went away"))
        self._spooled.forget(ids)

    def put_tasks(self, set_id: str, body: bytes) -> TaskSetInfo:
        """Register a task set's JSON under its SHA-256.

        Raises `errors.BadRequest`, `errors.StorageFull`, `errors.StorageQuotaExceeded` or `errors.QueueUnavailable`.
        """
        return _from_redis(lambda: self._task_sets.put(set_id, body, _caller_id(), _most_kept()))

    def task_set(self, set_id: str) -> TaskSetInfo:
        """What is registered under this id. Raises `errors.NotFound` or `errors.QueueUnavailable`."""
        return _from_redis(lambda: self._task_sets.info(set_id))

    def tasks(self, references: Sequence[str]) -> Mapping[str, Task]:
        """The tasks of these `<set>/<name>`s. Raises `errors.NotFound` or `errors.QueueUnavailable`."""
        return _from_redis(lambda: self._task_sets.get(references))

    def dead_webhooks(self) -> list[DeadWebhook]:
        """The webhooks that were given up, the latest first. Raises `errors.QueueUnavailable`."""
        return _from_redis(self._outbox.dead)

    def revive_webhook(self, webhook_id: str) -> None:
        """Deliver a dead webhook after all. Raises `errors.NotFound` or `errors.QueueUnavailable`."""
        _from_redis(lambda: self._outbox.revive(webhook_id))

    def start_on_gpu(self, kind: GpuKind, request: GpuRequest, idempotency_key: str = "") -> GpuJob:
        """Queue a GPU job; the same key with the same request within its life returns the first job.

        Raises `errors.IdempotencyKeyReused` or `errors.QueueUnavailable`.
        """
        caller_id, keyed = _caller_id(), None
        if idempotency_key:
            fingerprint = idempotency.fingerprint_of(["gpu", kind.value], [request])
            keyed = KeyedRequest.of(caller_id, idempotency_key, fingerprint)
        _from_redis(lambda: self._storage.check(len(request.model_dump_json(exclude_unset=True))))
        return _from_redis(lambda: self._gpu_jobs.submit(kind, request, caller_id, keyed))

    def gpu_events(self, job_id: str, start: int) -> list[bytes]:
        """A GPU job's events from number `start` on, as JSON; other jobs have none.

        Raises `errors.NotFound` or `errors.QueueUnavailable`.
        """
        if not is_gpu_job(job_id):
            return []
        may_see = _may_see()
        return _from_redis(lambda: self._gpu_jobs.events(job_id, start, may_see))

    def gpu_pool(self) -> GpuPool:
        """Leases and latest jobs. Raises `errors.QueueUnavailable`."""
        return _from_redis(self._gpu_jobs.pool)

    def missing_languages(self) -> frozenset[str]:
        """The languages that no worker can run, as far as is known."""
        return self._outage.missing_languages

    def readiness(self) -> Readiness:
        """One look at Redis and the workers; never raises."""
        try:
            reports = slot_reports(self._redis, self._settings.lease_s)
            oldest_s = watching.oldest_s(self._redis, time.time())
        except RedisError as error:
            return Readiness(False, 0, problems=[f"Redis does not answer: {error}"])
        alive = [report for report in reports if not report.starting]
        workers = [report.described for report in alive if report.described]
        older = sum(worker.get("reads", 1) < envelope.VERSION for worker in workers)
        return Readiness(
            ready=any(report.starts_boxes for report in alive) and older < len(alive) and self._storage.has_room,
            workers=len(alive),
            queued=self._postman.waiting(),
            engine=",".join(sorted({worker["engine"] for worker in workers})),
            missing_walls=sorted({wall for worker in workers for wall in worker["missing_walls"]}),
            problems=[*problems(reports), *_version_problems(len(alive), older), *self._storage.problems()],
            oldest_s=oldest_s,
            waiting_for_box_s=round(max((report.waits_s for report in reports), default=0.0), 3),
            storage_bytes=self._storage.told(),
        )

    def live(self) -> LiveView:
        """What goes on now and what ended last. Raises `errors.QueueUnavailable`."""
        return _from_redis(lambda: watching.look(self._redis, self._settings.lease_s, self._postman.waiting()))

    def _submit_awaited(self, kind: Kind, submission: str, requests: Sequence[Request], batch: bool) -> Ticket:
        items = self._items(submission, requests, batch, kept=False)
        client = self._admit(items)
        futures = self._mailbox.expect([item_id for item_id, _ in items])
        _log_accepted(submission, kind, requests[0].priority, len(items))
        try:
            self._postman.accept(requests[0].priority, items, client)
        except SandboxError as error:
            self._release(client, items)
            self._mailbox.forget([item_id for item_id, _ in items], error)
            self._spooled.forget(item_id for item_id, _ in items)
            raise
        return Ticket(submission, futures, client)

    def _fail_all_waiting(self, why: str) -> None:
        """Tell all clients that wait; what is kept stays in the queue. Raises RedisError or SandboxError."""
        expected = self._mailbox.expected()
        if not expected:
            return
        unsent = self._postman.withdraw_all()
        dropped = [item_id for item_id, kept in expected.items() if not kept]
        self._postman.answered(dropped)
        self._mailbox.forget(expected, CannotRun("no worker can run programs now"))
        self._spooled.forget(dropped)
        logger.warning("clients were told that nothing runs", extra={"items": len(expected), "reason": why})
        for client, item_ids in unsent.items():
            if client:
                self._quotas.release(client, item_ids)
        sent = set(dropped).difference(*unsent.values())
        for submission in {item_id.partition(".")[0] for item_id in sent}:
            self._ledger.cancel(submission)

    def _answered(self, item_ids: Sequence[str]) -> None:
        self._spooled.forget(item_ids)
        self._postman.answered(item_ids)

    def _send_whole(self, item_id: str) -> None:
        """A worker has no access to this item's large texts: send it again with them in it."""
        self._postman.answered([item_id])
        item = self._spooled.whole(item_id)
        if item is None:
            return
        try:
            request = item.verify or item.execute
            lane = Lane.DEFAULT if request is None else request.priority
            self._postman.accept(lane, [(item_id, _packed(item))], item.client)
        except SandboxError as error:
            self._mailbox.forget([item_id], error)

    def _submit_kept(
        self,
        kind: Kind,
        submission: str,
        requests: Sequence[Request],
        durable: bool,
        batch: bool,
        keyed: KeyedRequest | None,
        callback: Callback | None,
        reward: RewardRequest | None,
    ) -> Ticket:
        items = self._items(submission, requests, batch, kept=True, callback=callback)
        lane = requests[0].priority if reward is None else reward.priority
        client = self._admit(items)
        request_bytes = sum(len(item) for _, item in items)
        try:
            self._charge(submission, request_bytes, reward)
        except (SandboxError, RedisError):
            self._release(client, items)
            raise
        first = self._ledger.open(
            submission, kind, len(items), batch, lane, client, callback, reward, keyed, request_bytes, _most_kept()
        )
        if first != submission:  # a duplicate was faster
            self._release(client, items)
            self._storage.forget(of_submission(submission))
            return self._rejoin(first, durable)
        if not items:
            if callback is not None:
                self._outbox.put(submission)
            return Ticket(submission)
        ticket = Ticket(submission) if durable else self._rejoin(submission, durable)
        _log_accepted(submission, kind, lane, len(items))
        try:
            self._ledger.sent_in(submission, self._postman.send_now(lane, items, client))
        except SandboxError:
            self._release(client, items)
            self._ledger.strike_out(submission, keyed)
            self._storage.forget(of_submission(submission))
            self._mailbox.forget([item_id for item_id, _ in items], Cancelled("not accepted"))
            raise
        return ticket

    def _admit(self, items: Sequence[tuple[str, bytes]]) -> str:
        """The caller's id after these items were counted against its limits; without a caller an empty string."""
        caller = CALLER.get()
        if caller is None:
            return ""
        self._quotas.admit(caller, [item_id for item_id, _ in items])
        return caller.id

    def _charge(self, submission: str, request_bytes: int, reward: RewardRequest | None) -> None:
        """Count what this submission makes Redis keep, until it expires."""
        size = request_bytes + (0 if reward is None else len(reward.model_dump_json(exclude_unset=True)))
        life_s = self._settings.queue_ttl_s + self._settings.result_ttl_s
        self._storage.keep(of_submission(submission), _caller_id(), size, life_s, _most_kept())

    def _release(self, client: str, items: Sequence[tuple[str, bytes]]) -> None:
        """Take back what `_admit` counted."""
        if client:
            self._quotas.release(client, [item_id for item_id, _ in items])

    def _rejoin(self, submission: str, durable: bool) -> Ticket:
        """A ticket for a submission that is kept already; its results come from the ledger or by mail."""
        if durable:
            return Ticket(submission)
        entry = self._ledger.entry(submission)
        ids = entry.item_ids
        futures = self._mailbox.expect(ids, kept=True)
        for index, result in self._ledger.read(submission, self._mailbox.reader).items():
            self._mailbox.put(ids[index], result)
        if entry.cancelled:
            self._mailbox.forget(ids, Cancelled("the job was cancelled"))
        return Ticket(submission, futures)

    def _items(
        self,
        submission: str,
        requests: Sequence[Request],
        batch: bool,
        kept: bool,
        callback: Callback | None = None,
    ) -> list[tuple[str, bytes]]:
        now = time.time()
        called_for: dict[str, Any] = {} if callback is None else {"callback": "item" if callback.each else "batch"}
        reader = "" if kept else self._mailbox.reader
        client = _caller_id()
        origin = ORIGIN.get()
        items = []
        for position, request in enumerate(requests):
            item = Item(
                submission=submission,
                index=position if batch else None,
                submitted_at=now,
                kept=kept,
                reader=reader,
                client=client,
                request=origin.request,
                trace=origin.trace,
                execute=request if isinstance(request, ExecuteRequest) else None,
                verify=request if isinstance(request, VerifyRequest) else None,
                vote=request if isinstance(request, VoteRequest) else None,
                **called_for,
            )
            items.append((item.id, _packed(item if kept else self._lightened(item))))
        return items

    def _lightened(self, item: Item) -> Item:
        try:
            return self._spooled.lightened(item)
        except RedisError:  # the queue's trouble, and told where the item is sent
            return item


def _caller_id() -> str:
    """The id of the API key that the current request came with; empty where there are no keys."""
    caller = CALLER.get()
    return "" if caller is None else caller.id


def _most_kept() -> int:
    """How many bytes may be kept for the current caller; 0: any number."""
    caller = CALLER.get()
    return 0 if caller is None else caller.max_kept_mb << 20


def _may_see() -> Callable[[str], bool]:
    """Tell whose jobs the current caller may see and cancel."""
    caller = CALLER.get()
    return anybody if caller is None else caller.may_see


def _packed(item: Item) -> bytes:
    """An item as JSON. Raises BadRequest for values that a Python caller can build and JSON cannot carry."""
    try:
        return item.model_dump_json(exclude_unset=True).encode()
    except PydanticSerializationError as error:
        raise BadRequest(f"a value in the request has no form in JSON: {error}") from None


def _log_accepted(submission: str, kind: Kind, lane: str, items: int) -> None:
    """By this line a request's id is known to be a submission's."""
    logger.info("accepted", extra={"submission": submission, "kind": kind, "lane": lane, "items": items})


def _version_problems(workers: int, older: int) -> list[str]:
    if older:
        return [f"{older} of {workers} workers are of an older version and pass on what this one sends: upgrade them"]
    return []


def _from_redis(ask: Callable[[], Answer]) -> Answer:
    try:
        return ask()
    except RedisError as error:
        raise refusal_of(error) from error


def _check(request: Request, position: int | None, missing: frozenset[str]) -> None:
    """Raises BadRequest with the field at fault. `missing` are the languages that no worker can run."""
    prefix = "" if position is None else f"items.{position}."
    if isinstance(request, VoteRequest):
        for index, candidate in enumerate(request.candidates):
            _language(candidate.language, f"{prefix}candidates.{index}.language", missing)
        return
    language = _language(request.language, prefix + "language", missing)
    if not isinstance(request, VerifyRequest):
        return
    if isinstance(request.checker, ProgramChecker | InteractiveChecker):
        _language(request.checker.language, f"{prefix}checker.language", missing)
    if not language.forked:
        for index, test in enumerate(request.tests):
            if isinstance(test, FunctionTest | AssertTest | PytestTest):
                raise BadRequest(
                    "function, assert and pytest tests are for python alone", field=f"{prefix}tests.{index}"
                )


def _language(name: str, field: str, missing: frozenset[str]) -> Language:
    try:
        language = languages.named(name)
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
