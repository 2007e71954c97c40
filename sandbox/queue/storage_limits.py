"""Limits on the memory that stored submissions and task sets use in Redis, so that Redis never fills up.

Theory of operation. A full Redis refuses every write, including results of accepted work, so new work must be refused
earlier. Two measures decide. The first is the used fraction of Redis's `maxmemory`, read every second. At or above
`STORE_BELOW_FRACTION`, nothing new is stored. At or above `ACCEPT_BELOW_FRACTION`, no work is accepted; the rest of the
memory is reserved for the results of accepted work. The second measure is an account of stored bytes, per owner (an API
key) and in total. A submission is charged for its requests and later for its results instead; a task set is charged for
its JSON. Charges last until expiry. An owner over its quota is refused. All owners are refused if the total exceeds
`max_kept_mb`.

The size of a result is not known in advance. If its owner has no room left, a large result is stored without outputs
(`remove_outputs`). It keeps its status and all measurements, and its message says that the output is missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from sandbox.errors import StorageFull, StorageQuotaExceeded
from sandbox.queue import redis_keys
from sandbox.queue.repeating_thread import RepeatingThread
from sandbox.queue.storage_account import ALL_OWNERS, StorageAccount, adjust_charges

STORE_BELOW_FRACTION, ACCEPT_BELOW_FRACTION = 0.75, 0.9  # of maxmemory
DEFAULT_STORED_FRACTION = 0.5  # of maxmemory, if max_kept_mb is not set
CHECK_INTERVAL_S = 1.0
RECHECK_AFTER_BYTES = 1 << 20  # accepted since the last check, after which usage is read again
RETRY_AFTER_S = 30.0
RETRY_SOON_S = 5.0  # data in transit counts as used, and may be gone in a moment
OVERHEAD_BYTES = 512  # of Redis for each stored job or task set
LARGE_RESULT_BYTES = 16 << 10
NOT_STORED_MESSAGE = "the output is not stored: there is no room left for it"


@dataclass(frozen=True, slots=True)
class RedisUsage:
    """Redis's memory in bytes: used, limit (0: none), and stored according to the account."""

    used_bytes: int = 0
    max_bytes: int = 0
    stored_bytes: int = 0

    @classmethod
    def from_redis(cls, memory: Mapping[str, Any], stored: bytes | None) -> RedisUsage:
        return cls(int(memory.get("used_memory", 0)), int(memory.get("maxmemory", 0)), int(stored or 0))

    @property
    def used_fraction(self) -> float:
        return self.used_bytes / self.max_bytes if self.max_bytes else 0.0

    def compute_max_stored_bytes(self, max_kept_mb: int) -> int:
        """Return how many bytes may be stored in total; 0 means no limit."""
        return max_kept_mb << 20 if max_kept_mb else int(self.max_bytes * DEFAULT_STORED_FRACTION)


