"""Results on their way back: into the mail of the process that waits, and into Redis where they are to be kept.

A kept result is written once (HSETNX), so that an envelope run twice yields one result and one notification.
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

from sandbox.jobs import keys
from sandbox.jobs.envelope import Item

logger = logging.getLogger(__name__)

HOLD_S = 0.005


class Courier:
    """Collects results and delivers them in one round trip, at the latest `HOLD_S` after the first."""

    def __init__(self, redis: Redis, result_ttl_s: int) -> None:
        self._redis = redis
        self._result_ttl_s = result_ttl_s
        self._mail: dict[str, list[bytes]] = defaultdict(list)
        self._kept: list[tuple[Item, bytes]] = []
        self._lock = threading.Lock()
        self._holding = threading.Event()
        threading.Thread(target=self._deliver_what_is_held, name="courier", daemon=True).start()

    def take(self, item: Item, result: bytes) -> None:
        """Deliver `result` very soon."""
        with self._lock:
            if item.kept:
                self._kept.append((item, result))
            else:
                self._mail[item.reader].append(addressed(item.id, result))
        self._holding.set()

    def flush(self, then: Callable[[Pipeline], None] | None = None) -> None:
        """Deliver all that was taken, and do `then` in the same round trip.

        Raises RedisError; then nothing is forgotten.
        """
        with self._lock:
            self._keep()
            if self._mail or then is not None:
                pipeline = self._redis.pipeline(transaction=False)
                for reader, letters in self._mail.items():
                    post(pipeline, reader, letters)
                if then is not None:
                    then(pipeline)
                pipeline.execute()
                self._mail.clear()
            self._holding.clear()

    def _deliver_what_is_held(self) -> None:
        """Results must not wait for the program that runs after them, however long it takes."""
        while self._holding.wait():
            time.sleep(HOLD_S)
            try:
                self.flush()
            except RedisError as error:
                logger.warning("results wait for Redis: %s", error)

    def _keep(self) -> None:
        if not self._kept:
            return
        pipeline = self._redis.pipeline(transaction=False)
        for item, result in self._kept:
            pipeline.hsetnx(keys.results(item.submission), str(item.index or 0), result)
            pipeline.hlen(keys.results(item.submission))
            pipeline.hget(keys.job(item.submission), "total")
            pipeline.smembers(keys.readers(item.submission))
        answers = pipeline.execute()
        pipeline = self._redis.pipeline(transaction=False)
        for position, (item, result) in enumerate(self._kept):
            is_new, done, total, readers = answers[4 * position : 4 * position + 4]
            if total is not None and done >= int(total):
                for key in (keys.job, keys.results, keys.readers):
                    pipeline.expire(key(item.submission), self._result_ttl_s)
            for reader in readers if is_new else ():
                post(pipeline, reader.decode(), [addressed(item.id, result)])
        pipeline.execute()
        self._kept.clear()


def addressed(item_id: str, result: bytes) -> bytes:
    """One letter: the item's id, a blank, its result."""
    return item_id.encode() + b" " + result


def post(pipeline: Pipeline, reader: str, letters: list[bytes]) -> None:
    pipeline.rpush(keys.mail(reader), *letters)
    pipeline.expire(keys.mail(reader), keys.MAIL_TTL_S)
