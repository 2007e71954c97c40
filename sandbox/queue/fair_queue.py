"""Fair queueing between API keys.

Theory of operation. Each lane is a single FIFO list in Redis, so one client with 100,000 items would block everyone
behind it. To prevent that, potentially long work from a client with a key first goes into a list of that client's own:
stored submissions, and batches that a worker hands back because its current program is slow. A round-robin rotation
admits batches from these lists into the lane, one per client, and keeps at most two per live worker in flight. A new
client therefore waits for a few batches, no matter how many others have queued. Without API keys this module does
nothing. Each multi-step change is one Lua script, so it happens completely or not at all.
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
local alive = redis.call('ZCOUNT', KEYS[5], ARGV[1] - ARGV[2], '+inf')
local room = math.max(1, alive) * ARGV[3] - redis.call('ZCARD', KEYS[4])
while room > 0 do
  local client = redis.call('LPOP', KEYS[1])
  if not client then break end
  local client_queue = KEYS[6] .. client
  local batch_id = redis.call('LPOP', client_queue)
  if batch_id then
    redis.call('RPUSH', KEYS[2], batch_id)
    redis.call('ZADD', KEYS[3], ARGV[1], batch_id)
    redis.call('ZADD', KEYS[4], ARGV[1], batch_id)
    room = room - 1
    if redis.call('LLEN', client_queue) > 0 then redis.call('RPUSH', KEYS[1], client) end
  end
end
"""


def enqueue_client(pipeline: Pipeline, lane: str, client: str, batch_ids: Sequence[str], at_front: bool) -> None:
    """Add batches to the end, or to the front, of this client's own queue."""
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
    """Move batches from the client queues into the lane, as many as the workers can take soon."""
    redis.eval(
        _ADMIT,
        6,
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
    """Remove a finished batch from the admitted ones, and admit the next."""
    pipeline.zrem(redis_keys.admitted(lane), batch_id)
    admit(pipeline, lane, lease_s)


def admit_stalled(redis: Redis, lease_s: float) -> None:
    """Admit batches that still wait although there is room.

    This happens if workers were added, or if a batch that has ended still counts as admitted. Takes one round trip if
    no batch waits.
    """
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
