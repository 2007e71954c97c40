"""The records of sessions and of the hosts that hold them.

Theory of operation. A session lives on one host, and its record names that host. A host sends a heartbeat a few times
per lease. A session whose host has no recent heartbeat is lost, and its record says so from then on. A restarted host
has a new id, so it can never answer for sessions that it no longer has. Records stay for an hour after the end of their
session, so that a late call learns why it ended.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import BaseModel
from redis import Redis
from redis.client import Pipeline

from sandbox.errors import NotFound, SessionQuotaExceeded
from sandbox.queue import redis_keys
from sandbox.queue.connection import translate_redis_errors
from sandbox.schema.sessions import SessionHost, SessionInfo, SessionStatus

ENDED_TTL_S = 3_600
HEARTBEATS_PER_LEASE = 4
MAX_LISTED = 1_000
Stored = TypeVar("Stored", bound=BaseModel)
HOST_DIED = "the host that held it died or cannot be reached"

# Count a session against its owner's limit, or return how many the owner has open.
_ADMIT = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
local open = redis.call('ZCARD', KEYS[1])
if open + tonumber(ARGV[4]) > tonumber(ARGV[3]) then return open end
for position = 5, #ARGV do redis.call('ZADD', KEYS[1], ARGV[2], ARGV[position]) end
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
redis.call('EXPIRE', KEYS[1], math.ceil(tonumber(last[2]) - tonumber(ARGV[1])) + 60)
return -1
"""


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session's record in Redis. `owner` is the id of the API key that opened it."""

    session: SessionInfo
    host: str
    owner: str

    def encode(self) -> dict[str, str]:
        return {
            "session": self.session.model_dump_json(),
            "status": self.session.status.value,
            "host": self.host,
            "owner": self.owner,
        }

    @classmethod
    def decode(cls, fields: Mapping[bytes, bytes]) -> SessionRecord:
        session = parse_stored(SessionInfo, json.loads(fields[b"session"]))
        return cls(session, fields[b"host"].decode(), fields[b"owner"].decode())


def parse_stored(model: type[Stored], data: object) -> Stored:
    """Parse a model from Redis. Ignores fields that are unknown, because a newer version may have written it.

    Raises ValidationError.
    """
    return model.model_validate(_leave_out_unknown(model, data))


def _leave_out_unknown(model: type[BaseModel], data: object) -> object:
    if not isinstance(data, dict):
        return data
    known: dict[str, object] = {}
    for name, value in data.items():
        if (field := model.model_fields.get(name)) is not None:
            kind: object = field.annotation
            is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
            known[name] = _leave_out_unknown(kind, value) if is_model else value  # type: ignore[arg-type]
    return known


def read_record(redis: Redis, session_id: str) -> SessionRecord:
    """Return a session's record. Raises `errors.NotFound` or RedisError."""
    fields = redis.hgetall(redis_keys.session(session_id))
    if not fields:
        raise build_not_found(session_id)
    return SessionRecord.decode(fields)


def build_not_found(session_id: str) -> NotFound:
    return NotFound(f"no session {session_id}, or it ended over an hour ago")


def write_record(pipeline: Pipeline, record: SessionRecord) -> None:
    """Store a record, and list its session until it ends."""
    session = record.session
    key = redis_keys.session(session.id)
    pipeline.hset(key, mapping=record.encode())
    if session.status is SessionStatus.OPEN:
        pipeline.zadd(redis_keys.SESSIONS, {session.id: session.created_at})
        pipeline.zadd(redis_keys.SESSION_EXPIRIES, {session.id: session.expires_at})
        pipeline.persist(key)
        return
    pipeline.expire(key, ENDED_TTL_S)
    pipeline.expire(redis_keys.session_journal(session.id), ENDED_TTL_S)
    pipeline.zrem(redis_keys.SESSIONS, session.id)
    pipeline.zrem(redis_keys.SESSION_EXPIRIES, session.id)
    if record.owner:
        pipeline.zrem(redis_keys.owned_sessions(record.owner), session.id)


def end_session(redis: Redis, record: SessionRecord, status: SessionStatus, reason: str) -> SessionRecord:
    """Record that a session has ended, and why. Raises RedisError."""
    ended = record.session.model_copy(update={"status": status, "reason": reason, "expires_at": time.time()})
    changed = SessionRecord(ended, record.host, record.owner)
    pipeline = redis.pipeline(transaction=True)
    write_record(pipeline, changed)
    pipeline.execute()
    return changed


