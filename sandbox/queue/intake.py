"""Accept submissions: check quotas, charge storage, store durable submissions, and send items to the workers.

A synchronous submission is only sent: its results come back to this process. A submission that is durable or has an
idempotency key is recorded in Redis first, so that it survives this process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from sandbox.errors import Cancelled, CannotRun, SandboxError
from sandbox.queue import idempotency
from sandbox.queue.admission import Admission, get_caller_id, get_max_stored_bytes
from sandbox.queue.environments import Environments
from sandbox.queue.idempotency import KeyedRequest
from sandbox.queue.job_batch import Item
from sandbox.queue.job_store import JobStore
from sandbox.queue.submission import Submission, SubmissionRequest, Ticket
from sandbox.queue.transit import ItemTransit, encode_item
from sandbox.request_context import CURRENT_REQUEST_IDS, generate_id
from sandbox.schema import ExecuteRequest, VerifyRequest
from sandbox.schema.callbacks import Callback
from sandbox.schema.submissions import SubmissionKind
from sandbox.schema.vote import VoteRequest

EncodedItem = tuple[str, bytes]  # the id and the JSON


class Intake:
    """Accepts submissions. Thread-safe. `enqueue_webhook` queues the callback of a finished submission."""

    def __init__(
        self,
        redis: Redis,
        transit: ItemTransit,
        job_store: JobStore,
        admission: Admission,
        enqueue_webhook: Callable[[str], None],
        environments: Environments,
    ) -> None:
        self._redis = redis
        self._sender = transit.sender
        self._result_reader = transit.result_reader
        self._externalized = transit.externalized
        self._job_store = job_store
        self._admission = admission
        self._enqueue_webhook = enqueue_webhook
        self._environments = environments

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
        self._admission.check_room()
        submission = self._environments.bind(submission)
        if submission.durable or keyed is not None:
            return self._accept_stored(submission, keyed)
        return self._accept_awaited(submission)

    def cancel(self, submission_id: str) -> None:
        """Cancel the unfinished items of a stored submission, and charge only for its results from now on.

        Raises NotFound or RedisError.
        """
        self._job_store.cancel(submission_id)
        record = self._job_store.get_record(submission_id)
        if record.done_count < record.item_count:
            self._admission.refund_requests(submission_id, record.request_bytes)
            self._job_store.notify_cancelled(record)

    def _accept_awaited(self, submission: Submission) -> Ticket:
        submission_id = generate_id()
        items = self._build_items(submission_id, submission)
        item_ids = [item_id for item_id, _ in items]
        client = self._admission.admit(item_ids)
        futures = self._result_reader.expect(item_ids)
        try:
            self._sender.accept(submission.lane, items, client)
        except SandboxError as error:
            self._admission.release(client, item_ids)
            self._result_reader.fail(item_ids, error)
            self._externalized.forget(item_ids)
            raise
        return Ticket(submission_id, futures, client)

    def _accept_stored(self, submission: Submission, keyed: KeyedRequest | None) -> Ticket:
        submission_id = generate_id()
        items = self._build_items(submission_id, submission)
        item_ids = [item_id for item_id, _ in items]
        client = self._admission.admit(item_ids)
        request_bytes = sum(len(item) for _, item in items)
        try:
            self._admission.charge(submission_id, request_bytes, submission.reward)
        except (SandboxError, RedisError):
            self._admission.release(client, item_ids)
            raise
        first = self._job_store.create(submission_id, submission, client, keyed, request_bytes, get_max_stored_bytes())
        if first != submission_id:  # a submission with the same key was faster
            self._admission.release(client, item_ids)
            self._admission.refund(submission_id)
            return self._join_existing(first, submission.durable)
        if not items:
            if submission.callback is not None:
                self._enqueue_webhook(submission_id)  # there is no last item that would do it
            return Ticket(submission_id)
        ticket = Ticket(submission_id) if submission.durable else self._join_existing(submission_id, durable=False)
        try:
            self._job_store.record_first_batch(submission_id, self._sender.send_now(submission.lane, items, client))
        except SandboxError:
            self._admission.release(client, item_ids)
            self._job_store.discard(submission_id, keyed)
            self._admission.refund(submission_id)
            self._result_reader.fail(item_ids, Cancelled("not accepted"))
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
        common = Item(
            submission=submission_id,
            submitted_at=time.time(),
            kept=stored,
            reader="" if stored else self._result_reader.reader_id,
            client=get_caller_id(),
            request=request_ids.request_id,
            trace=request_ids.traceparent,
            **_build_callback_field(submission.callback),
        )
        items = []
        for position, request in enumerate(submission.requests):
            # A copy does not validate the request again, which has been parsed already.
            item = common.model_copy(
                update={"index": position if submission.batch else None, _get_field(request): request}
            )
            items.append((item.id, encode_item(item if stored else self._externalize(item))))
        return items

    def _externalize(self, item: Item) -> Item:
        try:
            return self._externalized.externalize(item)
        except RedisError:  # sending the item reports it
            return item


def _build_keyed_request(submission: Submission) -> KeyedRequest | None:
    if not submission.idempotency_key:
        return None
    reward, callback = submission.reward, submission.callback
    route = ["reward" if reward is not None else submission.kind, "batch" if submission.batch else "one"]
    parts = [*(submission.requests if reward is None else [reward]), *([] if callback is None else [callback])]
    return KeyedRequest.create(get_caller_id(), submission.idempotency_key, route, parts)


def _build_callback_field(callback: Callback | None) -> dict[str, Any]:
    return {} if callback is None else {"callback": "item" if callback.each else "batch"}


def _get_field(request: SubmissionRequest) -> SubmissionKind:
    """Return the field of an item that holds this request."""
    if isinstance(request, VerifyRequest):
        return "verify"
    if isinstance(request, ExecuteRequest):
        return "execute"
    return "vote" if isinstance(request, VoteRequest) else "hack"
