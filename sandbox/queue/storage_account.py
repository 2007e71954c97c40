"""An account of the bytes that stored submissions and task sets use in Redis, per owner and in total.

Each stored submission or task set is a member of the account, with its size, its owner, and the time at which its
charge ends.
"""

from __future__ import annotations

from collections.abc import Sequence

from redis import Redis
from redis.client import Pipeline

from sandbox.queue import redis_keys

ALL_OWNERS = "all"

_KEYS = (redis_keys.STORED_UNTIL, redis_keys.STORED_SIZES, redis_keys.STORED_TOTALS)
_FUNCTIONS = """
local time = redis.call('TIME')
local now = tonumber(time[1])
local function add(owner, size)
  for _, field in ipairs({'all', 'of ' .. owner}) do
    if redis.call('HINCRBY', KEYS[3], field, size) <= 0 then redis.call('HDEL', KEYS[3], field) end
  end
end
local function entry(member)
  local text = redis.call('HGET', KEYS[2], member)
  if not text then return nil end
  local size, owner = string.match(text, '^(%d+) (.*)$')
  return tonumber(size), owner
end
local function forget(member)
  local size, owner = entry(member)
  redis.call('ZREM', KEYS[1], member)
  redis.call('HDEL', KEYS[2], member)
  if size then add(owner, -size) end
end
"""
# If the member exists already (a task set that is put again), only extend its lifetime.
_CHARGE = (
    _FUNCTIONS
    + """
local member, owner, size, life = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local most_of_owner, most = tonumber(ARGV[5]), tonumber(ARGV[6])
for _, expired in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1000)) do forget(expired) end
if not entry(member) then
  local of_owner = tonumber(redis.call('HGET', KEYS[3], 'of ' .. owner) or 0)
  local all = tonumber(redis.call('HGET', KEYS[3], 'all') or 0)
  if most_of_owner > 0 and of_owner + size > most_of_owner then return {'owner', of_owner} end
  if most > 0 and all + size > most then return {'all', all} end
  redis.call('HSET', KEYS[2], member, string.format('%d', size) .. ' ' .. owner)
  add(owner, size)
end
redis.call('ZADD', KEYS[1], now + life, member)
for _, key in ipairs(KEYS) do
  if redis.call('TTL', key) < life then redis.call('EXPIRE', key, life) end
end
return {'', 0}
"""
)
# ARGV repeats: member, growth in bytes, new lifetime in seconds or an empty string.
_CHANGE = (
    _FUNCTIONS
    + """
for at = 1, #ARGV, 3 do
  local size, owner = entry(ARGV[at])
  if size then
    local changed = math.max(0, size + tonumber(ARGV[at + 1]))
    redis.call('HSET', KEYS[2], ARGV[at], string.format('%d', changed) .. ' ' .. owner)
    add(owner, changed - size)
    if ARGV[at + 2] ~= '' then redis.call('ZADD', KEYS[1], now + tonumber(ARGV[at + 2]), ARGV[at]) end
  end
end
"""
)
_RELEASE = _FUNCTIONS + "for _, member in ipairs(ARGV) do forget(member) end"


class StorageAccount:
    """Charges owners (API keys) for members (jobs and task sets). Every method may raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._charge_script = redis.register_script(_CHARGE)

    def charge(
        self, member: str, owner: str, size_bytes: int, ttl_s: int, owner_max_bytes: int, max_bytes: int
    ) -> tuple[str, int]:
        """Charge `owner` for a member for `ttl_s` seconds, unless that exceeds a limit. A limit of 0 means no limit.

        Returns an empty string and 0 on success; otherwise `owner` or `all`, whichever limit would be exceeded, and the
        bytes in use.
        """
        limits = [owner_max_bytes, max_bytes]
        over, held = self._charge_script(keys=_KEYS, args=[member, owner, size_bytes, ttl_s, *limits])
        return over.decode(), int(held)

    def release(self, member: str) -> None:
        """Stop charging for a member."""
        self._redis.eval(_RELEASE, len(_KEYS), *_KEYS, member)


def submission_member(submission: str) -> str:
    return f"job {submission}"


def task_set_member(set_id: str) -> str:
    return f"tasks {set_id}"


def adjust_charges(redis: Redis | Pipeline, changes: Sequence[tuple[str, int, int | None]]) -> None:
    """Adjust the charges of members. Each change is (member, growth in bytes, new lifetime in seconds or None).

    Raises RedisError unless `redis` is a pipeline.
    """
    words = [word for member, growth, life_s in changes for word in (member, growth, "" if life_s is None else life_s)]
    if words:
        redis.eval(_CHANGE, len(_KEYS), *_KEYS, *words)
