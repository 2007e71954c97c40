"""The session host: the process that holds the sessions of one machine.

Theory of operation. Two threads read Redis: one reads calls of this host's sessions, and the other reads requests for
new sessions while a place is free. A third thread sends the answers. Everything else happens in one event loop. A host
has a new id each time it starts. It sends a heartbeat a few times per lease; if it sends none for a lease, its sessions
count as lost. A host that was suspended for longer than a lease drops the sessions that were marked as lost or rebuilt
elsewhere, before its next heartbeat. Until then it may still run a call of a session that was rebuilt elsewhere, but
such a call fails, because the journal of the session takes entries only from the host in its record. A host that stops
ends its sessions, except those with `replay`: the next call rebuilds them on another host.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
import time
from collections.abc import Awaitable, Collection, Mapping
from typing import Any

from redis.exceptions import RedisError

from sandbox.box.environment import EnvironmentImages
from sandbox.config import SessionSettings
from sandbox.errors import BoxError, NoFreeSession, QueueUnavailable, SandboxError, SessionEnded
from sandbox.queue import session_records
from sandbox.queue.connection import connect, get_failure_log_level
from sandbox.queue.session_answers import encode_error
from sandbox.request_context import generate_id
from sandbox.schema.sessions import SessionHost, SessionRequest, SessionStatus
from sandbox.session_host.answers import AnswerWriter, encode_answer
from sandbox.session_host.box_pool import STOPPED, BoxPool, SessionEngine
from sandbox.session_host.call_answer import Answer
from sandbox.session_host.call_handlers import CallHandlers
from sandbox.session_host.cpu_priority import CpuPriority
from sandbox.session_host.environments import SessionBoxes
from sandbox.session_host.held_sessions import HeldSessions, explain_end
from sandbox.session_host.intake import Intake
from sandbox.session_host.journal import MOVED, Journals
from sandbox.session_host.observer import NULL_OBSERVER, SessionObserver
from sandbox.session_host.places import Places
from sandbox.session_host.rebuilding import Rebuilder
from sandbox.session_host.session_box import build_open_options

logger = logging.getLogger(__name__)

EXPIRY_CHECK_INTERVAL_S = 0.5
OPENS_TIMEOUT_S = 10.0  # for sessions that are being opened when the host stops
CALLS_TIMEOUT_S = 5.0  # for the answers to calls that end because the host stops

Message = Mapping[str, Any]


class HostProcess:
    """Serves sessions until `stop` is called. After `drain`, stops when the open sessions have ended."""

    def __init__(
        self,
        settings: SessionSettings,
        engine: SessionEngine,
        images: EnvironmentImages,
        observer: SessionObserver = NULL_OBSERVER,
        priority: CpuPriority | None = None,
    ) -> None:
        self.id = generate_id()
        self._settings = settings
        url = settings.effective_redis_url
        self._redis = connect(url, forever=True)
        self._places = Places(settings.sessions, settings.session_memory_mb)
        self._priority = priority or CpuPriority()
        options = build_open_options(SessionRequest())
        self._pool = BoxPool(engine, settings.session_spares, settings.session_box_uses, options, self._priority)
        self._answers = AnswerWriter(connect(url, forever=True))
        boxes = SessionBoxes(self._redis, self._pool, images)
        self._sessions = HeldSessions(self._redis, self.id, boxes, self._places, self._start, observer)
        self._sessions.on_ended = self._stop_if_drained
        self._rebuilder = Rebuilder(self._redis, self.id, settings.lease_s, self._sessions, observer)
        journals = Journals(self._redis, self.id)
        self._handlers = CallHandlers(journals, self._sessions, self._places, self._answers, observer)
        self._intake = Intake(url, self.id, self._places, self._take_calls, self._take_open, self._take_late)
        self._draining = False
        self._stop_requested = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop
        self._tasks: set[asyncio.Future[None]] = set()
        self._opens: set[asyncio.Future[None]] = set()  # those of the tasks that open a session
        self._heartbeat_at = time.monotonic()

    async def run(self) -> None:
        """Serve sessions until stopped. Returns after all sessions have ended."""
        self._loop = asyncio.get_running_loop()
        self._pool.fill()
        self._answers.start()
        await asyncio.to_thread(self._send_heartbeat, {})
        self._intake.start()
        tasks = [asyncio.create_task(work()) for work in (self._send_heartbeats, self._end_expired, self._priority.run)]
        logger.info("session host started", extra={"host": self.id, "places": self._settings.sessions})
        await self._stop_requested.wait()
        await asyncio.to_thread(self._intake.close)
        await self._end_sessions()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(session_records.remove_host, self._redis, self.id)
        await asyncio.to_thread(self._answers.close)

    def stop(self) -> None:
        self._stop_requested.set()

    def drain(self) -> None:
        """Take no new sessions, and stop when the last one has ended."""
        self._draining = True
        self._intake.takes_new_sessions = False
        last_s = max((session.expires_in_s for session in self._sessions.list_all()), default=0.0)
        logger.info("draining", extra={"open": len(self._sessions), "last_ends_within_s": round(last_s)})
        self._stop_if_drained()

    def _stop_if_drained(self) -> None:
        if self._draining and not self._sessions:
            logger.info("drained: the last session has ended")
            self.stop()

    async def _end_sessions(self) -> None:
        """End all sessions, except those that can be rebuilt: they are dropped, and their records stay open."""
        self._pool.stop()
        await self._finish(self._opens, OPENS_TIMEOUT_S)
        ended = []
        for session in self._sessions.list_all():
            if session.record.session.replay:
                self._sessions.drop(session, moved=True)
            else:
                ended.append(self._sessions.end(session, SessionStatus.LOST, STOPPED))
        await asyncio.gather(*ended, return_exceptions=True)
        await self._pool.close()
        await self._finish(self._tasks, CALLS_TIMEOUT_S)

    async def _finish(self, tasks: Collection[asyncio.Future[None]], timeout_s: float) -> None:
        """Wait for tasks, and cancel those that do not end in time."""
        if not tasks:
            return
        _, late = await asyncio.wait(list(tasks), timeout=timeout_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finish_task)

    def _start_open(self, message: Message) -> None:
        task = asyncio.ensure_future(self._open(message))
        for tasks in (self._tasks, self._opens):
            tasks.add(task)
        task.add_done_callback(self._finish_task)

    def _finish_task(self, task: asyncio.Future[None]) -> None:
        self._tasks.discard(task)
        self._opens.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a call failed: %r", error, exc_info=error)

    def _take_calls(self, messages: list[bytes]) -> None:
        """Start serving calls. The intake calls this from its own thread."""

        def start() -> None:
            for message in messages:
                try:
                    call = json.loads(message)
                except ValueError as error:
                    logger.error("a call is invalid: %s", error)
                else:
                    self._start(self._serve(call))

        self._loop.call_soon_threadsafe(start)

    def _take_open(self, message: Message) -> None:
        """Start opening a session. The intake calls this from its own thread."""
        self._loop.call_soon_threadsafe(self._start_open, message)

    def _take_late(self, message: Message) -> None:
        """Refuse a request for a session that waited too long. The intake calls this from its own thread."""
        if message["do"] == "open":
            self._sessions.release_quota(message)
        self._write_answer(message, dict(encode_error(NoFreeSession("no place became free in time", 2.0))))

    async def _serve(self, message: Message) -> None:
        answer: Answer | None
        try:
            answer = await self._handlers.serve(message)
        except SandboxError as error:
            answer = await self._describe_failure(message["session"], error)
        except Exception as error:  # the process boundary: the client must get an answer
            logger.exception("a call failed", extra={"session": message["session"], "call": message["do"]})
            answer = dict(encode_error(BoxError(f"the call failed: {error!r}")))
        if answer is not None:
            self._write_answer(message, answer)

    async def _describe_failure(self, session_id: str, error: SandboxError) -> Answer | None:
        """Return the answer to a failed call, and end what has failed: the session, or the box with all its sessions.

        Returns None if this host stops and the session can be rebuilt: whoever waits then sees that the host is gone.
        """
        if self._sessions.has_moved(session_id):
            return None if self._stop_requested.is_set() else dict(encode_error(QueueUnavailable(MOVED)))
        session = self._sessions.find(session_id)
        if isinstance(error, BoxError):
            reason = f"its box failed: {error}"
            if session is not None:
                await self._sessions.end_family(session.family, reason)
            error = SessionEnded(reason)
        elif isinstance(error, SessionEnded) and session is not None:
            error = SessionEnded(explain_end(session, str(error)))
            await self._sessions.end(session, SessionStatus.LOST, str(error))
        return dict(encode_error(error))

    async def _open(self, message: Message) -> None:
        try:
            if message["do"] == "open":
                await self._sessions.open(message)  # and answer
                return
            session = await self._rebuilder.rebuild(message)
            answer: Answer = {"session": session.record.session.model_dump(mode="json")}
        except SandboxError as error:
            answer = dict(encode_error(error))
        except asyncio.CancelledError:  # this host stops
            if message["do"] == "open":  # whoever waits for a rebuild asks another host
                self._write_answer(message, dict(encode_error(NoFreeSession(STOPPED, 2.0))))
            raise
        except Exception as error:  # the process boundary: the client must get an answer
            logger.exception("a session did not open", extra={"session": message["session"]})
            answer = dict(encode_error(BoxError(f"the session did not open: {error!r}")))
        self._write_answer(message, answer)

    def _write_answer(self, message: Message, answer: Answer) -> None:
        self._answers.write(message["reader"], message["id"], encode_answer(answer))

    async def _end_expired(self) -> None:
        while True:
            await asyncio.sleep(EXPIRY_CHECK_INTERVAL_S)
            self._sessions.end_expired()
            self._pool.shrink()

    async def _send_heartbeats(self) -> None:
        interval_s = self._settings.lease_s / session_records.HEARTBEATS_PER_LEASE
        while True:
            await asyncio.sleep(interval_s)
            try:
                if time.monotonic() - self._heartbeat_at > self._settings.lease_s:
                    await self._sessions.drop_given_up()
                expiries = self._sessions.compute_expiries(self._settings.lease_s)
                await asyncio.to_thread(self._send_heartbeat, expiries)
                await asyncio.to_thread(self._rebuilder.renew_locks)
                self._sessions.report_boxes()
            except RedisError as error:
                logger.log(get_failure_log_level(), "heartbeat missed: %s", error)

    def _send_heartbeat(self, expiries: Mapping[str, float]) -> None:
        host = SessionHost(
            id=self.id,
            name=socket.gethostname(),
            places=self._settings.sessions,
            open=len(self._sessions),
            warm=self._pool.warm,
            draining=self._draining,
        )
        session_records.send_heartbeat(self._redis, host, self._settings.lease_s, expiries)
        self._heartbeat_at = time.monotonic()


def main(settings: SessionSettings, observer: SessionObserver) -> None:
    """Run a session host until SIGTERM or SIGINT. SIGUSR1 drains it. Raises EngineUnavailable."""
    from sandbox.box.docker.box_handle import find_cpu_group
    from sandbox.box.docker.engine import DockerEngine
    from sandbox.box.docker.environment_images import DockerEnvironmentImages

    # A box that was replaced may still be shutting down, so there are more uids than boxes.
    max_boxes = 2 * (settings.sessions + settings.session_spares)

    async def serve() -> None:
        images = DockerEnvironmentImages(settings, observer.record_environment_build)
        host = HostProcess(
            settings, DockerEngine(settings, 0, max_boxes), images, observer, CpuPriority(find_cpu_group)
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, host.stop)
        loop.add_signal_handler(signal.SIGUSR1, host.drain)
        await host.run()

    asyncio.run(serve())