class StorageLimiter:
    """Refuses work and storage when Redis is nearly full. Thread-safe.

    Without `start`, it reads the memory usage only before it stores something.
    """

    def __init__(self, redis: Redis, max_kept_mb: int) -> None:
        self._redis = redis
        self._max_kept_mb = max_kept_mb
        self._usage = RedisUsage()
        self._accepted_bytes = 0  # bytes since the last check
        self._account = StorageAccount(redis)
        self._thread = RepeatingThread(
            "storage", CHECK_INTERVAL_S, self.refresh, "cannot read the memory usage of Redis"
        )

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._thread.stop(timeout_s=2 * CHECK_INTERVAL_S)

    def refresh(self) -> RedisUsage:
        """Read and return the memory usage of Redis now. Raises RedisError."""
        self._accepted_bytes = 0
        self._usage = read_usage(self._redis)
        return self._usage

    def admit(self) -> None:
        """Raise StorageFull if Redis had no room for more work at the last check. Takes no round trip."""
        if not self.has_room:
            raise StorageFull(
                "the queue's Redis is nearly full: no work is accepted until results expire", RETRY_SOON_S
            )

    def check_room(self, size_bytes: int) -> RedisUsage:
        """Raise StorageFull if Redis has no room to store that many more bytes. Raises RedisError."""
        self._accepted_bytes += size_bytes
        usage = (
            self.refresh() if self._accepted_bytes > RECHECK_AFTER_BYTES or not self._usage.used_bytes else self._usage
        )
        if usage.used_fraction >= STORE_BELOW_FRACTION or (
            usage.max_bytes and usage.used_bytes + size_bytes > ACCEPT_BELOW_FRACTION * usage.max_bytes
        ):
            raise StorageFull("the queue's Redis has no room for more jobs and task sets", RETRY_AFTER_S)
        return usage

    def charge(self, member: str, owner: str, size_bytes: int, ttl_s: int, owner_max_bytes: int = 0) -> None:
        """Charge `owner` for a job or task set that is stored for `ttl_s` seconds.

        `owner_max_bytes` is the quota of the owner; 0 means no limit. Raises StorageFull, StorageQuotaExceeded, or
        RedisError.
        """
        size_bytes += OVERHEAD_BYTES
        most = self.check_room(size_bytes).compute_max_stored_bytes(self._max_kept_mb)
        over, held = self._account.charge(member, owner, size_bytes, ttl_s, owner_max_bytes, most)
        if over == "owner":
            reason = (
                f"{size_bytes} more bytes are over this API key's quota, with {held} of {owner_max_bytes} bytes in use"
            )
            raise StorageQuotaExceeded(f"{reason}: wait until results expire, or send less", RETRY_AFTER_S)
        if over == ALL_OWNERS:
            raise StorageFull(
                f"{size_bytes} more bytes are over the limit for all clients, with {held} of {most} bytes in use",
                RETRY_AFTER_S,
            )

    def shrink(self, member: str, freed_bytes: int, ttl_s: int) -> None:
        """Charge less for a job or task set, and stop charging for it after `ttl_s` seconds. Raises RedisError."""
        adjust_charges(self._redis, [(member, -freed_bytes, ttl_s)])

    def release(self, member: str) -> None:
        """Stop charging for a job or task set, the `member`. Raises RedisError."""
        self._account.release(member)

    @property
    def has_room(self) -> bool:
        """True if work was accepted at the last check."""
        return self._usage.used_fraction < ACCEPT_BELOW_FRACTION

    def describe_usage(self) -> dict[str, int]:
        """Return the last check's values in bytes: memory that Redis uses, its limit (0: none), and stored data."""
        return {"used": self._usage.used_bytes, "limit": self._usage.max_bytes, "kept": self._usage.stored_bytes}

    def list_problems(self) -> list[str]:
        """Return the problems found by the last check."""
        usage = f"Redis uses {self._usage.used_bytes >> 20} of {self._usage.max_bytes >> 20} MiB"
        if not self.has_room:
            return [f"{usage}: no work is accepted"]
        if self._usage.used_fraction >= STORE_BELOW_FRACTION:
            return [f"{usage}: only requests whose client waits are accepted, no jobs or task sets"]
        return []


def read_usage(redis: Redis) -> RedisUsage:
    """Read the memory usage of Redis. Raises RedisError."""
    pipeline = redis.pipeline(transaction=False)
    pipeline.info("memory")
    pipeline.hget(redis_keys.STORED_TOTALS, ALL_OWNERS)
    return RedisUsage.from_redis(*pipeline.execute())


def find_fitting(redis: Redis, candidates: Sequence[tuple[str, str, int]], max_kept_mb: int) -> list[bool]:
    """Return for each (owner, submission, size) whether a result of that size may be stored. Takes one round trip.

    Raises RedisError.
    """
    pipeline = redis.pipeline(transaction=False)
    pipeline.info("memory")
    pipeline.hget(redis_keys.STORED_TOTALS, ALL_OWNERS)
    for owner, submission, _ in candidates:
        pipeline.hget(redis_keys.STORED_TOTALS, f"of {owner}")
        pipeline.hget(redis_keys.job(submission), "most_kept")
    memory, stored, *replies = pipeline.execute()
    usage = RedisUsage.from_redis(memory, stored)
    most, used, total_stored = usage.compute_max_stored_bytes(max_kept_mb), usage.used_bytes, usage.stored_bytes
    fits = []
    for (_, _, size), owner_stored, owner_max_bytes in zip(candidates, replies[::2], replies[1::2], strict=True):
        quota = int(owner_max_bytes or 0)
        fit = not (
            (quota and int(owner_stored or 0) + size > quota)
            or (most and total_stored + size > most)
            or (usage.max_bytes and used + size > ACCEPT_BELOW_FRACTION * usage.max_bytes)
        )
        used, total_stored = used + size * fit, total_stored + size * fit
        fits.append(fit)
    return fits


def remove_outputs(result: bytes) -> bytes:
    """Return an item's result as JSON without the output of the program and the compiler, and without files.

    The outputs of votes and hacks are their results, so those stay as they are.
    """
    fields = json.loads(result)
    if not {"stdout", "tests"} & fields.keys():
        return result
    for stage in (fields, fields.get("compile") or {}):
        for name in ("stdout", "stderr"):
            if stage.get(name):
                stage.update({name: "", f"{name}_truncated": True})
            stage.pop(f"{name}_base64", None)
    if "files" in fields:
        fields["files"] = {}
    if "message" in fields:
        fields["message"] = f"{fields['message']}; {NOT_STORED_MESSAGE}" if fields["message"] else NOT_STORED_MESSAGE
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
