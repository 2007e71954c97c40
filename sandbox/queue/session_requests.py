"""Requests for sessions that have an idempotency key: a repetition gets the sessions of the first request.

Theory of operation. The key and a record of the request are written in one step, as for submissions. The record names
its holder: the latest of the repeated requests. A repetition asks for nothing; it waits until the sessions exist. If a
request fails, or if the client of its holder disconnects, the record is removed, and the next repetition starts again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from redis import Redis

from sandbox.queue import idempotency, redis_keys
from sandbox.queue.idempotency import KeyedRequest
from sandbox.request_context import generate_id

REQUEST_TTL_S = 3_600
HOLDER = "holder"

_TAKE_OVER = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'holder', ARGV[1])
return 1
"""
_RELEASE = "if redis.call('HGET', KEYS[1], 'holder') == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


@dataclass(frozen=True, slots=True)
class Claim:
    """A request's claim on the sessions that its key stands for. The first request creates them, the others wait.

    `holder` is empty if the request has no key.
    """

    session_id: str
    holder: str = ""
    is_first: bool = True

    @property
    def record(self) -> str:
        return redis_keys.session_request(self.session_id)


def claim_session(redis: Redis, keyed: KeyedRequest | None) -> Claim:
    """Claim the sessions of a key, or new sessions if there is no key. Raises IdempotencyKeyReused or RedisError."""
    while True:
        if keyed is None:
            return Claim(generate_id())
        claim = Claim(generate_id(), generate_id())
        fields = {HOLDER: claim.holder}
        first = idempotency.create_or_find(redis, keyed, claim.session_id, claim.record, fields, REQUEST_TTL_S)
        if first == claim.session_id:
            return claim
        claim = Claim(first, claim.holder, is_first=False)
        if redis.eval(_TAKE_OVER, 1, claim.record, claim.holder):
            return claim


def release_claim(redis: Redis, claim: Claim) -> bool:
    """Remove a request's record. Returns False if a repetition of the request now holds it. Raises RedisError."""
    return not claim.holder or bool(redis.eval(_RELEASE, 1, claim.record, claim.holder))


def remove_request(redis: Redis, claim: Claim) -> None:
    """Remove a request that failed, so that a repetition starts again. Raises RedisError."""
    if claim.holder:
        redis.delete(claim.record)


def exists(redis: Redis, claim: Claim) -> bool:
    """Return whether a request has neither failed nor been given up. Raises RedisError."""
    return bool(redis.exists(claim.record))


def derive_ids(claim: Claim, count: int) -> list[str]:
    """Return the ids of all sessions of a claim: the first id, and digests of it."""
    digests = [hashlib.sha256(f"{claim.session_id} {number}".encode()).hexdigest() for number in range(1, count)]
    return [claim.session_id, *(digest[: len(claim.session_id)] for digest in digests)]
