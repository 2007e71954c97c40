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
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sandbox import errors
from sandbox.config import ApiSettings
from sandbox.queue import redis_keys, session_records
from sandbox.queue.connection import connect, translate_redis_errors
from sandbox.queue.session_answers import CallReader, OnPart
from sandbox.queue.session_records import SessionRecord
from sandbox.request_context import CURRENT_CALLER, Role, generate_id
from sandbox.schema.sessions import SessionHost, SessionInfo, SessionRequest, SessionStatus

ANY_OWNER = "*"
REOPEN_LOCK_S = 120
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

    def __init__(self, settings: ApiSettings) -> None:
        self._redis = connect(settings.effective_redis_url)
        self._lease_s = settings.lease_s
        self._max_sessions = settings.key_max_sessions
        self._reader = CallReader(self._redis)
        self._send_script = self._redis.register_script(_SEND)
        self._start_lock = threading.Lock()
        self._is_started = False

    def close(self) -> None:
        if self._is_started:
            self._reader.close()
        self._redis.close()

    def _start(self) -> None:
        """Start the reader on the first call, because an API that never uses sessions does not need its thread."""
        with self._start_lock:
            if not self._is_started:
                self._reader.start()
                self._is_started = True

    def open(self, request: SessionRequest) -> tuple[str, PendingCall]:
        """Ask for a new session; return its id and the pending answer.

        Raises `errors.NoFreeSession` if no host holds sessions, or `errors.SessionQuotaExceeded`.
        """
        owner, session_id = _get_caller_id(), generate_id()
        if not self.list_hosts():
            raise errors.NoFreeSession("no session host is running; set SANDBOX_SESSIONS on a host", 5.0)
        self._query(
            lambda: session_records.admit_sessions(
                self._redis, owner, [session_id], request.ttl_s, self._get_max_sessions()
            )
        )
        fields = {
            "do": "open",
            "session": session_id,
            "owner": owner,
            "expires_at": time.time() + request.wait_s + OPEN_GRACE_S,
            "memory_mb": request.limits.memory_mb,
        }
        return session_id, self._push_open(fields | {"request": request.model_dump(mode="json")})

    def withdraw(self, call: PendingCall, session_id: str) -> bool:
        """Withdraw a request for a session. Returns False if a host has already taken it."""
        withdrawn = bool(self._query(lambda: self._redis.lrem(redis_keys.SESSION_OPENS, 1, call.message)))
        if withdrawn:
            self._reader.fail([call.id], errors.NoFreeSession("all places for sessions are taken", 2.0))
            owner = json.loads(call.message)["owner"]
            self._query(lambda: session_records.release_sessions(self._redis, owner, [session_id]))
        return withdrawn

    def close_when_open(self, call: PendingCall, session_id: str) -> None:
        """Close a session as soon as it is open. Called if its client disconnected."""

        def close(future: Future[bytes]) -> None:
            if not future.cancelled() and future.exception() is None and "session" in json.loads(future.result()):
                threading.Thread(target=self.send, args=(session_id, {"do": "close"}), daemon=True).start()

        call.future.add_done_callback(close)

    def has_living_host(self, session_id: str) -> bool:
        """Return whether the host of a session is alive. Raises `errors.NotFound`."""
        record = self._query(lambda: session_records.read_record(self._redis, session_id))
        return self.is_host_alive(record.host)

    def reopen(self, session_id: str) -> PendingCall | None:
        """Ask a host to rebuild a lost session from its journal. Returns None if another process has already asked."""
        key = _get_reopen_lock(session_id)
        if not self._query(lambda: self._redis.set(key, WANTED, nx=True, ex=REOPEN_LOCK_S)):
            return None
        expires_at = time.time() + REOPEN_LOCK_S
        memory_mb = self.get(session_id).session.limits.memory_mb
        fields = {"do": "reopen", "session": session_id, "expires_at": expires_at, "memory_mb": memory_mb, "lock": key}
        return self._push_open(fields)

    def end_abandoned_reopen(self, session_id: str) -> bool:
        """Return whether no host is rebuilding a session. Frees the lock if the host that held it died."""
        key = _get_reopen_lock(session_id)
        holder: bytes | None = self._query(lambda: self._redis.get(key))
        if holder is None:
            return True
        if holder == WANTED or self.is_host_alive(holder.decode()):
            return False
        self._query(lambda: self._redis.eval(_UNLOCK, 1, key, holder))
        return True

    def send(self, session_id: str, fields: Mapping[str, Any], on_part: OnPart | None = None) -> PendingCall | str:
        """Send a call and return it; return `ended` or `dead` if the session can take no more calls.

        Raises `errors.NotFound`.
        """
        self._start()
        call_id = generate_id()
        message = self._encode(call_id, {"session": session_id, "stream": on_part is not None, **fields})
        future = self._reader.expect([call_id])[0]
        if on_part is not None:
            self._reader.listen(call_id, on_part)
        keys = [redis_keys.session(session_id), redis_keys.SESSION_HOSTS, redis_keys.session_calls("")]
        arguments = [_get_owner_filter(), time.time() - self._lease_s, message]
        reply = self._query(lambda: self._send_script(keys=keys, args=arguments))
        if isinstance(reply, list):
            return PendingCall(call_id, future, reply[1].decode())
        self._reader.fail([call_id], errors.SessionEnded(""))
        if reply == b"missing":
            raise errors.NotFound(f"no session {session_id}, or it ended over an hour ago")
        return str(reply.decode())

    def is_host_alive(self, host: str) -> bool:
        return self._query(lambda: session_records.is_host_alive(self._redis, host, self._lease_s))

    def forget(self, call: PendingCall) -> None:
        """Stop waiting for an answer."""
        self._reader.fail([call.id], errors.Cancelled("the client went away"))

    def get(self, session_id: str) -> SessionRecord:
        """Return a session's record, with status `lost` if its host is dead. Raises `errors.NotFound`."""
        record = self._query(lambda: session_records.read_record(self._redis, session_id))
        if not _may_see(record.owner):
            raise errors.NotFound(f"no session {session_id}, or it ended over an hour ago")
        if record.session.status is SessionStatus.OPEN and not record.session.replay:
            return self._mark_lost_if_dead(record)
        return record

    def mark_lost(self, session_id: str) -> SessionInfo:
        """Record that a session's host died, and return the session."""
        record = self.get(session_id)
        return self._mark_lost_if_dead(record).session

    def list_open(self) -> list[SessionInfo]:
        """Return the caller's open sessions, latest first."""
        records = self._query(lambda: session_records.list_records(self._redis, _may_see))
        living = {host.id for host in self.list_hosts()}
        return [
            record.session if record.host in living else self._mark_lost_if_dead(record).session for record in records
        ]

    def list_hosts(self) -> list[SessionHost]:
        return self._query(lambda: session_records.list_hosts(self._redis, self._lease_s))

    def admit_forks(self, record: SessionRecord, session_ids: list[str]) -> None:
        """Count new forks against the limit of their owner. Raises `errors.SessionQuotaExceeded`."""
        ttl_s = max(1.0, record.session.expires_at - time.time())
        self._query(
            lambda: session_records.admit_sessions(
                self._redis, record.owner, session_ids, ttl_s, self._get_max_sessions()
            )
        )

    def release(self, record: SessionRecord, session_ids: list[str]) -> None:
        self._query(lambda: session_records.release_sessions(self._redis, record.owner, session_ids))

    def _mark_lost_if_dead(self, record: SessionRecord) -> SessionRecord:
        if record.session.status is not SessionStatus.OPEN or self.is_host_alive(record.host):
            return record
        if record.session.replay:
            return record
        return self._query(
            lambda: session_records.end_session(self._redis, record, SessionStatus.LOST, session_records.HOST_DIED)
        )

    def _push_open(self, fields: Mapping[str, Any]) -> PendingCall:
        self._start()
        call_id = generate_id()
        message = self._encode(call_id, fields)
        future = self._reader.expect([call_id])[0]
        self._query(lambda: self._redis.rpush(redis_keys.SESSION_OPENS, message))
        return PendingCall(call_id, future, message=message)

    def _encode(self, call_id: str, fields: Mapping[str, Any]) -> bytes:
        return json.dumps(
            {"id": call_id, "reader": self._reader.reader_id, "asked_at": time.time(), **fields}, separators=(",", ":")
        ).encode()

    def _get_max_sessions(self) -> int:
        caller = CURRENT_CALLER.get()
        return 0 if caller is None else self._max_sessions

    @translate_redis_errors
    def _query(self, query: Callable[[], Found]) -> Found:
        return query()


def _get_reopen_lock(session_id: str) -> str:
    return redis_keys.session_journal(session_id) + ":lock"


def _get_caller_id() -> str:
    caller = CURRENT_CALLER.get()
    return "" if caller is None else caller.id


def _get_owner_filter() -> str:
    caller = CURRENT_CALLER.get()
    return ANY_OWNER if caller is None or caller.role is Role.ADMIN else caller.id


def _may_see(owner: str) -> bool:
    caller = CURRENT_CALLER.get()
    return caller is None or caller.may_see(owner)
