"""Worker heartbeats, and the reaper that requeues the batches of dead workers.

Theory of operation. Every worker writes the current time into one sorted set a few times per lease. It does so from a
separate thread, so a long program does not make the worker look dead. The worker that holds the reaper key for the
current second looks for two kinds of orphans. The first are batches claimed by a worker whose heartbeat is older than a
lease. The second are unfinished batches that have no claim and are in no queue, because their worker died between
taking and claiming them. Both go back to the front of their lane. A worker that was only suspended may resume and run
a batch that has also run elsewhere. That does no harm, because each result counts once.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from redis import Redis

from sandbox.queue import fair_queue, redis_keys
from sandbox.queue.connection import log_redis_errors

logger = logging.getLogger(__name__)

HEARTBEATS_PER_LEASE = 4
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
        self._beat_at = self._may_reap_from = 0.0
        self.is_starting = False  # until the self-test has passed
        self._beat_lock = threading.Lock()
        self._stop_requested = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self.beat()
        self._beat_at = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Stop the heartbeat, and remove this worker from Redis immediately."""
        self._stop_requested.set()
        self._thread.join(timeout=self._lease_s)
        with log_redis_errors(logger, "cannot remove this worker from Redis"):
            self._redis.zrem(redis_keys.WORKERS, self._name)
            self._redis.zrem(redis_keys.STARTING, self._name)
            self._redis.delete(redis_keys.worker(self._name))

    def _run(self) -> None:
        while not self._stop_requested.wait(self._lease_s / HEARTBEATS_PER_LEASE):
            with log_redis_errors(logger, "heartbeat missed"):
                self.beat()
                if self._may_reap() and self._redis.set(redis_keys.REAPER, self._name, nx=True, px=1_000):
                    self._on_reaped(reap(self._redis, self._lease_s))
                    fair_queue.admit_stalled(self._redis, self._lease_s)
                self._on_beat()

    def _may_reap(self) -> bool:
        """Tell whether a worker without a recent heartbeat can be taken for dead.

        For one lease after a late heartbeat it cannot: if Redis was away, workers that live could not send one either.
        """
        now = time.monotonic()
        if now - self._beat_at > self._lease_s:
            self._may_reap_from = now + self._lease_s
        self._beat_at = now
        return now >= self._may_reap_from

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
        """Mark this worker as one that takes programs. Raises RedisError."""
        self.is_starting = False
        self.beat()
        self._redis.zrem(redis_keys.STARTING, self._name)


def list_alive(redis: Redis, lease_s: float) -> list[str]:
    """Return the names of the workers whose last heartbeat is at most one lease old."""
    return [name.decode() for name in redis.zrangebyscore(redis_keys.WORKERS, time.time() - lease_s, "+inf")]


def list_slot_workers(redis: Redis, lease_s: float) -> list[str]:
    """Return the names of the live workers that are not reserved."""
    return [name for name in list_alive(redis, lease_s) if not name.endswith(RESERVED_SUFFIX)]


def list_starting(redis: Redis, lease_s: float) -> list[str]:
    """Return the names of the workers that have not passed their self-test yet."""
    return [name.decode() for name in redis.zrangebyscore(redis_keys.STARTING, time.time() - lease_s, "+inf")]


def reap(redis: Redis, lease_s: float) -> int:
    """Return orphaned batches to their lanes, and return how many there were."""
    living = set(list_alive(redis, lease_s))
    claims = {name.decode(): worker.decode() for name, worker in redis.hgetall(redis_keys.CLAIMS).items()}
    reaped = 0
    for lane in redis_keys.LANES:
        old = redis.zrangebyscore(
            redis_keys.outstanding(lane), "-inf", time.time() - LOST_AFTER_S, start=0, num=REAP_LIMIT
        )
        for batch_id in map(bytes.decode, old):
            worker = claims.get(batch_id)
            if worker is not None and worker not in living:
                reaped += _requeue(redis, lane, batch_id, worker)
            elif worker is None and _is_lost(redis, lane, batch_id):
                redis.lpush(redis_keys.rq_queue(lane), batch_id)
                logger.warning(
                    "requeued a batch that was lost before a worker claimed it", extra={"envelope": batch_id}
                )
                reaped += 1
        if not old:
            redis.set(redis_keys.depth(lane), count_waiting(redis, lane))
    for known in (redis_keys.WORKERS, redis_keys.STARTING):
        redis.zremrangebyscore(known, "-inf", time.time() - 10 * lease_s)
    return reaped


def count_waiting(redis: Redis, lane: str) -> int:
    """Return the depth counter of a lane, or 0 if the lane is empty: a dead worker may leave the counter too high."""
    pipeline = redis.pipeline()
    pipeline.zcard(redis_keys.outstanding(lane))
    pipeline.get(redis_keys.depth(lane))
    outstanding, depth = pipeline.execute()
    return int(depth or 0) if outstanding else 0


def _requeue(redis: Redis, lane: str, batch_id: str, worker: str) -> int:
    requeued = int(redis.eval(_REQUEUE, 2, redis_keys.CLAIMS, redis_keys.rq_queue(lane), batch_id, worker))
    if requeued:
        logger.warning("requeued a batch of a dead worker", extra={"worker": worker, "envelope": batch_id})
    return requeued


def _is_lost(redis: Redis, lane: str, batch_id: str) -> bool:
    """Return whether an unfinished batch is in no queue and has no claim."""
    if redis.lpos(redis_keys.rq_queue(lane), batch_id) is not None:
        return False
    time.sleep(0.01)  # a healthy worker claims a batch within a millisecond of taking it
    pipeline = redis.pipeline()
    pipeline.hexists(redis_keys.CLAIMS, batch_id)
    pipeline.zscore(redis_keys.outstanding(lane), batch_id)
    claimed, sent = pipeline.execute()
    return not claimed and sent is not None
