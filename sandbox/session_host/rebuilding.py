"""Rebuild a session whose host died: run the calls in its journal again, in order.

Theory of operation. An API process that needs the session sets a lock and asks for a host. The host that takes the
request puts its id into the lock, renews it with each heartbeat, and deletes it at the end. The session changes its
host only if in the meantime neither its record nor its journal has changed and its old host has not come back. An error
that would occur again on every host marks the session as lost.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from typing import Any

from redis import Redis
from redis.exceptions import RedisError, WatchError

from sandbox.errors import BadRequest, NoFreeSession, NotFound, QueueUnavailable, SandboxError, SessionEnded
from sandbox.queue import redis_keys, session_records
from sandbox.queue.session_calls import REOPEN_LOCK_S
from sandbox.queue.session_records import SessionRecord, parse_stored
from sandbox.schema.sessions import SessionCall, SessionRequest, SessionStatus
from sandbox.session_host.held_sessions import HeldSessions
from sandbox.session_host.live_session import LiveSession
from sandbox.session_host.observer import SessionObserver

logger = logging.getLogger(__name__)

# Let a lock expire later if this host still has it.
_RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('EXPIRE', KEYS[1], ARGV[2]) end"
TAKEN = "another host rebuilds the session"

Message = Mapping[str, Any]


class Rebuilder:
    """Rebuilds sessions on this host. Not thread-safe: use it in one event loop."""

    def __init__(
        self, redis: Redis, host: str, lease_s: float, sessions: HeldSessions, observer: SessionObserver
    ) -> None:
        self._redis = redis
        self._host = host
        self._lease_s = lease_s
        self._sessions = sessions
        self._observer = observer
        self._locks: set[str] = set()

    async def rebuild(self, message: Message) -> LiveSession:
        """Rebuild a session in a place and memory that are already reserved; free both on failure.

        Raises SandboxError.
        """
        live: LiveSession | None = None
        try:
            record, lines = await asyncio.to_thread(self._begin, message)
            journal = [json.loads(line) for line in lines]
            request = parse_stored(SessionRequest, journal[0]["request"])
            live = await self._sessions.create(SessionRecord(record.session, self._host, record.owner), request)
            for entry in journal[1:]:
                await self._repeat(live, entry)
            live.replayed, live.journaled = len(journal) - 1, live.sequence
            live.journal_bytes = sum(map(len, lines))
            await asyncio.to_thread(self._record_rebuilt, live, message["lock"], record.host, len(lines))
        except BaseException as error:
            if live is None:
                self._sessions.give_up(message)
            else:
                self._sessions.drop(live)
            failure = _translate(error)
            await asyncio.to_thread(self._give_up, message, failure)
            raise failure from error
        finally:
            self._locks.discard(message["lock"])
        self._observer.record_opened(live.record.session.language, time.time() - message["asked_at"])
        logger.info("session rebuilt", extra={"session": live.id, "calls": live.replayed})
        return live

    def renew_locks(self) -> None:
        """Keep the locks of rebuilds that take long. Raises RedisError."""
        for lock in list(self._locks):
            self._redis.eval(_RENEW, 1, lock, self._host, REOPEN_LOCK_S)

    def _begin(self, message: Message) -> tuple[SessionRecord, list[bytes]]:
        """Take the lock, and return the session's record and journal. Raises SandboxError or RedisError."""
        # From now on, callers that wait can see whether the host that rebuilds the session is alive.
        if not self._redis.set(message["lock"], self._host, xx=True, keepttl=True):
            raise NoFreeSession(TAKEN, 2.0)
        self._locks.add(message["lock"])
        if self._sessions.find(message["session"]) is not None:
            raise NoFreeSession("this host holds the session", 1.0)
        record = session_records.read_record(self._redis, message["session"])
        if record.session.status is not SessionStatus.OPEN:
            raise SessionEnded(f"the session is {record.session.status}: {record.session.reason}")
        if session_records.is_host_alive(self._redis, record.host, self._lease_s):
            raise NoFreeSession("the session's host is alive", 1.0)
        lines = self._redis.lrange(redis_keys.session_journal(message["session"]), 0, -1)
        if not lines:
            raise SessionEnded("the session's journal is gone")
        return record, lines

    async def _repeat(self, live: LiveSession, entry: Message) -> None:
        if entry["do"] != "execute":
            await live.change_files(entry)
            return
        call = parse_stored(SessionCall, entry["call"])
        answer = await live.execute(call.model_copy(update={"sequence": None}), None)
        if answer["state"] == "lost":
            raise SessionEnded(f"call {answer['sequence']} could not be repeated: {answer['reason']}")

    def _record_rebuilt(self, live: LiveSession, lock: str, old_host: str, count: int) -> None:
        """Record that this host holds the session now. Raises NoFreeSession or RedisError."""
        key, journal = redis_keys.session(live.id), redis_keys.session_journal(live.id)
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.watch(lock, key, journal)
            if pipeline.get(lock) != self._host.encode():
                raise NoFreeSession(TAKEN, 2.0)
            is_same = pipeline.hmget(key, "host", "status") == [old_host.encode(), SessionStatus.OPEN.encode()]
            if not is_same or pipeline.llen(journal) != count:
                raise NoFreeSession("the session changed while it was rebuilt", 1.0)
            if session_records.is_host_alive(self._redis, old_host, self._lease_s):
                raise NoFreeSession("the session's host came back", 1.0)
            pipeline.multi()
            session_records.write_record(pipeline, live.update_expiry())
            pipeline.delete(lock)
            pipeline.execute()

    def _give_up(self, message: Message, failure: BaseException) -> None:
        """Let another host try to rebuild the session; if its calls cannot be repeated, mark it as lost."""
        try:
            if self._redis.get(message["lock"]) != self._host.encode():
                return
            if isinstance(failure, BadRequest):
                self._mark_lost(message["session"], str(failure))
            self._redis.delete(message["lock"])
        except RedisError as error:
            logger.warning("cannot give up a session: %s", error, extra={"session": message["session"]})

    def _mark_lost(self, session_id: str, reason: str) -> None:
        try:
            record = session_records.read_record(self._redis, session_id)
        except NotFound:
            return
        is_alive = session_records.is_host_alive(self._redis, record.host, self._lease_s)
        if record.session.status is SessionStatus.OPEN and not is_alive:
            session_records.end_session(self._redis, record, SessionStatus.LOST, reason)
            self._observer.record_not_rebuilt(record.session.language)


def _translate(error: BaseException) -> BaseException:
    """Return what a failed rebuild raises. An unexpected error means that the journal is invalid."""
    if isinstance(error, WatchError):
        return NoFreeSession("the session changed while it was rebuilt", 1.0)
    if isinstance(error, RedisError):
        return QueueUnavailable(f"the session was not rebuilt: {error}")
    if isinstance(error, SandboxError) or not isinstance(error, Exception):
        return error
    logger.error("a session cannot be rebuilt", exc_info=error)
    return SessionEnded(f"the session's journal cannot be repeated: {error!r}")
