"""Send calls to the hosts that hold sessions, and receive their answers.

Theory of operation. A call is one message in the list of the session's host. One script checks in the same round trip
that the session exists, that the caller may use it, and that its host is alive. The answer arrives like any result: in
the list of the API process that waits. A request for a new session goes into one list that all hosts with a free place
read, so requests are served in order of arrival.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sandbox import errors
from sandbox.config import ApiSettings
from sandbox.queue import redis_keys, session_records
from sandbox.queue.admission import get_owner_filter
from sandbox.queue.connection import connect, translate_redis_errors
from sandbox.queue.session_answers import CallReader, OnPart
from sandbox.queue.session_records import SessionRecord
from sandbox.request_context import CURRENT_CALLER, Role, generate_id
from sandbox.schema.sessions import SessionInfo, SessionStatus

ANY_OWNER = "*"
REOPEN_LOCK_S = 120
EVERY = 0  # as a limit of `list_records`: all of them
OPEN_GRACE_S = 0.5  # time for the request to reach a host that has a free place

# Push a call to the host of its session if the session is open, belongs to the caller, and its host is alive.
_SEND = """
local found = redis.call('HMGET', KEYS[1], 'host', 'owner', 'status')
if not found[1] or (ARGV[1] ~= '*' and found[2] ~= ARGV[1]) then return 'missing' end
if found[3] ~= 'open' then return 'ended' end
local beat = redis.call('ZSCORE', KEYS[2], found[1])
if not beat or tonumber(beat) < tonumber(ARGV[2]) then return 'dead' end
redis.call('RPUSH', KEYS[3] .. found[1], ARGV[3])
return {'sent', found[1]}
"""

# Delete a lock if it still has the holder that the caller has seen.
_UNLOCK = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"
WANTED = b"1"  # a lock that no host has taken yet

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class PendingCall:
    """A call whose answer is pending. `message` is set only for requests that no host has taken yet."""

    id: str
    future: Future[bytes]
    host: str = ""
    message: bytes = field(default=b"", repr=False)


class SessionCalls:
    """The API's side of sessions. Thread-safe. Methods raise `errors.QueueUnavailable` if Redis does not answer."""

    def __init__(self, settings: ApiSettings, on_lost: Callable[[str], None] = lambda language: None) -> None:
        """`on_lost` gets the language of each session that this process is the first to find lost with its host."""
        self._on_lost = on_lost
        self.redis = connect(settings.effective_redis_url)
        self.lease_s = settings.lease_s
        self.max_sessions = settings.key_max_sessions
        self._reader = CallReader(self.redis)
        self._send_script = self.redis.register_script(_SEND)
        self._start_lock = threading.Lock()
        self._is_started = False

    def close(self) -> None:
        if self._is_started:
            self._reader.close()
        self.redis.close()

    def _start(self) -> None:
        """Start the reader on the first call, because an API that never uses sessions does not need its thread."""
        with self._start_lock:
            if not self._is_started:
                self._reader.start()
                self._is_started = True

    def withdraw(self, call: PendingCall) -> bool:
        """Withdraw a request for a session. Returns False if a host has already taken it."""
        withdrawn = bool(self._query(lambda: self.redis.lrem(redis_keys.SESSION_OPENS, 1, call.message)))
        if withdrawn:
            self._reader.fail([call.id], errors.NoFreeSession("all places for sessions are taken", 2.0))
        return withdrawn

    def find_living_host(self, session_id: str) -> str:
        """Return the host of a session, or an empty string if it is dead. Raises `errors.NotFound`."""
        record = self._query(lambda: session_records.read_record(self.redis, session_id))
        return record.host if self.is_host_alive(record.host) else ""

    def reopen(self, session_id: str) -> PendingCall | None:
        """Ask a host to rebuild a lost session from its journal. Returns None if another process has already asked."""
        key = _get_reopen_lock(session_id)
        if not self._query(lambda: self.redis.set(key, WANTED, nx=True, ex=REOPEN_LOCK_S)):
            return None
        expires_at = time.time() + REOPEN_LOCK_S
        memory_mb = self.get(session_id).session.limits.memory_mb
        fields = {"do": "reopen", "session": session_id, "expires_at": expires_at, "memory_mb": memory_mb, "lock": key}
        return self.push_open(fields)

    def end_abandoned_reopen(self, session_id: str) -> bool:
        """Return whether no host is rebuilding a session. Frees the lock if the host that held it died."""
        key = _get_reopen_lock(session_id)
        holder: bytes | None = self._query(lambda: self.redis.get(key))
        if holder is None:
            return True
        if holder == WANTED or self.is_host_alive(holder.decode()):
            return False
        self._query(lambda: self.redis.eval(_UNLOCK, 1, key, holder))
        return True

    def send(self, session_id: str, fields: Mapping[str, Any], on_part: OnPart | None = None) -> PendingCall | str:
        """Send a call and return it; return `ended` or `dead` if the session can take no more calls.

        Raises `errors.NotFound`.
        """
        self._start()
        call_id = generate_id()
        message = self._encode(call_id, {"session": session_id, "stream": on_part is not None, **fields})
        keys = [redis_keys.session(session_id), redis_keys.SESSION_HOSTS, redis_keys.session_calls("")]
        arguments = [_get_visible_owner(), time.time() - self.lease_s, message]
        with self._expect(call_id) as future:
            if on_part is not None:
                self._reader.listen(call_id, on_part)
            reply = self._query(lambda: self._send_script(keys=keys, args=arguments))
            if reply == b"missing":
                raise session_records.build_not_found(session_id)
        if isinstance(reply, list):
            return PendingCall(call_id, future, reply[1].decode())
        self._reader.fail([call_id], errors.SessionEnded(""))
        return str(reply.decode())

    @contextmanager
    def _expect(self, call_id: str) -> Iterator[Future[bytes]]:
        """Yield the future of a call's answer. If the call cannot be sent, nothing waits for its answer."""
        future = self._reader.expect([call_id])[0]
        try:
            yield future
        except errors.SandboxError as error:
            self._reader.fail([call_id], error)
            raise

    def is_host_alive(self, host: str) -> bool:
        return self._query(lambda: session_records.is_host_alive(self.redis, host, self.lease_s))

    def forget(self, call: PendingCall) -> None:
        """Stop waiting for an answer."""
        self._reader.fail([call.id], errors.Cancelled("the client went away"))

    def get(self, session_id: str) -> SessionRecord:
        """Return a session's record, with status `lost` if its host is dead. Raises `errors.NotFound`."""
        record = self._query(lambda: session_records.read_record(self.redis, session_id))
        if not get_owner_filter()(record.owner):
            raise session_records.build_not_found(session_id)
        if record.session.status is SessionStatus.OPEN and not record.session.replay:
            return self._mark_lost_if_dead(record)
        return record

    def mark_lost(self, session_id: str) -> SessionInfo:
        """Record that a session's host died, and return the session."""
        record = self.get(session_id)
        return self._mark_lost_if_dead(record).session

    def list_open(self) -> list[SessionInfo]:
        """Return the caller's open sessions, the latest MAX_LISTED, latest first.

        Their `calls` are unknown, because only hosts count them.
        """
        return self._find_open({})[: session_records.MAX_LISTED]

    def find_open(self, metadata: Mapping[str, str]) -> SessionInfo | None:
        """Return the caller's latest open session that has this metadata, among all of them."""
        return next(iter(self._find_open(metadata)), None)

    def _find_open(self, metadata: Mapping[str, str]) -> list[SessionInfo]:
        records = self._query(lambda: session_records.list_records(self.redis, get_owner_filter(), EVERY))
        hosts = self._query(lambda: session_records.list_hosts(self.redis, self.lease_s))
        living = {host.id for host in hosts}
        records = [record if record.host in living else self._mark_lost_if_dead(record) for record in records]
        return [
            record.session.model_copy(update={"calls": None})
            for record in records
            if record.session.status is SessionStatus.OPEN and metadata.items() <= record.session.metadata.items()
        ]

    def _mark_lost_if_dead(self, record: SessionRecord) -> SessionRecord:
        if record.session.status is not SessionStatus.OPEN or self.is_host_alive(record.host):
            return record
        if record.session.replay:
            return record
        return self._query(lambda: self._mark_lost(record))

    def _mark_lost(self, record: SessionRecord) -> SessionRecord:
        is_first = self.redis.zrem(redis_keys.SESSIONS, record.session.id)  # other API processes may find it lost, too
        lost = session_records.end_session(self.redis, record, SessionStatus.LOST, session_records.HOST_DIED)
        if is_first:
            self._on_lost(record.session.language)
        return lost

    def push_open(self, fields: Mapping[str, Any]) -> PendingCall:
        self._start()
        call_id = generate_id()
        message = self._encode(call_id, fields)
        with self._expect(call_id) as future:
            self._query(lambda: self.redis.rpush(redis_keys.SESSION_OPENS, message))
        return PendingCall(call_id, future, message=message)

    def _encode(self, call_id: str, fields: Mapping[str, Any]) -> bytes:
        return json.dumps(
            {"id": call_id, "reader": self._reader.reader_id, "asked_at": time.time(), **fields}, separators=(",", ":")
        ).encode()

    @translate_redis_errors
    def _query(self, query: Callable[[], Found]) -> Found:
        return query()


def _get_reopen_lock(session_id: str) -> str:
    return redis_keys.session_journal(session_id) + ":lock"


def _get_visible_owner() -> str:
    """Return the owner whose sessions the caller may use. `queue.admission` has the same rule as a predicate."""
    caller = CURRENT_CALLER.get()
    return ANY_OWNER if caller is None or caller.role is Role.ADMIN else caller.id
