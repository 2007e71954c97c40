"""Idempotency keys: a key identifies the first submission made with it, and cannot be used for a different request.

Theory of operation. A key belongs to one caller and is stored as a digest. Its value in Redis has the submission's id,
the fingerprint of the request, and the name of the submission's record. The fingerprint is a hash of the route and the
body, so only a repetition of the same request matches. The key and the record are written in one step. A duplicate
request therefore always finds the record. When the record expires, the key can be used again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel
from redis import Redis

from sandbox.errors import IdempotencyKeyReused
from sandbox.queue import redis_keys
from sandbox.queue.cluster import LUA_TAG

SALT = b"sandbox idempotency key "
HEADER_FIELD = "header.Idempotency-Key"

_LOOK_UP = f"""
local first = redis.call('GET', KEYS[1])
local record = first and string.match(first, '^%S+ %S+ (%S+)$')
if record and redis.call('EXISTS', ({LUA_TAG}) .. record) == 0 then first = false end
"""
_FIND = _LOOK_UP + "return first"
_CREATE = (
    _LOOK_UP
    + """
if first then return first end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
redis.call('HSET', KEYS[2], unpack(ARGV, 3))
redis.call('EXPIRE', KEYS[2], ARGV[2])
return false
"""
)


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """One use of an idempotency key: its Redis key, and the fingerprint of the request."""

    key: str
    fingerprint: str

    @classmethod
    def create(
        cls, caller_id: str, idempotency_key: str, route: Sequence[str], models: Iterable[BaseModel]
    ) -> KeyedRequest | None:
        """Describe the use of an idempotency key by a request to `route`, whose body is `models`; None without a key.

        Two callers may use the same key, because the Redis key is derived from the caller's id and the key. A space
        separates the two, because no key contains one.
        """
        if not idempotency_key:
            return None
        text = f"{caller_id} {idempotency_key}" if caller_id else idempotency_key
        digest = hashlib.sha256(SALT + text.encode()).hexdigest()
        return cls(redis_keys.idempotency(digest), _compute_fingerprint(route, models))


def _compute_fingerprint(route: Sequence[str], models: Iterable[BaseModel]) -> str:
    """Return a hash of the parsed request, independent of the order of its JSON fields."""
    digest = hashlib.sha256("\0".join(route).encode())
    for model in models:
        content = model.model_dump_json(exclude_unset=True).encode()
        digest.update(b"\0%d\0" % len(content))
        digest.update(content)
    return digest.hexdigest()


def find_submission(redis: Redis, request: KeyedRequest) -> str:
    """Return the id of the submission first made with this key, or an empty string. Raises IdempotencyKeyReused."""
    value = redis.eval(_FIND, 1, request.key)
    return "" if value is None else _check_fingerprint(value, request)


def create_or_find(
    redis: Redis,
    request: KeyedRequest,
    submission: str,
    record: str,
    fields: Mapping[str, str | int | float],
    ttl_s: int,
) -> str:
    """Write the hash `record` of a new submission, unless the key is in use; return the id of the key's submission.

    Raises IdempotencyKeyReused.
    """
    pairs = [part for pair in fields.items() for part in pair]
    value = redis.eval(_CREATE, 2, request.key, record, f"{submission} {request.fingerprint} {record}", ttl_s, *pairs)
    return submission if value is None else _check_fingerprint(value, request)


def _check_fingerprint(value: bytes, request: KeyedRequest) -> str:
    submission, *rest = value.decode().split(" ")
    if rest and rest[0] != request.fingerprint:  # an older version wrote the id alone
        raise IdempotencyKeyReused(
            "this key was used for a different request: repeat that request to get its result, or use a new key",
            HEADER_FIELD,
        )
    return submission
