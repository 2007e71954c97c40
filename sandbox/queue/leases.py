"""Heartbeats of workers, and the reaper that gives a dead worker's envelopes to the living.

Theory of operation. Every worker writes the time into one sorted set a few times per lease, from a thread of its own,
so a long program does not make it look dead. Whoever holds the reaper's key for this second looks for two kinds of
orphans: envelopes claimed by a worker whose heartbeat is older than a lease, and envelopes that were sent, are
claimed by nobody and lie in no queue (their worker died between taking and claiming them). Both go back to the front
of their lane. A worker that was only stopped, and wakes to find its envelope run elsewhere, does no harm: a result
counts once.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from sandbox.queue import fair_queue, redis_keys

logger = logging.getLogger(__name__)

HEARTBEATS_PER_LEASE = 4
RESERVED_SUFFIX = "-express"  # the end of the name of a worker that only takes what nobody else does
LOST_AFTER_S = 3.0
REAP_LIMIT = 200

# Give one envelope back, if it is still claimed by the worker we found dead.
_REQUEUE = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('LPUSH', KEYS[2], ARGV[1])
return 1
"""


class Heartbeat:
    """Says that a worker lives, and reaps for all.

    `on_beat` is called at each beat, for other small duties, and `on_reaped` with the number of envelopes whose worker
    was found gone.
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
        self.is_starting = False  # until the slot has proved that it can run programs
        self._beat_lock = threading.Lock()
        self._stop_requested = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self.beat()
        self._thread.start()

    def stop(self) -> None:
        """Stop, and say at once that this worker is gone."""
        self._stop_requested.set()
        self._thread.join(timeout=self._lease_s)
        try:
            self._redis.zrem(redis_keys.WORKERS, self._name)
            self._redis.zrem(redis_keys.STARTING, self._name)
            self._redis.delete(redis_keys.worker(self._name))
        except RedisError as error:
            logger.warning("could not sign off: %s", error)

    def _run(self) -> None:
        while not self._stop_requested.wait(self._lease_s / HEARTBEATS_PER_LEASE):
            try:
                self.beat()
                if self._redis.set(redis_keys.REAPER, self._name, nx=True, px=1_000):
                    self._on_reaped(reap(self._redis, self._lease_s))
                    fair_queue.admit_stalled(self._redis, self._lease_s)
                self._on_beat()
            except RedisError as error:
                logger.warning("heartbeat missed: %s", error)

    def beat(self) -> None:
        """Report now. Raises RedisError."""
        with self._beat_lock:
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.set(
                redis_keys.worker(self._name), json.dumps(dict(self._describe())), ex=int(self._lease_s * 3) + 1
            )
            pipeline.zadd(redis_keys.STARTING if self.is_starting else redis_keys.WORKERS, {self._name: time.time()})
            pipeline.execute()

    def mark_ready(self) -> None:
        """From here on the worker counts as one that takes programs. Raises RedisError."""
        self.is_starting = False
        self.beat()
        self._redis.zrem(redis_keys.STARTING, self._name)


def list_alive(redis: Redis, lease_s: float) -> list[str]:
    """Names of the workers whose last heartbeat is no older than a lease."""
    return [name.decode() for name in redis.zrangebyscore(redis_keys.WORKERS, time.time() - lease_s, "+inf")]


def list_slot_workers(redis: Redis, lease_s: float) -> list[str]:
    """Those of them that take whatever comes."""
    return [name for name in list_alive(redis, lease_s) if not name.endswith(RESERVED_SUFFIX)]


def list_starting(redis: Redis, lease_s: float) -> list[str]:
    """Names of the workers that have not proved yet that they can run programs."""
    return [name.decode() for name in redis.zrangebyscore(redis_keys.STARTING, time.time() - lease_s, "+inf")]


def reap(redis: Redis, lease_s: float) -> int:
    """Give orphaned envelopes back to their lanes; returns how many."""
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
                logger.warning("envelope was lost on its way, queued again", extra={"envelope": batch_id})
                reaped += 1
        if not old:
            redis.set(redis_keys.depth(lane), count_waiting(redis, lane))
    for known in (redis_keys.WORKERS, redis_keys.STARTING):
        redis.zremrangebyscore(known, "-inf", time.time() - 10 * lease_s)
    return reaped


def count_waiting(redis: Redis, lane: str) -> int:
    """Zero when the lane is empty, else its depth as counted: a worker that died may have left the count too high."""
    pipeline = redis.pipeline()
    pipeline.zcard(redis_keys.outstanding(lane))
    pipeline.get(redis_keys.depth(lane))
    outstanding, depth = pipeline.execute()
    return int(depth or 0) if outstanding else 0


def _requeue(redis: Redis, lane: str, batch_id: str, worker: str) -> int:
    requeued = int(redis.eval(_REQUEUE, 2, redis_keys.CLAIMS, redis_keys.rq_queue(lane), batch_id, worker))
    if requeued:
        logger.warning("worker is gone, its envelope is queued again", extra={"worker": worker, "envelope": batch_id})
    return requeued


def _is_lost(redis: Redis, lane: str, batch_id: str) -> bool:
    """Neither in its queue, nor claimed meanwhile, nor done."""
    if redis.lpos(redis_keys.rq_queue(lane), batch_id) is not None:
        return False
    time.sleep(0.01)  # between being taken and being claimed a healthy worker needs a millisecond
    pipeline = redis.pipeline()
    pipeline.hexists(redis_keys.CLAIMS, batch_id)
    pipeline.zscore(redis_keys.outstanding(lane), batch_id)
    claimed, sent = pipeline.execute()
    return not claimed and sent is not None
