"""Submit, look at and cancel submissions: the one door that the API, the CLI and the GPU pool come through."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar

from redis import Redis
from redis.exceptions import RedisError

from sandbox import languages
from sandbox.config import QueueSettings
from sandbox.errors import BadRequest, Cancelled, QueueUnavailable, SandboxError
from sandbox.jobs import keys, leases
from sandbox.jobs.connection import connect
from sandbox.jobs.envelope import Item, Kind
from sandbox.jobs.ledger import Ledger
from sandbox.jobs.mailbox import Mailbox
from sandbox.jobs.postman import Postman
from sandbox.jobs.tasksets import TaskSets
from sandbox.languages import Language
from sandbox.schema import (
    AssertTest,
    ExecuteRequest,
    FunctionTest,
    InteractiveChecker,
    Job,
    ProgramChecker,
    VerifyRequest,
)
from sandbox.schema.reward import Task, TaskSetInfo
from sandbox.schema.vote import VoteRequest

__all__ = ["Kind", "Readiness", "Request", "Service", "Ticket"]

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


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether submissions would be served now, and what stands in the way."""

    ready: bool
    workers: int
    queued: dict[str, int] = field(default_factory=dict)
    engine: str = ""
    missing_walls: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Service:
    """Thread-safe; `start` before use, `close` after."""

    def __init__(self, settings: QueueSettings) -> None:
        self._settings = settings
        self._redis: Redis = connect(settings.effective_redis_url)
        self._postman = Postman(self._redis, settings.queue_ttl_s, settings.max_queued, settings.lease_s)
        self._mailbox = Mailbox(self._redis, self._postman.answered)
        self._ledger = Ledger(self._redis, settings.queue_ttl_s, settings.result_ttl_s)
        self._task_sets = TaskSets(self._redis, settings.task_set_ttl_s)

    def start(self) -> None:
        self._postman.start()
        self._mailbox.start()

    def close(self) -> None:
        self._postman.close()
        self._mailbox.close()
        self._redis.close()

    def submit(
        self,
        kind: Kind,
        requests: Sequence[Request],
        *,
        durable: bool = False,
        batch: bool = False,
        idempotency_key: str = "",
    ) -> Ticket:
        """Queue requests. `durable`: the results are kept for `/jobs`, and the ticket has no futures.

        Raises `errors.UnknownLanguage`, `errors.QueueFull`, `errors.QueueUnavailable`. The same idempotency key
        within its life returns the first submission's ticket.
        """
        for position, request in enumerate(requests):
            _check(request, position if batch else None)
        submission = uuid.uuid4().hex
        try:
            if idempotency_key:
                first = self._ledger.first_with_key(idempotency_key, submission)
                if first != submission:
                    return self._rejoin(first, durable)
            if durable or idempotency_key:
                return self._submit_kept(kind, submission, requests, durable, batch, idempotency_key)
        except RedisError as error:
            raise QueueUnavailable(f"the queue does not answer: {error}") from error
        return self._submit_awaited(submission, requests, batch)

    def job(self, job_id: str) -> Job:
        """The state of a kept submission. Raises `errors.NotFound` or `errors.QueueUnavailable`."""
        try:
            return self._ledger.job(job_id)
        except RedisError as error:
            raise QueueUnavailable(f"the queue does not answer: {error}") from error

    def cancel(self, job_id: str) -> Job:
        """Cancel what has not run yet; raises `errors.NotFound` or `errors.QueueUnavailable`."""
        job = self.job(job_id)
        if job.result is None:
            self._ledger.cancel(job_id)
        return self.job(job_id)

    def abandon(self, ticket: Ticket) -> None:
        """The client of a synchronous submission went away: drop what has not run yet."""
        waiting = [position for position, future in enumerate(ticket.results) if not future.done()]
        ids = {ticket.id, *(f"{ticket.id}.{position}" for position in waiting)}
        if self._postman.withdraw(ids):
            try:
                self._ledger.cancel(ticket.id)
            except RedisError as error:
                raise QueueUnavailable(f"the queue does not answer: {error}") from error
        self._mailbox.forget(ids, Cancelled("the client went away"))

    def put_tasks(self, set_id: str, body: bytes) -> TaskSetInfo:
        """Register a task set's JSON under its SHA-256. Raises `errors.BadRequest` or `errors.QueueUnavailable`."""
        return _from_redis(lambda: self._task_sets.put(set_id, body))

    def task_set(self, set_id: str) -> TaskSetInfo:
        """What is registered under this id. Raises `errors.NotFound` or `errors.QueueUnavailable`."""
        return _from_redis(lambda: self._task_sets.info(set_id))

    def tasks(self, references: Sequence[str]) -> Mapping[str, Task]:
        """The tasks of these `<set>/<name>`s. Raises `errors.NotFound` or `errors.QueueUnavailable`."""
        return _from_redis(lambda: self._task_sets.get(references))

    def readiness(self) -> Readiness:
        """One look at Redis and the workers; never raises."""
        try:
            names = leases.alive(self._redis, self._settings.lease_s)
            told = [text for text in self._redis.mget([keys.worker(name) for name in names]) if text] if names else []
        except RedisError as error:
            return Readiness(False, 0, problems=[f"Redis does not answer: {error}"])
        workers = [json.loads(text) for text in told]
        return Readiness(
            ready=bool(names),
            workers=len(names),
            queued=self._postman.waiting(),
            engine=",".join(sorted({worker["engine"] for worker in workers})),
            missing_walls=sorted({wall for worker in workers for wall in worker["missing_walls"]}),
            problems=[] if names else ["no worker is alive"],
        )

    def _submit_awaited(self, submission: str, requests: Sequence[Request], batch: bool) -> Ticket:
        items = self._items(submission, requests, batch, kept=False)
        futures = self._mailbox.expect(item_id for item_id, _ in items)
        try:
            self._postman.accept(requests[0].priority, items)
        except SandboxError as error:
            self._mailbox.forget([item_id for item_id, _ in items], error)
            raise
        return Ticket(submission, futures)

    def _submit_kept(
        self, kind: Kind, submission: str, requests: Sequence[Request], durable: bool, batch: bool, idempotency_key: str
    ) -> Ticket:
        items = self._items(submission, requests, batch, kept=True)
        lane = requests[0].priority
        self._ledger.open(submission, kind, len(items), batch, lane)
        ticket = Ticket(submission) if durable else self._rejoin(submission, durable)
        try:
            self._ledger.sent_in(submission, self._postman.send_now(lane, items))
        except SandboxError:
            self._ledger.strike_out(idempotency_key, submission)
            self._mailbox.forget([item_id for item_id, _ in items], Cancelled("not accepted"))
            raise
        return ticket

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

    def _items(self, submission: str, requests: Sequence[Request], batch: bool, kept: bool) -> list[tuple[str, bytes]]:
        now = time.time()
        reader = "" if kept else self._mailbox.reader
        items = []
        for position, request in enumerate(requests):
            item = Item(
                submission=submission,
                index=position if batch else None,
                submitted_at=now,
                kept=kept,
                reader=reader,
                execute=request if isinstance(request, ExecuteRequest) else None,
                verify=request if isinstance(request, VerifyRequest) else None,
                vote=request if isinstance(request, VoteRequest) else None,
            )
            items.append((item.id, item.model_dump_json(exclude_unset=True).encode()))
        return items


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
            if isinstance(test, FunctionTest | AssertTest):
                raise BadRequest("function and assert tests are for python alone", field=f"{prefix}tests.{index}")


def _language(name: str, field: str) -> Language:
    try:
        return languages.named(name)
    except BadRequest as error:
        error.field = field
        raise
