"""The lanes from which a worker takes batches."""

from __future__ import annotations

import time
from collections.abc import Sequence

from redis import Redis

from sandbox.queue import job_batch, redis_keys
from sandbox.queue.cluster import strip_tag
from sandbox.schema import Lane

DEQUEUE_TIMEOUT_S = 5
RESERVED_CHECK_INTERVAL_S = 0.2
OFFERS = "offers"  # stands for a lane


class BatchSource:
    """Takes batches from all lanes, in order of priority.

    With `reserved_lanes`, takes batches of only these lanes, and only batches that no other worker takes. Such batches
    exist because programs of other lanes may occupy every other slot for minutes. With `takes_offers`, takes the id of
    an offer of tests (`queue.offers`) if no lane has a batch; its lane is then `OFFERS`.
    """

    def __init__(self, redis: Redis, reserved_lanes: Sequence[Lane], takes_offers: bool = False) -> None:
        self.queues = [job_batch.get_lane_queue(lane, redis) for lane in reserved_lanes or redis_keys.LANES]
        self._redis = redis
        self._is_reserved = bool(reserved_lanes)
        self._keys = [queue.key for queue in self.queues]
        self._lane_by_key = {queue.key.encode(): queue.name for queue in self.queues}
        if takes_offers and not reserved_lanes:  # last: Redis takes from the first list that has an entry
            self._keys.append(redis_keys.OFFERS)
            self._lane_by_key[redis_keys.OFFERS.encode()] = OFFERS
        self._heads: list[bytes | None] = [None for _ in self.queues]  # the first batch of each lane at the last check

    def take(self) -> tuple[bytes, str] | None:
        """Return the id and lane of the next batch, from the first lane that has one; None if there is none yet."""
        taken = self._take_stuck() if self._is_reserved else self._redis.blpop(self._keys, timeout=DEQUEUE_TIMEOUT_S)
        return None if taken is None else (taken[1], self._lane_by_key[strip_tag(taken[0])])

    def _take_stuck(self) -> tuple[bytes, bytes] | None:
        """Take a stuck batch: it is first in its lane at two consecutive checks, and no batch of that lane runs.

        All other slots are then busy with other lanes. Returns None if there is no stuck batch.
        """
        pipeline = self._redis.pipeline(transaction=False)
        for key, lane in zip(self._keys, self._lane_by_key.values(), strict=True):
            pipeline.lindex(key, 0)
            pipeline.llen(key)
            pipeline.zcard(redis_keys.outstanding(lane))
        replies = pipeline.execute()
        before, self._heads = self._heads, replies[::3]
        for place, key in enumerate(self._keys):
            head, waiting, outstanding = replies[3 * place : 3 * place + 3]
            stuck = head is not None and head == before[place] and outstanding <= waiting
            if stuck and (batch_id := self._redis.lpop(key)) is not None:
                return key.encode(), batch_id
        time.sleep(RESERVED_CHECK_INTERVAL_S)
        return None
