"""Items in transit: sent to the workers, but without a result yet.

Three components track these items: the sender, the reader of results, and the files with large texts. Any event that
ends an item, such as a result or a client that disconnects, must end it in all three.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pydantic_core import PydanticSerializationError
from redis import Redis

from sandbox.config import QueueSettings
from sandbox.errors import BadRequest, Cancelled, CannotRun, SandboxError
from sandbox.queue import leases, redis_keys
from sandbox.queue.job_batch import Item
from sandbox.queue.large_texts import find_large_texts, has_payload
from sandbox.queue.payload_files import PayloadFiles
from sandbox.queue.quotas import Quotas
from sandbox.queue.result_reader import ResultReader
from sandbox.queue.sender import BatchSender
from sandbox.queue.submission import Ticket
from sandbox.schema import Lane

logger = logging.getLogger(__name__)

WORKER_CHECK_INTERVAL_S = 1.0


class ItemTransit:
    """Sends the items of this process and receives their results. Thread-safe.

    Call `start` before use and `close` afterwards. `cancel` tells the workers to skip the items of a submission.
    """

    def __init__(self, redis: Redis, settings: QueueSettings, quotas: Quotas, cancel: Callable[[str], None]) -> None:
        self._quotas = quotas
        self._cancel = cancel
        self.sender = BatchSender(
            redis, settings.queue_ttl_s, settings.max_queued, settings.lease_s, settings.max_queued_mb << 20
        )
        self.result_reader = ResultReader(redis, self._handle_results, self._resend_with_payload)
        self.externalized = ExternalizedItems(settings.home, redis, settings.lease_s)

    def start(self) -> None:
        self.sender.start()
        self.result_reader.start()

    def close(self) -> None:
        self.sender.close()
        self.result_reader.close()
        self.externalized.close()

    def abandon(self, ticket: Ticket) -> None:
        """Cancel the unfinished items of a submission whose client disconnected. Raises RedisError."""
        waiting = [position for position, future in enumerate(ticket.results) if not future.done()]
        ids = {ticket.id, *(f"{ticket.id}.{position}" for position in waiting)}
        sent = self.sender.withdraw(ids)
        if ticket.client:
            self._quotas.release(ticket.client, list(ids - sent))
        if sent:
            self._cancel(ticket.id)
        self.result_reader.fail(ids, Cancelled("the client went away"))
        self.externalized.forget(ids)

    def fail_all(self, reason: str) -> None:
        """Fail the requests of all waiting clients; stored submissions stay queued.

        Raises RedisError or SandboxError.
        """
        expected = self.result_reader.list_expected()
        if not expected:
            return
        unsent = self.sender.withdraw_all()
        dropped = [item_id for item_id, stored in expected.items() if not stored]
        self.sender.mark_answered(dropped)
        self.result_reader.fail(expected, CannotRun("no worker can run programs now"))
        self.externalized.forget(dropped)
        logger.warning("failed all waiting requests", extra={"items": len(expected), "reason": reason})
        for client, item_ids in unsent.items():
            if client:
                self._quotas.release(client, item_ids)
        sent = set(dropped).difference(*unsent.values())
        for submission in {item_id.partition(".")[0] for item_id in sent}:
            self._cancel(submission)

    def _handle_results(self, item_ids: Sequence[str]) -> None:
        self.externalized.forget(item_ids)
        self.sender.mark_answered(item_ids)

    def _resend_with_payload(self, item_id: str) -> None:
        """Resend an item with its large texts, because its worker cannot read this host's payload files."""
        self.sender.mark_answered([item_id])
        item = self.externalized.take_original(item_id)
        if item is None:
            return
        try:
            lane = Lane.DEFAULT if item.work is None else item.work.priority
            self.sender.accept(lane, [(item.id, encode_item(item))], item.client)
        except SandboxError as error:
            self.result_reader.fail([item.id], error)


def encode_item(item: Item) -> bytes:
    """Return an item as JSON. Raises BadRequest if a Python caller has set values that JSON cannot represent."""
    try:
        return item.model_dump_json(exclude_unset=True).encode()
    except PydanticSerializationError as error:
        raise BadRequest(f"a value in the request has no form in JSON: {error}") from None


class ExternalizedItems:
    """The items of one process whose large texts are in files, until their results arrive. Thread-safe."""

    def __init__(self, home: Path, redis: Redis, lease_s: float) -> None:
        self._redis = redis
        self._lease_s = lease_s
        self._originals: dict[str, Item] = {}
        self._all_workers_share = False
        self._checked_at = float("-inf")
        self._payload_files: PayloadFiles | None = None
        try:
            self._payload_files = PayloadFiles(home)
            self._payload_files.sweep()
        except OSError as error:
            logger.warning("cannot write payload files, sending large texts through Redis: %s", error)

    def externalize(self, item: Item) -> Item:
        """Return the item to send. If all workers can read payload files, its large texts are moved into one.

        Raises RedisError.
        """
        request = item.work
        if self._payload_files is None or not has_payload(request) or not find_large_texts(request):
            return item
        if not self._is_shared():
            return item
        try:
            externalized = self._payload_files.externalize_item(item)
        except OSError as error:
            logger.warning("cannot write payload files, sending large texts through Redis: %s", error)
            return item
        self._originals[item.id] = item
        return externalized

    def take_original(self, item_id: str) -> Item | None:
        """Return the original item so that it can be sent again, and drop its file; return None if it is unknown."""
        self._drop_file(item_id)
        return self._originals.pop(item_id, None)

    def forget(self, item_ids: Iterable[str]) -> None:
        """Drop the files of items that have a result or that nobody waits for."""
        for item_id in item_ids:
            if self._originals.pop(item_id, None) is not None:
                self._drop_file(item_id)

    def close(self) -> None:
        if self._payload_files is not None:
            self._payload_files.close()

    def _drop_file(self, item_id: str) -> None:
        if self._payload_files is not None:
            self._payload_files.drop(item_id)

    def _is_shared(self) -> bool:
        """Return whether every live worker shares this process's payload files. Checks at most once per second."""
        now = time.monotonic()
        if now - self._checked_at > WORKER_CHECK_INTERVAL_S and self._payload_files is not None:
            names = leases.list_alive(self._redis, self._lease_s)
            descriptions = self._redis.mget([redis_keys.worker(name) for name in names]) if names else []
            identities = {json.loads(text).get("spool") for text in descriptions if text}
            self._all_workers_share = identities == {self._payload_files.identity}
            self._checked_at = now
        return self._all_workers_share
