"""Items that a worker returns to the queue, so that they run elsewhere or later."""

from __future__ import annotations

import time
from collections.abc import Sequence

from redis import Redis

from sandbox.queue import job_batch, redis_keys
from sandbox.queue.job_batch import Item, SentBatches
from sandbox.schema import Lane

RETURN_PAUSE_S = 0.2


class ItemReturns:
    """Returns items of one worker. Thread-safe: only `requeue_not_run` uses the connection of the main thread."""

    def __init__(self, redis: Redis, background_redis: Redis, queue_ttl_s: int, lease_s: float) -> None:
        self._redis = redis
        self._background_redis = background_redis
        self._queue_ttl_s = queue_ttl_s
        self._lease_s = lease_s

    def requeue(self, items: Sequence[Item], lane: Lane, at_front: bool) -> SentBatches:
        """Queue items of one client as a new batch. Raises RedisError."""
        content = [item.model_dump_json().encode() for item in items]
        client, ttl_s = items[0].client, self._queue_ttl_s
        queue = job_batch.get_lane_queue(lane, self._background_redis)
        if client:
            return job_batch.send_for_client(
                self._background_redis, queue, [content], ttl_s, client, self._lease_s, at_front
            )
        return job_batch.send(self._background_redis, queue, [content], time.time(), ttl_s, at_front)

    def requeue_not_run(self, items: Sequence[Item], lane: Lane, serves: bool) -> None:
        """Return items that could not run to the queue. Raises RedisError.

        They go to the front of the queue. They go to the end if this slot still serves, because it would otherwise take
        them again immediately.
        """
        if not items:
            return
        sent = self.requeue(items, lane, at_front=not serves)
        for submission in {item.submission for item in items if item.kept}:
            if self._redis.exists(redis_keys.job(submission)):  # the new batch determines its position
                self._redis.hset(redis_keys.job(submission), "envelope", sent.ids[0])
        if serves:
            time.sleep(RETURN_PAUSE_S)
