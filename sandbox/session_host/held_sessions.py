"""The sessions that this host holds: open them, rebuild lost ones, and end them.

A session and its forks are a family, which shares one box. When the last of them ends, the box goes back to the pool.
It is reused only if every one of them was proven clean.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from sandbox.errors import BoxError, NoFreeSession, QueueUnavailable, SandboxError, SessionEnded
from sandbox.queue import redis_keys, session_records
from sandbox.queue.session_records import SessionRecord
from sandbox.schema.sessions import SessionCall, SessionInfo, SessionLanguage, SessionRequest, SessionStatus
from sandbox.session_host.box_pool import BoxPool
from sandbox.session_host.live_session import Family, LiveSession
from sandbox.session_host.observer import SessionObserver
from sandbox.session_host.places import Places

logger = logging.getLogger(__name__)

BOX_KINDS = {SessionLanguage.PYTHON: "python", SessionLanguage.BASH: "shell"}
JOURNAL_GRACE_S = 60

Message = Mapping[str, Any]
Start = Callable[[Awaitable[None]], None]


class HeldSessions:
    """Opens and ends sessions. Not thread-safe: use it in one event loop. `start` runs work in the background."""

    def __init__(
        self, redis: Redis, host: str, pool: BoxPool, places: Places, start: Start, observer: SessionObserver
    ) -> None:
        self._redis = redis
        self._host = host
        self._pool = pool
        self._places = places
        self._start = start
        self._observer = observer
        self._sessions: dict[str, LiveSession] = {}
        self.on_ended: Callable[[], None] = lambda: None

    def __len__(self) -> int:
        return len(self._sessions)

    def list_all(self) -> list[LiveSession]:
        return list(self._sessions.values())

    def compute_expiries(self, within_s: float) -> dict[str, float]:
        """Return when recently used sessions expire, by id. The expiry of all other sessions has not changed."""
        now, recently = time.time(), time.monotonic() - within_s
        return {
            session.id: now + session.expires_in_s
            for session in self._sessions.values()
            if session.is_running or session.used_at >= recently
        }

    def get(self, session_id: str) -> LiveSession:
        """Return a session. Raises `errors.SessionEnded`."""
        if (session := self._sessions.get(session_id)) is None:
            raise SessionEnded("the session has ended")
        return session

    async def open(self, message: Message) -> LiveSession:
        """Open a session in a place and memory that are already reserved; free both on failure. Raises SandboxError."""
        request = SessionRequest.model_validate(message["request"])
        now = time.time()
        session = SessionInfo(
            id=message["session"],
            language=request.language,
            status=SessionStatus.OPEN,
            created_at=now,
            expires_at=now + min(request.ttl_s, request.idle_ttl_s),
            replay=request.replay,
            limits=request.limits,
        )
        try:
            live = await self._create(SessionRecord(session, self._host, message["owner"]), request)
        except SandboxError:
            self.give_up(message)
            await asyncio.to_thread(
                session_records.release_sessions, self._redis, message["owner"], [message["session"]]
            )
            raise
        pipeline = self._redis.pipeline(transaction=True)
        session_records.write_record(pipeline, live.record)
        if request.replay:
            session_records.append_journal(pipeline, session.id, {"do": "open", "request": message["request"]})
            pipeline.expire(redis_keys.session_journal(session.id), int(request.ttl_s) + JOURNAL_GRACE_S)
        try:
            await asyncio.to_thread(pipeline.execute)
        except RedisError as error:
            await self.drop(live)
            raise QueueUnavailable(f"Redis did not take the record of the session: {error}") from error
        self._observer.record_opened(session.language, time.time() - message["asked_at"])
        return live

    def give_up(self, message: Message) -> None:
        """Free the place and the memory that were reserved for a request that will not be served."""
        self._places.free_memory(message["memory_mb"])
        self._places.release()

    async def reopen(self, message: Message) -> LiveSession:
        """Rebuild a session from its journal: run all its calls again, in order. Raises SandboxError."""
        session_id = message["session"]
        live: LiveSession | None = None
        try:
            # From now on, callers that wait can see whether the host that rebuilds the session is alive.
            if not await asyncio.to_thread(self._redis.set, message["lock"], self._host, xx=True, keepttl=True):
                raise NoFreeSession("another host rebuilds the session", 2.0)
            lines = await asyncio.to_thread(self._redis.lrange, redis_keys.session_journal(session_id), 0, -1)
            if not lines:
                raise SessionEnded("the session's journal is gone")
            journal = [json.loads(line) for line in lines]
            request = SessionRequest.model_validate(journal[0]["request"])
            record = await asyncio.to_thread(session_records.read_record, self._redis, session_id)
            live = await self._create(SessionRecord(record.session, self._host, record.owner), request)
            for entry in journal[1:]:
                await self._repeat(live, entry)
            live.replayed, live.journaled = len(journal) - 1, live.sequence
            await asyncio.to_thread(self._record_rebuilt, live, message["lock"])
        except (SandboxError, RedisError) as error:
            if live is None:
                self.give_up(message)
            else:
                await self.drop(live)
            if isinstance(error, RedisError):
                raise QueueUnavailable(f"the session was not rebuilt: {error}") from error
            await self._give_up_rebuilding(message, error)
            raise
        self._observer.record_opened(live.record.session.language, time.time() - message["asked_at"])
        logger.info("session rebuilt", extra={"session": session_id, "calls": live.replayed})
        return live

    def _record_rebuilt(self, live: LiveSession, lock: str) -> None:
        """Record that this host holds the session now. Raises NoFreeSession or RedisError."""
        if self._redis.get(lock) != self._host.encode():
            raise NoFreeSession("another host rebuilds the session", 2.0)
        pipeline = self._redis.pipeline(transaction=True)
        session_records.write_record(pipeline, live.record)
        pipeline.delete(lock)
        pipeline.execute()

    async def _give_up_rebuilding(self, message: Message, error: SandboxError) -> None:
        """Let another host try to rebuild the session; if its calls cannot be repeated, mark it as lost."""
        try:
            if await asyncio.to_thread(self._redis.get, message["lock"]) != self._host.encode():
                return
            if isinstance(error, SessionEnded):
                record = await asyncio.to_thread(session_records.read_record, self._redis, message["session"])
                await asyncio.to_thread(
                    session_records.end_session, self._redis, record, SessionStatus.LOST, str(error)
                )
            await asyncio.to_thread(self._redis.delete, message["lock"])
        except (RedisError, SandboxError) as failure:
            logger.warning("cannot give up a session: %s", failure, extra={"session": message["session"]})

    async def _repeat(self, live: LiveSession, entry: Message) -> None:
        if entry["do"] == "execute":
            answer = await live.execute(SessionCall.model_validate(entry["call"]), None)
            if answer["state"] == "lost":
                raise SessionEnded(f"call {answer['sequence']} could not be repeated: {answer['reason']}")
        else:
            await ask_for_file(live, entry)

    async def _create(self, record: SessionRecord, request: SessionRequest) -> LiveSession:
        box = await self._pool.take()
        limits = request.limits
        try:
            await asyncio.to_thread(box.handle.limit_memory, limits.memory_mb)
            box.handle.begin_run()
            await box.ask(
                {
                    "do": "open",
                    "branch": 0,
                    "kind": BOX_KINDS[request.language],
                    "environment": request.variables,
                    "limits": {"processes": limits.processes, "file_mb": limits.file_mb, "disk_mb": limits.disk_mb},
                }
            )
            for path, content in request.files.items():
                await box.ask({"do": "put_file", "branch": 0, "path": path}, content)
        except SandboxError:
            self._pool.put_back(box, clean=False)
            raise
        family = Family(box, limits.memory_mb)
        live = LiveSession(record, family, 0, request.ttl_s, request.idle_ttl_s)
        family.members[0] = live
        self._watch(family)
        self._hold(live)
        return live

    def _hold(self, live: LiveSession) -> None:
        self._sessions[live.id] = live
        self._report_boxes()

    def _report_boxes(self) -> None:
        families = {id(session.family) for session in self._sessions.values()}
        self._observer.set_boxes(len(families), self._pool.warm)

    async def add_forks(self, session: LiveSession, ids: Sequence[str], branches: Sequence[int]) -> None:
        """Start to hold the forks that the box has created. Their places are already reserved. Raises RedisError."""
        pipeline = self._redis.pipeline(transaction=True)
        for session_id, branch in zip(ids, branches, strict=True):
            update = {"id": session_id, "parent": session.id, "created_at": time.time()}
            forked = session.record.session.model_copy(update=update)
            child = session.fork_to(SessionRecord(forked, self._host, session.record.owner), branch)
            self._hold(child)
            self._observer.record_opened(session.record.session.language, None)
            session_records.write_record(pipeline, child.update_expiry())
        await asyncio.to_thread(pipeline.execute)

    def _watch(self, family: Family) -> None:
        def handle_ended(branch: int, reason: str) -> None:
            if (session := family.members.get(branch)) is not None and not session.is_running:
                self._start(self.end(session, SessionStatus.LOST, explain_end(session, reason)))

        def handle_lost(reason: str) -> None:
            self._start(self.end_family(family, f"its box failed: {reason}"))

        family.box.on_ended, family.box.on_lost = handle_ended, handle_lost

    async def end(self, session: LiveSession, status: SessionStatus, reason: str) -> None:
        """End a session: remove everything it left in the box, and record why it ended."""
        if self._sessions.pop(session.id, None) is None:
            return
        family = session.family
        try:
            await family.box.ask({"do": "close", "branch": session.branch})
        except SandboxError:  # even if its process ended by itself: nobody has proven that it left nothing
            family.clean = False
        self._leave(session)
        self._observer.record_ended(session.record.session.language, status)
        record = session.update_expiry()
        try:
            await asyncio.to_thread(session_records.end_session, self._redis, record, status, reason)
        except RedisError as error:
            logger.warning("cannot record the end of a session: %s", error, extra={"session": session.id})
        self.on_ended()

    async def end_family(self, family: Family, reason: str) -> None:
        """End a session and all its forks, because their box failed."""
        family.clean = False
        ended = [self.end(session, SessionStatus.LOST, reason) for session in list(family.members.values())]
        await asyncio.gather(*ended)

    async def drop(self, session: LiveSession) -> None:
        """End a session without changing its record, which this host no longer owns."""
        if self._sessions.pop(session.id, None) is not None:
            session.family.clean = False
            self._leave(session)
            self._observer.record_ended(session.record.session.language, SessionStatus.LOST)

    def _leave(self, session: LiveSession) -> None:
        family = session.family
        family.members.pop(session.branch, None)
        if not family.members:
            family.box.on_ended, family.box.on_lost = (lambda branch, reason: None), (lambda reason: None)
            self._pool.put_back(family.box, family.clean)
            self._places.free_memory(family.memory_mb)
        self._places.release()
        self._report_boxes()

    async def end_expired(self) -> None:
        """End the sessions that have expired."""
        for session in self.list_all():
            if session.expires_in_s > 0:
                continue
            is_over = session.ends_at <= time.monotonic()
            reason = "its time is over" if is_over else f"it was idle for {session.idle_ttl_s:g} s"
            self._start(self.end(session, SessionStatus.CLOSED, reason))

    async def drop_given_up(self) -> None:
        """Drop sessions that were marked as lost, or rebuilt elsewhere, while this host sent no heartbeat."""
        for session in self.list_all():
            try:
                record = await asyncio.to_thread(session_records.read_record, self._redis, session.id)
            except SandboxError:
                record = None
            if record is None or record.host != self._host or record.session.status is not SessionStatus.OPEN:
                await self.drop(session)


def explain_end(session: LiveSession, reason: str) -> str:
    """Return why a session's process ended: it ran out of memory, or `reason` from the box."""
    try:
        if session.family.box.handle.ran_out_of_memory():
            return f"out of memory: the session and its forks may use {session.family.memory_mb} MiB"
    except BoxError:
        return reason
    return reason or "its process ended"


async def ask_for_file(session: LiveSession, message: Message) -> None:
    """Ask the box to change the session's files. Raises SandboxError."""
    fields = {"do": message["do"], "branch": session.branch}
    if "path" in message:
        fields["path"] = message["path"]
    await session.family.box.ask(fields, b64decode(message.get("content", "")))