def list_records(redis: Redis, may_see: Callable[[str], bool], limit: int = MAX_LISTED) -> list[SessionRecord]:
    """Return the latest open sessions that the caller may see, latest first. Raises RedisError."""
    ids = [each.decode() for each in redis.zrevrange(redis_keys.SESSIONS, 0, limit - 1)]
    if not ids:
        return []
    pipeline = redis.pipeline(transaction=False)
    for session_id in ids:
        pipeline.hgetall(redis_keys.session(session_id))
    for session_id in ids:
        pipeline.zscore(redis_keys.SESSION_EXPIRIES, session_id)
    replies = pipeline.execute()
    found = list(zip(ids, replies[: len(ids)], replies[len(ids) :], strict=True))
    if gone := [session_id for session_id, fields, _ in found if not fields]:
        redis.zrem(redis_keys.SESSIONS, *gone)
        redis.zrem(redis_keys.SESSION_EXPIRIES, *gone)
    records = [_set_expiry(SessionRecord.decode(fields), expires_at) for _, fields, expires_at in found if fields]
    return [record for record in records if may_see(record.owner)]


def _set_expiry(record: SessionRecord, expires_at: float | None) -> SessionRecord:
    """Return the record with the expiry that its host last reported. The stored record may have an older one."""
    if expires_at is None:
        return record
    return replace(record, session=record.session.model_copy(update={"expires_at": expires_at}))


@translate_redis_errors
def record_expiry(redis: Redis, record: SessionRecord) -> None:
    """Record that an open session expires at another time. Raises QueueUnavailable."""
    session = record.session
    pipeline = redis.pipeline(transaction=True)
    pipeline.zadd(redis_keys.SESSION_EXPIRIES, {session.id: session.expires_at}, xx=True)
    if record.owner:
        key = redis_keys.owned_sessions(record.owner)
        pipeline.zadd(key, {session.id: session.expires_at}, xx=True)
        pipeline.expire(key, int(session.expires_at - time.time()) + 60, gt=True)
    pipeline.execute()


def admit_sessions(redis: Redis, owner: str, session_ids: Sequence[str], ttl_s: float, max_sessions: int) -> None:
    """Count sessions against their owner's limit. Raises `errors.SessionQuotaExceeded` or RedisError."""
    if not owner or not max_sessions:
        return
    now = time.time()
    key = redis_keys.owned_sessions(owner)
    open_now = redis.eval(_ADMIT, 1, key, now, now + ttl_s, max_sessions, len(session_ids), *session_ids)
    if open_now >= 0:
        raise SessionQuotaExceeded(
            f"this API key has {open_now} sessions open, and may have {max_sessions}; close one first", 5.0
        )


def release_sessions(redis: Redis, owner: str, session_ids: Sequence[str]) -> None:
    """Stop counting sessions that failed to open. Raises RedisError."""
    if owner and session_ids:
        redis.zrem(redis_keys.owned_sessions(owner), *session_ids)


def send_heartbeat(redis: Redis, host: SessionHost, lease_s: float, expiries: Mapping[str, float]) -> None:
    """Record that a session host is alive, how full it is, and when sessions expire, by their ids.

    Raises RedisError.
    """
    now = time.time()
    pipeline = redis.pipeline(transaction=False)
    pipeline.set(redis_keys.session_host(host.id), host.model_dump_json(), ex=int(3 * lease_s) + 1)
    pipeline.zadd(redis_keys.SESSION_HOSTS, {host.id: now})
    pipeline.zremrangebyscore(redis_keys.SESSION_HOSTS, "-inf", now - 10 * lease_s)
    if expiries:
        pipeline.zadd(redis_keys.SESSION_EXPIRIES, dict(expiries), xx=True)  # never add one that has ended meanwhile
    pipeline.execute()


def remove_host(redis: Redis, host: str) -> None:
    """Remove a host that stops, so that calls to its sessions fail at once. Raises RedisError."""
    pipeline = redis.pipeline(transaction=False)
    pipeline.zrem(redis_keys.SESSION_HOSTS, host)
    pipeline.delete(redis_keys.session_host(host), redis_keys.session_calls(host))
    pipeline.execute()


def list_hosts(redis: Redis, lease_s: float) -> list[SessionHost]:
    """Return the session hosts that are alive. Raises RedisError."""
    ids = [each.decode() for each in redis.zrangebyscore(redis_keys.SESSION_HOSTS, time.time() - lease_s, "+inf")]
    found = redis.mget([redis_keys.session_host(host) for host in ids]) if ids else []
    return [parse_stored(SessionHost, json.loads(text)) for text in found if text]


def count_hosts(redis: Redis, lease_s: float) -> int:
    """Return how many session hosts are alive. Raises RedisError."""
    return int(redis.zcount(redis_keys.SESSION_HOSTS, time.time() - lease_s, "+inf"))


def is_host_alive(redis: Redis, host: str, lease_s: float) -> bool:
    """Return whether a session host has sent a heartbeat within the lease. Raises RedisError."""
    beat = redis.zscore(redis_keys.SESSION_HOSTS, host)
    return beat is not None and beat >= time.time() - lease_s


def append_journal(pipeline: Pipeline, session_id: str, call: Mapping[str, Any]) -> None:
    """Add a call to the journal from which a lost session is rebuilt."""
    pipeline.rpush(redis_keys.session_journal(session_id), json.dumps(call))
