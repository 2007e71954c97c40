"""Takes submissions in: checks and charges quotas, stores what is durable, and sends items to the workers.

A synchronous submission is only sent: its results come back to this process. A submission that is durable or has an
idempotency key is recorded in Redis first, so that it survives this process.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from pydantic_core import PydanticSerializationError
from redis import Redis
from redis.exceptions import RedisError

from sandbox.errors import BadRequest, Cancelled, CannotRun, SandboxError
from sandbox.queue import idempotency
from sandbox.queue.idempotency import KeyedRequest
from sandbox.queue.job_batch import Item
from sandbox.queue.job_store import JobStore
from sandbox.queue.payload_files import ExternalizedItems
from sandbox.queue.quotas import Quotas
from sandbox.queue.result_reader import ResultReader
from sandbox.queue.sender import BatchSender
from sandbox.queue.storage_limits import StorageLimiter, submission_member
from sandbox.queue.submission import Submission, Ticket
from sandbox.request_context import CURRENT_CALLER, CURRENT_REQUEST_IDS, generate_id
from sandbox.schema import ExecuteRequest, Lane, VerifyRequest
from sandbox.schema.callbacks import Callback
from sandbox.schema.reward import RewardRequest
from sandbox.schema.vote import VoteRequest

logger = logging.getLogger(__name__)

EncodedItem = tuple[str, bytes]  # the id and the JSON


class Intake:
    """Accepts submissions. Thread-safe. `stored_ttl_s` is how long Redis keeps a stored submission."""

    def __init__(
        self,
        redis: Redis,
        sender: BatchSender,
        result_reader: ResultReader,
        job_store: JobStore,
        quotas: Quotas,
        storage_limiter: StorageLimiter,
        externalized: ExternalizedItems,
        stored_ttl_s: int,
        enqueue_webhook: Callable[[str], None],
    ) -> None:
        self._redis = redis
        self._sender = sender
        self._result_reader = result_reader
        self._job_store = job_store
        self._quotas = quotas
        self._storage_limiter = storage_limiter
        self._externalized = externalized
        self._stored_ttl_s = stored_ttl_s
        self._enqueue_webhook = enqueue_webhook

    def submit(self, submission: Submission, outage_reason: str) -> Ticket:
        """Queue a submission, or return the ticket of an earlier one with the same idempotency key and request.

        Raises RedisError or a subclass of `errors.SandboxError`, among them CannotRun if a client would wait for a
        result although no program can run (`outage_reason`).
        """
        keyed = _build_keyed_request(submission)
        if keyed is not None and (first := idempotency.find_submission(self._redis, keyed)):
            return self._join_existing(first, submission.durable)
        if outage_reason and not submission.durable:
            raise CannotRun("no worker can run programs now: try again later")
        self._storage_limiter.admit()
        if submission.durable or keyed is not None:
            return self._accept_stored(submission, keyed)
        return self._accept_awaited(submission)

    def resend(self, item: Item) -> None:
        """Send an item again with its large texts in it: its worker has no access to this host's payload files."""
        try:
            lane = Lane.DEFAULT if item.work is None else item.work.priority
            self._sender.accept(lane, [(item.id, _encode_item(item))], item.client)
        except SandboxError as error:
            self._result_reader.fail([item.id], error)

    def _accept_awaited(self, submission: Submission) -> Ticket:
        submission_id = generate_id()
        items = self._build_items(submission_id, submission)
        client = self._admit(items)
        item_ids = [item_id for item_id, _ in items]
        futures = self._result_reader.expect(item_ids)
        _log_accepted(submission_id, submission)
        try:
            self._sender.accept(submission.lane, items, client)
        except SandboxError as error:
            self._release(client, items)
            self._result_reader.fail(item_ids, error)
            self._externalized.forget(item_ids)
            raise
        return Ticket(submission_id, futures, client)

    def _accept_stored(self, submission: Submission, keyed: KeyedRequest | None) -> Ticket:
        submission_id = generate_id()
        items = self._build_items(submission_id, submission)
        client = self._admit(items)
        request_bytes = sum(len(item) for _, item in items)
        try:
            self._charge(submission_id, request_bytes, submission.reward)
        except (SandboxError, RedisError):
            self._release(client, items)
            raise
        first = self._job_store.create(
            submission_id,
            submission.kind,
            len(items),
            submission.batch,
            submission.lane,
            client,
            submission.callback,
            submission.reward,
            keyed,
            request_bytes,
            get_max_stored_bytes(),
        )
        if first != submission_id:  # a submission with the same key was faster
            self._release(client, items)
            self._storage_limiter.release(submission_member(submission_id))
            return self._join_existing(first, submission.durable)
        if not items:
            if submission.callback is not None:
                self._enqueue_webhook(submission_id)  # there is no last item that would do it
            return Ticket(submission_id)
        ticket = Ticket(submission_id) if submission.durable else self._join_existing(submission_id, durable=False)
        _log_accepted(submission_id, submission)
        try:
            self._job_store.record_first_batch(submission_id, self._sender.send_now(submission.lane, items, client))
        except SandboxError:
            self._release(client, items)
            self._job_store.discard(submission_id, keyed)
            self._storage_limiter.release(submission_member(submission_id))
            self._result_reader.fail([item_id for item_id, _ in items], Cancelled("not accepted"))
            raise
        return ticket

    def _join_existing(self, submission_id: str, durable: bool) -> Ticket:
        """Return a ticket for a stored submission: its results come from the job store or from the workers."""
        if durable:
            return Ticket(submission_id)
        record = self._job_store.get_record(submission_id)
        ids = record.item_ids
        futures = self._result_reader.expect(ids, stored=True)
        for index, result in self._job_store.read_results(submission_id, self._result_reader.reader_id).items():
            self._result_reader.resolve(ids[index], result)
        if record.is_cancelled:
            self._result_reader.fail(ids, Cancelled("the job was cancelled"))
        return Ticket(submission_id, futures)

    def _build_items(self, submission_id: str, submission: Submission) -> list[EncodedItem]:
        stored = submission.durable or bool(submission.idempotency_key)
        request_ids = CURRENT_REQUEST_IDS.get()
        common: dict[str, Any] = {
            "submission": submission_id,
            "submitted_at": time.time(),
            "kept": stored,
            "reader": "" if stored else self._result_reader.reader_id,
            "client": get_caller_id(),
            "request": request_ids.request_id,
            "trace": request_ids.traceparent,
            **_build_callback_field(submission.callback),
        }
        items = []
        for position, request in enumerate(submission.requests):
            item = Item(
                **common,
                index=position if submission.batch else None,
                execute=request if isinstance(request, ExecuteRequest) else None,
                verify=request if isinstance(request, VerifyRequest) else None,
                vote=request if isinstance(request, VoteRequest) else None,
            )
            items.append((item.id, _encode_item(item if stored else self._externalize(item))))
        return items

    def _externalize(self, item: Item) -> Item:
        try:
            return self._externalized.externalize(item)
        except RedisError:  # sending the item reports it
            return item

    def _admit(self, items: Sequence[EncodedItem]) -> str:
        """Count items against their caller's limits; return the caller's id, empty if there are no API keys."""
        caller = CURRENT_CALLER.get()
        if caller is None:
            return ""
        self._quotas.admit(caller, [item_id for item_id, _ in items])
        return caller.id

    def _release(self, client: str, items: Sequence[EncodedItem]) -> None:
        """Undo `_admit`."""
        if client:
            self._quotas.release(client, [item_id for item_id, _ in items])

    def _charge(self, submission_id: str, request_bytes: int, reward: RewardRequest | None) -> None:
        """Count the bytes that this submission takes in Redis until it expires."""
        size = request_bytes + (0 if reward is None else len(reward.model_dump_json(exclude_unset=True)))
        self._storage_limiter.charge(
            submission_member(submission_id), get_caller_id(), size, self._stored_ttl_s, get_max_stored_bytes()
        )


