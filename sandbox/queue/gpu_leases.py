"""The leases of GPU workers on their GPUs, which are also their heartbeats.

Leases go by the clock of Redis, because the clocks of hosts differ.
"""

from __future__ import annotations

from collections.abc import Sequence

from redis import Redis

from sandbox.queue import redis_keys
from sandbox.schema.gpu import GpuLease

# Lease all GPUs in one step, because two workers may ask at once. KEYS are the leases and the live workers. Returns the
# lease that another worker still holds, or false on success.
_RENEW = """
local worker, job, lease_s = ARGV[1], ARGV[2], tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
for index = 4, #ARGV do
  local text = redis.call('HGET', KEYS[1], ARGV[index])
  local held = text and cjson.decode(text)
  if held and held.worker ~= worker and held['until'] > now then return text end
end
for index = 4, #ARGV do
  local lease = {gpu = ARGV[index], worker = worker, job = job, ['until'] = now + lease_s}
  redis.call('HSET', KEYS[1], ARGV[index], cjson.encode(lease))
end
redis.call('ZADD', KEYS[2], string.format('%.3f', now + lease_s), worker)
return false
"""
_RELEASE = """
redis.call('ZREM', KEYS[2], ARGV[1])
for index = 2, #ARGV do
  local text = redis.call('HGET', KEYS[1], ARGV[index])
  if text and cjson.decode(text).worker == ARGV[1] then redis.call('HDEL', KEYS[1], ARGV[index]) end
end
return 1
"""


class GpuLeases:
    """The leases of all GPU workers. Thread-safe. Every method may raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def read_time(self) -> float:
        """Return the time of the Redis server, which governs leases, in seconds since the epoch."""
        seconds, microseconds = self._redis.time()
        return float(seconds) + float(microseconds) / 1e6

    def list_held(self) -> list[GpuLease]:
        """Return the leases that have not ended, by GPU."""
        now = self.read_time()
        held = [GpuLease.model_validate_json(text) for text in self._redis.hvals(redis_keys.GPU_LEASES)]
        return sorted((lease for lease in held if lease.until > now), key=lambda lease: lease.gpu)

    def list_living(self) -> set[str]:
        """Return the names of the workers whose lease has not ended, and remove all other workers from the list."""
        now = self.read_time()
        self._redis.zremrangebyscore(redis_keys.GPU_WORKERS, "-inf", f"({now}")
        return {name.decode() for name in self._redis.zrangebyscore(redis_keys.GPU_WORKERS, now, "+inf")}

    def has_living(self) -> bool:
        """Return whether any worker has a lease."""
        return bool(self._redis.zcount(redis_keys.GPU_WORKERS, self.read_time(), "+inf"))

    def renew(self, worker: str, gpus: Sequence[str], job_id: str, lease_s: float) -> GpuLease | None:
        """Lease `gpus` and mark this worker as alive for `lease_s` seconds.

        Returns None on success. If another worker holds one of the GPUs, changes nothing and returns that lease.
        """
        other = self._redis.eval(
            _RENEW, 2, redis_keys.GPU_LEASES, redis_keys.GPU_WORKERS, worker, job_id, lease_s, *gpus
        )
        return None if other is None else GpuLease.model_validate_json(other)

    def release(self, worker: str, gpus: Sequence[str]) -> None:
        """Release the leases of this worker; leases that another worker holds do not change."""
        self._redis.eval(_RELEASE, 2, redis_keys.GPU_LEASES, redis_keys.GPU_WORKERS, worker, *gpus)
