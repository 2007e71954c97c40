"""The leases of workers that run programs, which are also their heartbeats, and the workers' claims on batches.

Every worker writes the current time into one sorted set a few times per lease. Each second, one worker gets the reaper
key, and requeues the batches of dead workers at the front of their lane (`claims`). A batch may run twice without harm,
because only the first result of an item counts.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from redis import Redis

from sandbox.queue import claims, fair_queue, redis_keys
from sandbox.queue.claims import Claim, LeaseKeeper
from sandbox.queue.connection import log_redis_errors

logger = logging.getLogger(__name__)

RESERVED_SUFFIX = "-express"  # ends the name of a reserved worker
LOST_AFTER_S = 3.0
REAP_LIMIT = 200

# Return one batch to its lane if the dead worker still has the claim.
_REQUEUE = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('LPUSH', KEYS[2], ARGV[1])
return 1
"""

# Reset the depth counters of lanes without unfinished batches: a dead worker may leave a counter too high.
_CORRECT_DEPTHS = """
for place = 1, #KEYS, 2 do
    if redis.call('ZCARD', KEYS[place]) == 0 then redis.call('SET', KEYS[place + 1], 0) end
end
"""


class Heartbeat:
    """Sends a worker's heartbeat, and takes its turn as the reaper.

    Each heartbeat calls `on_beat`. Each reaping calls `on_reaped` with the number of requeued batches.
    """

    def __init__(
        self,
        redis: Redis,
        name: str,
        lease_s: float,
        describe: Callable[[], Mapping[str, Any]],
        on_beat: Callable[[], None],
        on_reaped: Callable[[int], None],
    ) -> None:
        self._redis = redis
        self._name = name
        self._lease_s = lease_s
        self._describe = describe
        self._on_beat = on_beat
        self._on_reaped = on_reaped
        self.is_starting = False  # until the self-test has passed
        self._beat_lock = threading.Lock()
        self._lease_keeper = LeaseKeeper(lease_s, self._renew, self._reap)

    def start(self) -> None:
        self._lease_keeper.start()

    def stop(self) -> None:
        """Stop the heartbeat, and remove this worker from Redis immediately."""
        self._lease_keeper.stop()
        with log_redis_errors(logger, "cannot remove this worker from Redis"):
            self._redis.zrem(redis_keys.WORKERS, self._name)
            self._redis.zrem(redis_keys.STARTING, self._name)
            self._redis.delete(redis_keys.worker(self._name))

    def _renew(self) -> None:
        self.beat()
        self._on_beat()

    def _reap(self) -> None:
        if self._redis.set(redis_keys.REAPER, self._name, nx=True, px=1_000):
            self._on_reaped(reap(self._redis, self._lease_s))
            fair_queue.admit_stalled(self._redis, self._lease_s)

    def beat(self) -> None:
        """Send a heartbeat now. Raises RedisError."""
        with self._beat_lock:
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.set(
                redis_keys.worker(self._name), json.dumps(dict(self._describe())), ex=int(self._lease_s * 3) + 1
            )
            pipeline.zadd(redis_keys.STARTING if self.is_starting else redis_keys.WORKERS, {self._name: time.time()})
            pipeline.execute()

    def mark_ready(self) -> None:
        """Record that this worker takes programs. Raises RedisError."""
        self.is_starting = False
        self.beat()
        self._redis.zrem(redis_keys.STARTING, self._name)


def list_alive(redis: Redis, lease_s: float) -> list[str]:
    """Return the names of the workers whose last heartbeat is at most one lease old."""
    return [name.decode() for name in redis.zrangebyscore(redis_keys.WORKERS, time.time() - lease_s, "+inf")]


def list_slot_workers(redis: Redis, lease_s: float) -> list[str]:
    """Return the names of the live workers that are not reserved."""
    return [name for name in list_alive(redis, lease_s) if not name.endswith(RESERVED_SUFFIX)]


def list_slots(redis: Redis, lease_s: float) -> tuple[list[str], list[str]]:
    """Return the live workers that are not reserved, and those that have not passed their self-test yet, by name."""
    since = time.time() - lease_s
    pipeline = redis.pipeline(transaction=False)
    for known in (redis_keys.WORKERS, redis_keys.STARTING):
        pipeline.zrangebyscore(known, since, "+inf")
    alive, starting = ([name.decode() for name in names] for names in pipeline.execute())
    return [name for name in alive if not name.endswith(RESERVED_SUFFIX)], starting


def reap(redis: Redis, lease_s: float) -> int:
    """Return orphaned batches to their lanes, and return how many there were."""
    reaped = claims.reap(BatchClaims(redis, lease_s))
    pipeline = redis.pipeline(transaction=False)
    for known in (redis_keys.WORKERS, redis_keys.STARTING):
        pipeline.zremrangebyscore(known, "-inf", time.time() - 10 * lease_s)
    pipeline.execute()
    return len(reaped)


class BatchClaims:
    """The claims on the batches of all lanes; implements `claims.ClaimedWork`."""

    def __init__(self, redis: Redis, lease_s: float) -> None:
        self._redis = redis
        self._lease_s = lease_s

    def list_living(self) -> set[str]:
        return set(list_alive(self._redis, self._lease_s))

    def list_unfinished(self) -> Iterator[Claim]:
        """Yield the unfinished batches that are older than `LOST_AFTER_S`, and correct the depth of empty lanes."""
        before = time.time() - LOST_AFTER_S
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hgetall(redis_keys.CLAIMS)
        for lane in redis_keys.LANES:
            pipeline.zrangebyscore(redis_keys.outstanding(lane), "-inf", before, start=0, num=REAP_LIMIT)
        keys = [key for lane in redis_keys.LANES for key in (redis_keys.outstanding(lane), redis_keys.depth(lane))]
        pipeline.eval(_CORRECT_DEPTHS, len(keys), *keys)
        claims_by_id, *old_by_lane, _ = pipeline.execute()
        for lane, old in zip(redis_keys.LANES, old_by_lane, strict=True):
            for batch_id in old:
                worker = claims_by_id.get(batch_id)
                yield Claim(batch_id.decode(), lane, None if worker is None else worker.decode())

    def requeue_from(self, claim: Claim) -> bool:
        keys = redis_keys.CLAIMS, redis_keys.rq_queue(claim.queue)
        requeued = bool(self._redis.eval(_REQUEUE, len(keys), *keys, claim.id, claim.worker))
        if requeued:
            logger.warning("requeued a batch of a dead worker", extra={"worker": claim.worker, "envelope": claim.id})
        return requeued

    def is_lost(self, claim: Claim) -> bool:
        if self._redis.lpos(redis_keys.rq_queue(claim.queue), claim.id) is not None:
            return False
        time.sleep(0.01)  # a healthy worker claims a batch within a millisecond of taking it
        pipeline = self._redis.pipeline()
        pipeline.hexists(redis_keys.CLAIMS, claim.id)
        pipeline.zscore(redis_keys.outstanding(claim.queue), claim.id)
        claimed, sent = pipeline.execute()
        return not claimed and sent is not None

    def enqueue_lost(self, claim: Claim) -> None:
        self._redis.lpush(redis_keys.rq_queue(claim.queue), claim.id)
        logger.warning("requeued a batch that was lost before a worker claimed it", extra={"envelope": claim.id})