def get_caller_id() -> str:
    """Return the id of the current request's API key, empty if there are no keys."""
    caller = CURRENT_CALLER.get()
    return "" if caller is None else caller.id


def get_max_stored_bytes() -> int:
    """Return how many bytes may be stored for the current caller; 0 is no limit."""
    caller = CURRENT_CALLER.get()
    return 0 if caller is None else caller.max_kept_mb << 20


def _build_keyed_request(submission: Submission) -> KeyedRequest | None:
    if not submission.idempotency_key:
        return None
    reward, callback = submission.reward, submission.callback
    route = ["reward" if reward is not None else submission.kind, "batch" if submission.batch else "one"]
    parts = [*(submission.requests if reward is None else [reward]), *([] if callback is None else [callback])]
    fingerprint = idempotency.compute_fingerprint(route, parts)
    return KeyedRequest.create(get_caller_id(), submission.idempotency_key, fingerprint)


def _build_callback_field(callback: Callback | None) -> dict[str, str]:
    return {} if callback is None else {"callback": "item" if callback.each else "batch"}


def _encode_item(item: Item) -> bytes:
    """Return an item as JSON. Raises BadRequest for values that a Python caller can build and JSON cannot carry."""
    try:
        return item.model_dump_json(exclude_unset=True).encode()
    except PydanticSerializationError as error:
        raise BadRequest(f"a value in the request has no form in JSON: {error}") from None


def _log_accepted(submission_id: str, submission: Submission) -> None:
    """Log the line that connects a request's id with its submission."""
    items = len(submission.requests)
    logger.info(
        "accepted",
        extra={"submission": submission_id, "kind": submission.kind, "lane": submission.lane, "items": items},
    )
