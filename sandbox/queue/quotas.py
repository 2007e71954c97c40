"""Limits of one API key: a token bucket and a maximum number of queued items, checked in Redis in one round trip.

Submissions without an API key have no such limits. The bucket counts items. A full bucket admits even a batch that is
larger than the burst, and goes into debt. A large batch is therefore never refused for its size, but it delays the next
one. The queued items are a sorted set of item ids. An item is removed by id when it has its result, so an item that ran
twice counts once.
"""

from __future__ import annotations

from collections.abc import Sequence

from redis import Redis
from redis.client import Pipeline

from sandbox.errors import QuotaExceeded, RateLimited
from sandbox.queue import redis_keys
from sandbox.queue.connection import translate_redis_errors
from sandbox.request_context import Caller

# Uses the clock of Redis, so that several API processes agree.
_ADMIT = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local rate, burst, most, ttl = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local count = #ARGV - 4
if most > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ttl)
  local queued = redis.call('ZCARD', KEYS[2])
  if queued + count > most then return {'queued', tostring(queued)} end
end
if rate > 0 then
  local held = redis.call('HMGET', KEYS[1], 'tokens', 'at')
  local tokens = burst
  if held[1] then tokens = math.min(burst, tonumber(held[1]) + math.max(0, now - tonumber(held[2])) * rate) end
  local needed = math.min(count, burst)
  if tokens < needed then return {'rate', tostring((needed - tokens) / rate)} end
  redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens - count), 'at', string.format('%.6f', now))
  redis.call('EXPIRE', KEYS[1], math.ceil((burst - tokens + count) / rate) + 1)
end
if most > 0 then
  for position = 5, #ARGV do redis.call('ZADD', KEYS[2], string.format('%.6f', now), ARGV[position]) end
  redis.call('EXPIRE', KEYS[2], ttl)
end
return {'', ''}
"""


class Quotas:
    """The rate limits and queue limits of all API keys. Thread-safe."""

    def __init__(self, redis: Redis, queue_ttl_s: int) -> None:
        self._redis = redis
        self._queue_ttl_s = queue_ttl_s
        self._admit_script = redis.register_script(_ADMIT)

    @translate_redis_errors
    def admit(self, caller: Caller, item_ids: Sequence[str]) -> None:
        """Count items against the caller's limits. Raises RateLimited, QuotaExceeded, or QueueUnavailable."""
        if not caller.rate and not caller.max_queued:
            return
        burst = max(1, caller.burst or round(caller.rate))
        refusal, value = self._admit_script(
            keys=[redis_keys.token_bucket(caller.id), redis_keys.queued_items(caller.id)],
            args=[caller.rate, burst, caller.max_queued, self._queue_ttl_s, *item_ids],
        )
        if refusal == b"rate":
            raise RateLimited(f"this API key may submit {caller.rate:g} programs per second", float(value))
        if refusal == b"queued":
            raise QuotaExceeded(
                f"this API key has {int(value)} of {caller.max_queued} programs queued, too many to add {len(item_ids)}"
            )

    @translate_redis_errors
    def release(self, caller_id: str, item_ids: Sequence[str]) -> None:
        """Stop counting items that were refused, or withdrawn before they were sent. Raises QueueUnavailable."""
        if item_ids:
            release(self._redis, caller_id, item_ids)


def release(redis: Redis | Pipeline, caller_id: str, item_ids: Sequence[str]) -> None:
    """Stop counting these items as queued."""
    redis.zrem(redis_keys.queued_items(caller_id), *item_ids)
