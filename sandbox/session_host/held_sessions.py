"""The sessions that this host holds: open them, and end them.

A session and its forks are a family, which shares one box. When the last of them ends, the box goes back to the pool.
It is reused only if every one of them was proven clean.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from sandbox.errors import BoxError, QueueUnavailable, SandboxError, SessionEnded
from sandbox.queue import redis_keys, session_records
from sandbox.queue.session_records import SessionRecord, parse_stored
from sandbox.schema.sessions import SessionInfo, SessionRequest, SessionStatus
from sandbox.session_host.answers import add_answer
from sandbox.session_host.environments import SessionBoxes
from sandbox.session_host.live_session import Family, LiveSession
from sandbox.session_host.observer import SessionObserver
from sandbox.session_host.places import Places
from sandbox.session_host.session_box import build_open_options

logger = logging.getLogger(__name__)

JOURNAL_GRACE_S = 60
END_TIMEOUT_S = 5.0  # for the requests of a session that is ended

Message = Mapping[str, Any]
Start = Callable[[Awaitable[None]], None]


class HeldSessions:
    """Opens and ends sessions. Not thread-safe: use it in one event loop. `start` runs work in the background."""

    def __init__(
        self, redis: Redis, host: str, boxes: SessionBoxes, places: Places, start: Start, observer: SessionObserver
    ) -> None:
        self._redis = redis
        self._host = host
        self._boxes = boxes
        self._pool = boxes.pool
        self._places = places
        self._start = start
        self._observer = observer
        self._sessions: dict[str, LiveSession] = {}
        self._moved: set[str] = set()
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
            if session.is_active or session.used_at >= recently
        }

    def get(self, session_id: str) -> LiveSession:
        """Return a session. Raises `errors.SessionEnded`."""
        if (session := self._sessions.get(session_id)) is None:
            raise SessionEnded("the session has ended")
        return session

    def find(self, session_id: str) -> LiveSession | None:
        return self._sessions.get(session_id)

    def has_moved(self, session_id: str) -> bool:
        """Return whether this host held a session that continues on another host, or may be rebuilt on one."""
        return session_id in self._moved

    async def open(self, message: Message) -> LiveSession:
        """Open a session in reserved place and memory, and answer; free both on failure. Raises SandboxError."""
        live: LiveSession | None = None
        try:
            request = parse_stored(SessionRequest, message["request"])
            live = await self.create(self._build_record(message, request), request)
            await asyncio.to_thread(self._record_opened, live, message, request.ttl_s)
        except BaseException as error:
            if live is None:
                self.give_up(message)
            else:
                self.drop(live)
            await asyncio.to_thread(self.release_quota, message)
            if isinstance(error, RedisError):
                raise QueueUnavailable(f"Redis did not take the record of the session: {error}") from error
            raise
        self._observer.record_opened(live.record.session.language, time.time() - message["asked_at"])
        return live

    def _build_record(self, message: Message, request: SessionRequest) -> SessionRecord:
        now = time.time()
        session = SessionInfo(
            id=message["session"],
            language=request.language,
            status=SessionStatus.OPEN,
            created_at=now,
            expires_at=now + min(request.ttl_s, request.idle_ttl_s),
            replay=request.replay,
            metadata=request.metadata,
            limits=request.limits,
            environment=request.environment,
        )
        return SessionRecord(session, self._host, message["owner"])

    def _record_opened(self, live: LiveSession, message: Message, ttl_s: float) -> None:
        pipeline = self._redis.pipeline(transaction=True)
        session_records.write_record(pipeline, live.record)
        if live.record.session.replay:
            entry = {"do": "open", "request": message["request"]}
            session_records.append_journal(pipeline, live.id, entry)
            pipeline.expire(redis_keys.session_journal(live.id), int(ttl_s) + JOURNAL_GRACE_S)
            live.journal_bytes = len(json.dumps(entry))
        add_answer(pipeline, message, {"session": live.record.session.model_dump(mode="json")})
        pipeline.execute()

    def release_quota(self, message: Message) -> None:
        """Stop counting a session that did not open against the limit of its owner."""
        try:
            session_records.release_sessions(self._redis, message["owner"], [message["session"]])
        except RedisError as error:
            logger.warning("cannot release a session: %s", error, extra={"session": message["session"]})

    def give_up(self, message: Message) -> None:
        """Free the place and the memory that were reserved for a request that will not be served."""
        self._places.free_memory(message["memory_mb"])
        self._places.release()

    async def create(self, record: SessionRecord, request: SessionRequest) -> LiveSession:
        """Set up a session in a box, and hold it. Its place and memory are already reserved. Raises SandboxError."""
        box, image_time_s = await self._boxes.take(request.environment)
        session = record.session.model_copy(update={"image_time_s": image_time_s})
        record = replace(record, session=session)
        memory_mb = request.limits.memory_mb
        try:
            await asyncio.to_thread(box.handle.limit_memory, memory_mb)
            box.handle.begin_run()
            await box.open(build_open_options(request))
            for path, content in request.files.items():
                await box.ask({"do": "put_file", "branch": 0, "path": path}, content)
        except BaseException:
            self._pool.put_back(box, clean=False)
            raise
        family = Family(box, memory_mb)
        live = LiveSession(record, family, 0, request.ttl_s, request.idle_ttl_s)
        family.members[0] = live
        self._watch(family)
        self._hold(live)
        return live

    def _hold(self, live: LiveSession) -> None:
        self._sessions[live.id] = live
        self._moved.discard(live.id)
        self.report_boxes()

    def report_boxes(self) -> None:
        """Report to the observer how many boxes are used and ready."""
        families = {id(session.family) for session in self._sessions.values()}
        self._observer.set_boxes(len(families), self._pool.warm)

    async def add_forks(self, session: LiveSession, message: Message, branches: Sequence[int]) -> None:
        """Start to hold the forks that the box has created, in reserved places, and answer the request with their ids.

        Raises QueueUnavailable if Redis does not take their records; then they are closed, and their places free.
        """
        pipeline = self._redis.pipeline(transaction=True)
        children = []
        for session_id, branch in zip(message["ids"], branches, strict=True):
            update = {"id": session_id, "parent": session.id, "created_at": time.time()}
            forked = session.record.session.model_copy(update=update)
            child = session.fork_to(SessionRecord(forked, self._host, session.record.owner), branch)
            self._hold(child)
            children.append(child)
            session_records.write_record(pipeline, child.update_expiry())
        add_answer(pipeline, message, {"ids": message["ids"]})
        try:
            await asyncio.to_thread(pipeline.execute)
        except RedisError as error:
            await asyncio.gather(*(self._discard(child) for child in children))
            raise QueueUnavailable(f"Redis did not take the records of the forks: {error}") from error
        for child in children:
            self._observer.record_opened(child.record.session.language, None)

    async def _discard(self, session: LiveSession) -> None:
        """Remove a session that nobody has used and that has no record."""
        if self._sessions.pop(session.id, None) is not None:
            await self._close_branch(session)

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
        session.ended_during_call = reason if session.is_running else ""
        await self._close_branch(session)
        self._observer.record_ended(session.record.session.language, status)
        record = session.update_expiry()
        try:
            await asyncio.to_thread(self._record_end, record, status, reason)
        except RedisError as error:
            logger.warning("cannot record the end of a session: %s", error, extra={"session": session.id})
        self.on_ended()

    async def _close_branch(self, session: LiveSession) -> None:
        """Remove everything that a session left in its box, and free its place."""
        family = session.family
        try:
            await family.box.ask({"do": "close", "branch": session.branch})
        except SandboxError:  # even if its process ended by itself: nobody has proven that it left nothing
            family.clean = False
        if not await session.wait_until_idle(END_TIMEOUT_S):  # a fork may still add a branch
            family.clean = False
        self._leave(session)

    def _record_end(self, record: SessionRecord, status: SessionStatus, reason: str) -> None:
        """Record that a session ended, unless another host holds it now. Raises RedisError."""
        host = self._redis.hget(redis_keys.session(record.session.id), "host")
        if host is None or host == self._host.encode():
            session_records.end_session(self._redis, record, status, reason)

    async def record_expiry(self, session: LiveSession) -> None:
        """Record when a session expires now. Raises QueueUnavailable."""
        await asyncio.to_thread(session_records.record_expiry, self._redis, session.update_expiry())

    async def end_family(self, family: Family, reason: str) -> None:
        """End a session and all its forks, because their box failed."""
        family.clean = False
        ended = [self.end(session, SessionStatus.LOST, reason) for session in list(family.members.values())]
        await asyncio.gather(*ended)

    def drop(self, session: LiveSession, moved: bool = False) -> None:
        """End a session without changing its record. `moved` says that it continues on another host."""
        if moved:
            self._moved.add(session.id)
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
        self.report_boxes()

    def end_expired(self) -> None:
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
                self.drop(session, moved=True)


def explain_end(session: LiveSession, reason: str) -> str:
    """Return why a session's process ended: it ran out of memory, or `reason` from the box."""
    try:
        if session.family.box.handle.ran_out_of_memory():
            return f"out of memory: the session and its forks may use {session.family.memory_mb} MiB"
    except BoxError:
        return reason
    return reason or "its process ended"
