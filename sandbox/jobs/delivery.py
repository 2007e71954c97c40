"""Results on their way back: into the mail of the process that waits, and into Redis where they are to be kept.

A kept result is written once (HSETNX), so that an envelope run twice yields one result and one webhook. Who waits may
be told twice, and counts the first. What is kept is charged to its owner (`storage`), and a large result that its owner
has no room for is kept without its outputs.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError

from sandbox.jobs import keys, quotas, storage
from sandbox.jobs.envelope import Item

logger = logging.getLogger(__name__)

HOLD_S = 0.02
# Before a result, it says that no worker could run the item. A blank, so that who does not know it reads valid JSON.
CANNOT_RUN = b" "
FULL_PAUSE_S = 0.5
FULL_PATIENCE_S = 5.0  # how long Redis may be full until large results give up their outputs

# Keep a result and put its webhook among those to be delivered, both or neither: whatever dies in between, a result
# that is there has had its webhook put there too.
_KEEP_AND_CALL = """
local is_new = redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
if is_new == 1 then
    if ARGV[5] == 'item' then
        redis.call('ZADD', KEYS[3], ARGV[3], ARGV[4] .. '.' .. ARGV[1])
    elseif redis.call('HLEN', KEYS[1]) >= tonumber(redis.call('HGET', KEYS[2], 'total') or math.huge) then
        redis.call('ZADD', KEYS[3], ARGV[3], ARGV[4])
    end
