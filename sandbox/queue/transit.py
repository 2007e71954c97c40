"""Items in transit: sent to the workers, but without a result yet.

Three components track these items: the sender, the reader of results, and the files with large texts. Any event that
ends an item, such as a result or a client that disconnects, must end it in all three.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from pydantic_core import PydanticSerializationError
from redis import Redis

from sandbox.config import QueueSettings
from sandbox.errors import BadRequest, Cancelled, CannotRun, SandboxError
from sandbox.queue.externalized_items import ExternalizedItems
from sandbox.queue.job_batch import Item
from sandbox.queue.quotas import Quotas
from sandbox.queue.result_reader import ResultReader
from sandbox.queue.sender import BatchSender
from sandbox.queue.submission import Ticket
from sandbox.schema import Lane

logger = logging.getLogger(__name__)


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
