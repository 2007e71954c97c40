"""Receive results: one list in Redis per process, one thread that blocks on it, and one future per item.

Theory of operation. A message leaves Redis only after it has been delivered. In each round, messages move from the
process's list to the list of that round, and the thread reads that list. The next round deletes it. If a reply is lost
because Redis died or refused a command, the round is repeated, so a message may arrive twice; only the first counts.
Each round is one round trip, which waits for the first message and fetches all that have arrived by then.
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
from sandbox.queue.connection import get_failure_log_level, is_unreachable, log_redis_errors
from sandbox.queue.payload_files import CANCELLED_MESSAGE, PAYLOAD_MISSING
from sandbox.queue.result_writer import CANNOT_RUN_PREFIX
from sandbox.request_context import generate_id

logger = logging.getLogger(__name__)

BLOCK_TIMEOUT_S = 1.0
WAKE_MESSAGE = b""  # ends the wait of a reader that is being closed
MAX_MESSAGES_PER_ROUND = 512

# Delete the previous round's list, move new messages to this round's list, and read it.
COLLECT = """
redis.call('DEL', KEYS[3])
local messages = redis.call('LPOP', KEYS[1], ARGV[1])
if messages then redis.call('RPUSH', KEYS[2], unpack(messages)) end
redis.call('EXPIRE', KEYS[2], ARGV[2])
return redis.call('LRANGE', KEYS[2], 0, -1)
"""


class ResultReader:
    """Resolves a future for each expected item. Thread-safe.

    Call `start` before use, `expect` before an item is sent, and `close` afterwards.
    """

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
        self._thread = threading.Thread(target=self._run, name="result-reader", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closed = True
        if not is_unreachable():  # a client that retries would wait longer than the thread
            with log_redis_errors(logger, "cannot wake the reader of results"):
                self._wake()
        self._thread.join(timeout=2 * BLOCK_TIMEOUT_S)
        for future in self._futures.values():
            future.cancel()

    def expect(self, item_ids: Sequence[str], stored: bool = False) -> list[Future[bytes]]:
        """Return a future for each item. With `stored`, Redis also stores their results."""
        futures: list[Future[bytes]] = []
        if stored:
            self._stored_ids.update(item_ids)
        for item_id in item_ids:
            futures.append(self._futures.setdefault(item_id, Future()))
        return futures

    def list_expected(self) -> dict[str, bool]:
        """Return the ids of the expected items, and for each one whether Redis stores its result."""
        return {item_id: item_id in self._stored_ids for item_id in self._futures.copy()}

    def fail(self, item_ids: Iterable[str], error: Exception) -> None:
        """Fail the futures of these items with `error`."""
        for item_id in item_ids:
            self._stored_ids.discard(item_id)
            future = self._futures.pop(item_id, None)
            if future is not None and not future.done():
                future.set_exception(error)

    def resolve(self, item_id: str, result: bytes) -> None:
        """Set the result of an item; later results of the same item are ignored."""
        future = self._futures.pop(item_id, None)
        if future is None:
            return
        if self._stored_ids:
            self._stored_ids.discard(item_id)
        try:
            future.set_result(result)
        except InvalidStateError:  # the waiting client went away
            return

    def _wake(self) -> None:
        inbox = redis_keys.messages(self.reader_id)
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.rpush(inbox, WAKE_MESSAGE)
            pipeline.expire(inbox, redis_keys.MESSAGES_TTL_S)
            pipeline.execute()

    def _run(self) -> None:
        number = 0
        may_wait = True
        while not self._closed:
            try:
                self._dispatch(self._collect(number, BLOCK_TIMEOUT_S if may_wait else 0.0))
                number, may_wait = number + 1, True
            except RedisError as error:
                logger.log(get_failure_log_level(), "cannot read results from Redis, retrying: %s", error)
                time.sleep(0.2)
                may_wait = False  # the round's list may have messages already

    def _collect(self, number: int, timeout_s: float) -> list[bytes]:
        """Return the messages of this round in one round trip, waiting up to `timeout_s` for the first one."""
        inbox, round_list = redis_keys.messages(self.reader_id), redis_keys.messages_in_round(self.reader_id, number)
        pipeline = self._redis.pipeline(transaction=False)
        if timeout_s:
            pipeline.blmove(inbox, round_list, timeout_s)
        pipeline.eval(
            COLLECT,
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
            if message == WAKE_MESSAGE:
                continue
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
