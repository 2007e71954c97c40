"""Submit, look at and cancel submissions: the one door that the API, the CLI and the GPU pool come through."""

from __future__ import annotations

import json
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
from sandbox.errors import BadRequest, Cancelled, QueueUnavailable, SandboxError
from sandbox.ids import new_id
from sandbox.jobs import envelope, keys, leases, watching
from sandbox.jobs.connection import connect
from sandbox.jobs.envelope import Item, Kind
from sandbox.jobs.gpu_jobs import GpuJobs, gpu_job_id, is_gpu_job
from sandbox.jobs.ledger import Ledger, anybody
from sandbox.jobs.mailbox import Mailbox
from sandbox.jobs.outbox import Outbox
from sandbox.jobs.postman import Postman
from sandbox.jobs.quotas import Quotas
from sandbox.jobs.spool import SpooledItems
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
    """Whether submissions would be served now, and what stands in the way."""

    ready: bool
    workers: int
    queued: dict[str, int] = field(default_factory=dict)
    engine: str = ""
    missing_walls: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    oldest_s: dict[str, float] = field(default_factory=dict)


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
        self._task_sets = TaskSets(self._redis, settings.task_set_ttl_s)
        self._ledger = Ledger(self._redis, settings.queue_ttl_s, settings.result_ttl_s, self._task_sets.get)
        self._outbox = Outbox(self._redis, self._ledger)
        self._quotas = Quotas(self._redis, settings.queue_ttl_s)
        self._gpu_jobs = GpuJobs(self._redis, settings.queue_ttl_s, settings.result_ttl_s)

    def start(self) -> None:
        self._postman.start()
        self._mailbox.start()

    def close(self) -> None:
        self._postman.close()
        self._mailbox.close()
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

        Raises `errors.UnknownLanguage`, `errors.QueueFull`, `errors.QueueUnavailable`. The same idempotency key
        within its life returns the first submission's ticket.
        """
        for position, request in enumerate(requests):
            _check(request, position if batch else None)
        submission = new_id()
        caller = CALLER.get()
        if caller is not None and idempotency_key:
            idempotency_key = f"{caller.id} {idempotency_key}"  # one client's keys are not another's
        try:
            if idempotency_key:
                first = self._ledger.first_with_key(idempotency_key, submission)
                if first != submission:
                    return self._rejoin(first, durable)
            if durable or idempotency_key:
                return self._submit_kept(kind, submission, requests, durable, batch, idempotency_key, callback, reward)
        except RedisError as error:
            raise QueueUnavailable(f"the queue does not answer: {error}") from error
        return self._submit_awaited(kind, submission, requests, batch)

    def job(self, job_id: str) -> Job:
        """The state of a kept submission or GPU job. Raises `errors.NotFound` or `errors.QueueUnavailable`."""
        if is_gpu_job(job_id):
            return _from_redis(lambda: self._gpu_jobs.job(job_id))
        try:
            caller = CALLER.get()
            return self._ledger.job(job_id, anybody if caller is None else caller.may_see)
        except RedisError as error:
            raise QueueUnavailable(f"the queue does not answer: {error}") from error

    def cancel(self, job_id: str) -> Job:
        """Cancel what has not run yet, and a GPU job that runs; raises `errors.NotFound` or `QueueUnavailable`."""
        if is_gpu_job(job_id):
            return _from_redis(lambda: self._gpu_jobs.cancel(job_id))
        job = self.job(job_id)
        if job.result is None:
            self._ledger.cancel(job_id)
        return self.job(job_id)

    def abandon(self, ticket: Ticket) -> None:
        """The client of a synchronous submission went away: drop what has not run yet."""
        waiting = [position for position, future in enumerate(ticket.results) if not future.done()]
        ids = {ticket.id, *(f"{ticket.id}.{position}" for position in waiting)}
        sent = self._postman.withdraw(ids)
        if ticket.client:
            self._quotas.release(ticket.client, list(ids - sent))
        if sent:
            try:
                self._ledger.cancel(ticket.id)
            except RedisError as error:
                raise QueueUnavailable(f"the queue does not answer: {error}") from error
        self._mailbox.forget(ids, Cancelled("the client went away"))
        self._spooled.forget(ids)

    def put_tasks(self, set_id: str, body: bytes) -> TaskSetInfo:
        """Register a task set's JSON under its SHA-256. Raises `errors.BadRequest` or `errors.QueueUnavailable`."""
        return _from_redis(lambda: self._task_sets.put(set_id, body))

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
        """Queue a GPU job; the same key within its life is the same job. Raises `errors.QueueUnavailable`."""
        known = gpu_job_id(kind, idempotency_key) if idempotency_key else ""
        return _from_redis(lambda: self._gpu_jobs.submit(kind, request, known))

    def gpu_events(self, job_id: str, start: int) -> list[bytes]:
        """A GPU job's events from number `start` on, as JSON. Raises `errors.QueueUnavailable`."""
        return _from_redis(lambda: self._gpu_jobs.events(job_id, start))

    def gpu_pool(self) -> GpuPool:
        """Leases and latest jobs. Raises `errors.QueueUnavailable`."""
        return _from_redis(self._gpu_jobs.pool)

    def readiness(self) -> Readiness:
        """One look at Redis and the workers; never raises."""
        try:
            names = leases.slots(self._redis, self._settings.lease_s)
            told = [text for text in self._redis.mget([keys.worker(name) for name in names]) if text] if names else []
            oldest_s = watching.oldest_s(self._redis, time.time())
        except RedisError as error:
            return Readiness(False, 0, problems=[f"Redis does not answer: {error}"])
        workers = [json.loads(text) for text in told]
        older = sum(worker.get("reads", 1) < envelope.VERSION for worker in workers)
        return Readiness(
            ready=bool(names) and older < len(names),
            workers=len(names),
            queued=self._postman.waiting(),
            engine=",".join(sorted({worker["engine"] for worker in workers})),
            missing_walls=sorted({wall for worker in workers for wall in worker["missing_walls"]}),
            problems=_problems(len(names), older),
            oldest_s=oldest_s,
        )

    def live(self) -> LiveView:
        """What goes on now and what ended last. Raises `errors.QueueUnavailable`."""
        return _from_redis(lambda: watching.look(self._redis, self._settings.lease_s, self._postman.waiting()))

    def _submit_awaited(self, kind: Kind, submission: str, requests: Sequence[Request], batch: bool) -> Ticket:
        items = self._items(submission, requests, batch, kept=False)
        client = self._admit(items)
        futures = self._mailbox.expect(item_id for item_id, _ in items)
        _log_accepted(submission, kind, requests[0].priority, len(items))
        try:
            self._postman.accept(requests[0].priority, items, client)
        except SandboxError as error:
            if client:
                self._quotas.release(client, [item_id for item_id, _ in items])
            self._mailbox.forget([item_id for item_id, _ in items], error)
            self._spooled.forget(item_id for item_id, _ in items)
            raise
        return Ticket(submission, futures, client)

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
        idempotency_key: str,
        callback: Callback | None,
        reward: RewardRequest | None,
    ) -> Ticket:
        items = self._items(submission, requests, batch, kept=True, callback=callback)
        lane = requests[0].priority if reward is None else reward.priority
        client = self._admit_kept(items, submission, idempotency_key)
        self._ledger.open(submission, kind, len(items), batch, lane, client, callback, reward)
        if not items:
            if callback is not None:
                self._outbox.put(submission)
            return Ticket(submission)
        ticket = Ticket(submission) if durable else self._rejoin(submission, durable)
        _log_accepted(submission, kind, lane, len(items))
        try:
            self._ledger.sent_in(submission, self._postman.send_now(lane, items, client))
        except SandboxError:
            if client:
                self._quotas.release(client, [item_id for item_id, _ in items])
            self._ledger.strike_out(idempotency_key, submission)
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

    def _admit_kept(self, items: Sequence[tuple[str, bytes]], submission: str, idempotency_key: str) -> str:
        try:
            return self._admit(items)
        except SandboxError:
            self._ledger.strike_out(idempotency_key, submission)
            raise

    def _rejoin(self, submission: str, durable: bool) -> Ticket:
        """A ticket for a submission that is kept already; its results come from the ledger or by mail."""
        if durable:
            return Ticket(submission)
        entry = self._ledger.entry(submission)
        ids = [f"{submission}.{index}" for index in range(entry.total)] if entry.batch else [submission]
        futures = self._mailbox.expect(ids)
        for index, result in self._ledger.read(submission, self._mailbox.reader).items():
            self._mailbox.put(ids[index], result)
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
        caller = CALLER.get()
        client = "" if caller is None else caller.id
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


