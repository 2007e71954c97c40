"""Envelopes of clients with keys, taken in turns.

Theory of operation. A lane is one list, first come first served. A client with a key does not write into it what may
be long: its kept submissions, and what a worker gives back behind a slow program, are parked in a list of that
client's own. The clients that have something parked stand in a ring. A few envelopes, two for each living worker, are
forwarded from the ring to the lane, one of each client in turn, and the next is when one of these is done. So
whoever comes new waits for a few envelopes, however many another client has parked. Without keys none of this is
called. What Redis does here it does in scripts, each of them whole or not at all.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from redis import Redis
from redis.client import Pipeline

from sandbox.queue import redis_keys

ADMITTED_PER_WORKER = 2

_ENQUEUE_CLIENT = """
for position = 3, #ARGV do redis.call(ARGV[2], KEYS[1], ARGV[position]) end
if redis.call('LPOS', KEYS[2], ARGV[1]) == false then redis.call('RPUSH', KEYS[2], ARGV[1]) end
"""

_ADMIT = """
local alive = redis.call('ZCOUNT', KEYS[5], ARGV[2] - ARGV[3], '+inf')
local room = math.max(1, alive) * ARGV[4] - redis.call('ZCARD', KEYS[4])
while room > 0 do
  local client = redis.call('LPOP', KEYS[1])
  if not client then break end
  local parked = ARGV[1] .. client
  local envelope = redis.call('LPOP', parked)
  if envelope then
    redis.call('RPUSH', KEYS[2], envelope)
    redis.call('ZADD', KEYS[3], ARGV[2], envelope)
    redis.call('ZADD', KEYS[4], ARGV[2], envelope)
    room = room - 1
    if redis.call('LLEN', parked) > 0 then redis.call('RPUSH', KEYS[1], client) end
  end
end
"""


def enqueue_client(pipeline: Pipeline, lane: str, client: str, batch_ids: Sequence[str], at_front: bool) -> None:
    """Put envelopes behind what this client has parked, or before it."""
    push = "LPUSH" if at_front else "RPUSH"
    pipeline.eval(
        _ENQUEUE_CLIENT,
        2,
        redis_keys.client_queue(lane, client),
        redis_keys.client_rotation(lane),
        client,
        push,
        *batch_ids,
    )


def admit(redis: Redis | Pipeline, lane: str, lease_s: float) -> None:
    """Fill the lane with parked envelopes, as many as the workers can soon take."""
    redis.eval(
        _ADMIT,
        5,
        redis_keys.client_rotation(lane),
        redis_keys.rq_queue(lane),
        redis_keys.outstanding(lane),
        redis_keys.admitted(lane),
        redis_keys.WORKERS,
        redis_keys.client_queue(lane, ""),
        time.time(),
        lease_s,
        ADMITTED_PER_WORKER,
    )


def finish_batch(pipeline: Pipeline, lane: str, batch_id: str, lease_s: float) -> None:
    """An envelope ended: it makes room for the next that is parked."""
    pipeline.zrem(redis_keys.admitted(lane), batch_id)
    admit(pipeline, lane, lease_s)


def admit_stalled(redis: Redis, lease_s: float) -> None:
    """Forward what stands still: workers came, or an envelope ended without a word. One round trip if nothing waits."""
    pipeline = redis.pipeline(transaction=False)
    for lane in redis_keys.LANES:
        pipeline.exists(redis_keys.client_rotation(lane))
    for lane, has_waiting in zip(redis_keys.LANES, pipeline.execute(), strict=True):
        if not has_waiting:
            continue
        for batch_id in redis.zrange(redis_keys.admitted(lane), 0, -1):
            if redis.zscore(redis_keys.outstanding(lane), batch_id) is None:
                redis.zrem(redis_keys.admitted(lane), batch_id)
        admit(redis, lane, lease_s)