end
return is_new
"""


class Courier:
    """Collects results and delivers them in one round trip, at the latest `HOLD_S` after the first."""

    def __init__(self, redis: Redis, result_ttl_s: int, max_kept_mb: int = 0) -> None:
        self._redis = redis
        self._result_ttl_s = result_ttl_s
        self._max_kept_mb = max_kept_mb
        self._mail: dict[str, list[bytes]] = defaultdict(list)
        self._kept: list[tuple[Item, bytes]] = []
        self._released: dict[str, list[str]] = defaultdict(list)
        self._full_since = 0.0
        self._lock = threading.Lock()
        self._holding = threading.Event()
        threading.Thread(target=self._deliver_what_is_held, name="courier", daemon=True).start()

    def take(self, item: Item, result: bytes) -> None:
        """Deliver `result` very soon."""
        with self._lock:
            if item.client:
                self._released[item.client].append(item.id)
            if item.kept:
                self._kept.append((item, result))
            else:
                self._mail[item.reader].append(addressed(item.id, result))
        self._holding.set()

    def cannot_run(self, item: Item, result: bytes) -> None:
        """Tell who waits for the item that it does not run here. A kept item needs no result for that: it stays queued.

        Raises RedisError.
        """
        letter = CANNOT_RUN + result
        if not item.kept:
            self.take(item, letter)
            return
        pipeline = self._redis.pipeline(transaction=False)
        for reader in self._redis.smembers(keys.readers(item.submission)):
            post(pipeline, reader.decode(), [addressed(item.id, letter)])
        pipeline.execute()

    def drop(self, item: Item) -> None:
        """An item that gets no result, for nobody wants it; told with the next results."""
        if item.client:
            with self._lock:
                self._released[item.client].append(item.id)

    def flush(self, then: Callable[[Pipeline], None] | None = None) -> None:
        """Deliver all that was taken, and do `then` in the same round trip.

        Raises RedisError; then nothing is forgotten.
        """
        with self._lock:
            try:
                self._flush(then)
                self._full_since = 0.0
            except RedisError as error:
                if storage.is_full(error):
                    self._make_do()
                raise

    def _flush(self, then: Callable[[Pipeline], None] | None) -> None:
        self._keep()
        if self._mail or self._released or then is not None:
            # All or nothing: an envelope must not be forgotten where its results were refused.
            pipeline = self._redis.pipeline(transaction=then is not None)
            for reader, letters in self._mail.items():
                post(pipeline, reader, letters)
            for client, item_ids in self._released.items():
                quotas.release(pipeline, client, item_ids)
            if then is not None:
                then(pipeline)
            pipeline.execute()
            self._mail.clear()
            self._released.clear()
        self._holding.clear()

    def _deliver_what_is_held(self) -> None:
        """Results must not wait for the program that runs after them, however long it takes."""
        while self._holding.wait():
            time.sleep(HOLD_S)
            try:
                self.flush()
            except RedisError as error:
                logger.warning("results wait for Redis: %s", error)
                if storage.is_full(error):
                    time.sleep(FULL_PAUSE_S)

    def _keep(self) -> None:
        if not self._kept:
            return
        self._shorten_what_has_no_room()
        pipeline = self._redis.pipeline(transaction=False)
        for item, result in self._kept:
            _keep_one(pipeline, item, result)
            pipeline.hlen(keys.results(item.submission))
            pipeline.hmget(keys.job(item.submission), "total", "request_bytes")
            pipeline.smembers(keys.readers(item.submission))
        answers = pipeline.execute()
        pipeline = self._redis.pipeline(transaction=False)
        growth: dict[str, int] = defaultdict(int)
        ended: set[str] = set()
        for position, (item, result) in enumerate(self._kept):
            is_new, done, (total, request_bytes), readers = answers[4 * position : 4 * position + 4]
            growth[item.submission] += len(result) * is_new
            if total is not None and done >= int(total):
                if item.submission not in ended:
                    ended.add(item.submission)
                    growth[item.submission] -= int(request_bytes or 0)
                for key in (keys.job, keys.results, keys.readers, keys.reward):
                    pipeline.expire(key(item.submission), self._result_ttl_s)
            # Also where the result was there already: its first try may have ended between keeping and telling.
            for reader in readers:
                post(pipeline, reader.decode(), [addressed(item.id, result)])
        storage.change(
            pipeline,
            [
                (storage.of_submission(submission), size, self._result_ttl_s if submission in ended else None)
                for submission, size in growth.items()
            ],
        )
        pipeline.execute()
        self._kept.clear()

    def _make_do(self) -> None:
        """Redis is full. What is sent counts as well, so a large result might never get in: send it without outputs."""
        now = time.monotonic()
        self._full_since = self._full_since or now
        if now - self._full_since < FULL_PATIENCE_S:
            return
        self._kept = [(item, _shortened(result)) for item, result in self._kept]
        for letters in self._mail.values():
            for at, letter in enumerate(letters):
                item_id, _, result = letter.partition(b" ")
                letters[at] = item_id + b" " + _shortened(result)

    def _shorten_what_has_no_room(self) -> None:
        large = [
            (at, item, result)
            for at, (item, result) in enumerate(self._kept)
            if len(result) > storage.LARGE_RESULT_BYTES and item.vote is None
        ]
        if not large:
            return
        wanted = [(item.client, item.submission, len(result)) for _, item, result in large]
        for (at, item, result), fits in zip(
            large, storage.have_room(self._redis, wanted, self._max_kept_mb), strict=True
        ):
            if not fits:
                self._kept[at] = (item, storage.without_outputs(result))


def _shortened(result: bytes) -> bytes:
    return storage.without_outputs(result) if len(result) > storage.LARGE_RESULT_BYTES else result


def _keep_one(pipeline: Pipeline, item: Item, result: bytes) -> None:
    """The pipeline's answer is 1 for a first result."""
    results, index = keys.results(item.submission), str(item.index or 0)
    if not item.callback:
        pipeline.hsetnx(results, index, result)
        return
    kept_in = (results, keys.job(item.submission), keys.WEBHOOKS_DUE)
    pipeline.eval(_KEEP_AND_CALL, 3, *kept_in, index, result, time.time(), item.submission, item.callback)


def addressed(item_id: str, result: bytes) -> bytes:
    """One letter: the item's id, a blank, its result."""
    return item_id.encode() + b" " + result


def post(pipeline: Pipeline, reader: str, letters: list[bytes]) -> None:
    pipeline.rpush(keys.mail(reader), *letters)
    pipeline.expire(keys.mail(reader), keys.MAIL_TTL_S)