def _packed(item: Item) -> bytes:
    """An item as JSON. Raises BadRequest for values that a Python caller can build and JSON cannot carry."""
    try:
        return item.model_dump_json(exclude_unset=True).encode()
    except PydanticSerializationError as error:
        raise BadRequest(f"a value in the request has no form in JSON: {error}") from None


def _log_accepted(submission: str, kind: Kind, lane: str, items: int) -> None:
    """By this line a request's id is known to be a submission's."""
    logger.info("accepted", extra={"submission": submission, "kind": kind, "lane": lane, "items": items})


def _problems(workers: int, older: int) -> list[str]:
    if not workers:
        return ["no worker is alive"]
    if older:
        return [f"{older} of {workers} workers are of an older version and pass on what this one sends: upgrade them"]
    return []


def _from_redis(ask: Callable[[], Answer]) -> Answer:
    try:
        return ask()
    except RedisError as error:
        raise QueueUnavailable(f"the queue does not answer: {error}") from error


def _check(request: Request, position: int | None) -> None:
    """Raises BadRequest with the field at fault."""
    prefix = "" if position is None else f"items.{position}."
    if isinstance(request, VoteRequest):
        for index, candidate in enumerate(request.candidates):
            _language(candidate.language, f"{prefix}candidates.{index}.language")
        return
    language = _language(request.language, prefix + "language")
    if not isinstance(request, VerifyRequest):
        return
    if isinstance(request.checker, ProgramChecker | InteractiveChecker):
        _language(request.checker.language, f"{prefix}checker.language")
    if not language.forked:
        for index, test in enumerate(request.tests):
            if isinstance(test, FunctionTest | AssertTest | PytestTest):
                raise BadRequest(
                    "function, assert and pytest tests are for python alone", field=f"{prefix}tests.{index}"
                )


def _language(name: str, field: str) -> Language:
    try:
        return languages.named(name)
    except BadRequest as error:
        error.field = field
        raise
