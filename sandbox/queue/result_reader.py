"""Results as they come in: one list in Redis per process, one thread that blocks on it, one future per item.

Theory of operation. A letter is never taken out of Redis before it has been handed out: it moves from the mail to the
list of this round, is read there, and that list is deleted in the next round. What is lost on the way (an answer of a
Redis that dies, a command that it refuses since its disk is full) is read again, and a request that is sent twice does
no harm. A letter may so come twice; the first counts. A round is one round trip: the wait for the first letter and the
look at all that are there by then travel together.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, InvalidStateError

from redis import Redis
from redis.exceptions import RedisError

from sandbox.errors import Cancelled, CannotRun
from sandbox.queue import redis_keys
from sandbox.queue.payload_files import CANCELLED_MESSAGE, PAYLOAD_MISSING
from sandbox.queue.result_writer import CANNOT_RUN_PREFIX
from sandbox.request_context import generate_id

logger = logging.getLogger(__name__)

BLOCK_TIMEOUT_S = 1.0
MAX_MESSAGES_PER_ROUND = 512

# Forget the last round, add what has come to what is read in this one, and read that.
_COLLECT = """
redis.call('DEL', KEYS[3])
local letters = redis.call('LPOP', KEYS[1], ARGV[1])
if letters then redis.call('RPUSH', KEYS[2], unpack(letters)) end
redis.call('EXPIRE', KEYS[2], ARGV[2])
return redis.call('LRANGE', KEYS[2], 0, -1)
"""


class ResultReader:
    """Thread-safe. `expect` before the item is sent, `start` before use, `close` after."""

    def __init__(
        self, redis: Redis, on_results: Callable[[Sequence[str]], None], on_payload_missing: Callable[[str], None]
    ) -> None:
        self.reader_id = generate_id()
        self._redis = redis
        self._on_results = on_results
        self._on_payload_missing = on_payload_missing
        self._futures: dict[str, Future[bytes]] = {}
        self._stored_ids: set[str] = set()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="mailbox", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closed = True
        self._thread.join(timeout=2 * BLOCK_TIMEOUT_S)
        for future in self._futures.values():
            future.cancel()

    def expect(self, item_ids: Sequence[str], stored: bool = False) -> list[Future[bytes]]:
        """A future for each item; `kept` ones have their results in Redis, too."""
        futures: list[Future[bytes]] = []
        if stored:
            self._stored_ids.update(item_ids)
        for item_id in item_ids:
            futures.append(self._futures.setdefault(item_id, Future()))
        return futures

    def list_expected(self) -> dict[str, bool]:
        """The items somebody waits for, and whether they are kept."""
        return {item_id: item_id in self._stored_ids for item_id in self._futures.copy()}

    def fail(self, item_ids: Iterable[str], error: Exception) -> None:
        """Nobody will answer, or wants, these any more: their futures fail with `error`."""
        for item_id in item_ids:
            self._stored_ids.discard(item_id)
            future = self._futures.pop(item_id, None)
            if future is not None and not future.done():
                future.set_exception(error)

    def resolve(self, item_id: str, result: bytes) -> None:
        """A result found elsewhere, or come by mail; the first one counts."""
        future = self._futures.pop(item_id, None)
        if future is None:
            return
        if self._stored_ids:
            self._stored_ids.discard(item_id)
        try:
            future.set_result(result)
        except InvalidStateError:  # the waiting client went away
            return

    def _run(self) -> None:
        number = 0
        may_wait = True
        while not self._closed:
            try:
                self._dispatch(self._collect(number, BLOCK_TIMEOUT_S if may_wait else 0.0))
                number, may_wait = number + 1, True
            except RedisError as error:
                logger.warning("mail waits for Redis: %s", error)
                time.sleep(0.2)
                may_wait = False  # the round may have its letters already

    def _collect(self, number: int, timeout_s: float) -> list[bytes]:
        """This round's letters, as soon as there is one: one round trip."""
        inbox, round_list = redis_keys.messages(self.reader_id), redis_keys.messages_in_round(self.reader_id, number)
        pipeline = self._redis.pipeline(transaction=False)
        if timeout_s:
            pipeline.blmove(inbox, round_list, timeout_s)
        pipeline.eval(
            _COLLECT,
            3,
            inbox,
            round_list,
            redis_keys.messages_in_round(self.reader_id, number - 1),
            MAX_MESSAGES_PER_ROUND,
            redis_keys.MESSAGES_TTL_S,
        )
        messages: list[bytes] = pipeline.execute()[-1]
        return messages

    def _dispatch(self, messages: Sequence[bytes]) -> None:
        if not messages:
            return
        arrived = []
        for message in messages:
            item_id, _, result = message.partition(b" ")
            if result == PAYLOAD_MISSING:
                self._on_payload_missing(item_id.decode())
                continue
            arrived.append(item_id.decode())
            if result == CANCELLED_MESSAGE:
                self.fail(arrived[-1:], Cancelled("the job was cancelled"))
            elif result.startswith(CANNOT_RUN_PREFIX):
                self.fail(arrived[-1:], CannotRun("no box starts for this program", result=result))
            else:
                self.resolve(arrived[-1], result)
        self._on_results(arrived)
