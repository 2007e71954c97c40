"""Names that clients choose for their sessions. A name belongs to one caller and has at most one open session.

Theory of operation. A key in Redis has the id of the name's latest session, also after its end, so that a lookup can
say why the session ended. A request reserves the name before it asks for a session, in one step, so that only one of
several concurrent requests opens one. If the process that holds a reservation dies, the reservation expires.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from sandbox import errors
from sandbox.queue import redis_keys
from sandbox.queue.admission import get_caller_id
from sandbox.queue.connection import translate_redis_errors
from sandbox.queue.session_calls import SessionCalls
from sandbox.queue.session_records import ENDED_TTL_S
from sandbox.request_context import generate_id
from sandbox.schema.sessions import MAX_TTL_S, SessionInfo, SessionStatus

RESERVED = b"reserved "
RESERVED_TTL_S = 300  # longer than a session takes to open

# Give a key another value, or none, if it still has the one that the caller has seen.
_REPLACE = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if ARGV[2] == '' then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""


class SessionNames:
    """The names of sessions that the current caller opens. Thread-safe.

    Methods raise `errors.QueueUnavailable` if Redis does not answer.
    """

    def __init__(self, calls: SessionCalls) -> None:
        self._calls = calls

    @translate_redis_errors
    def find(self, name: str, labels: Mapping[str, str]) -> SessionInfo | None:
        """Return a name's latest session, which may have ended; None if there is none, or only a reservation.

        If the name is not in use, look among all open sessions for one whose metadata has `labels`: one of another
        owner that the caller may see, or one that an earlier version has opened.
        """
        key = _get_key(name)
        holder = self._calls.redis.get(key)
        if holder is None:
            found = self._calls.find_open(labels)
            if found is not None:
                self._replace(key, b"", found.id, MAX_TTL_S)
            return found
        return None if holder.startswith(RESERVED) else self._find(holder)

    @translate_redis_errors
    def reserve(self, name: str) -> bytes | None:
        """Reserve a name for a session to open; None if it has an open session or another reservation."""
        key = _get_key(name)
        reservation = RESERVED + generate_id().encode()
        while True:
            holder: bytes = self._calls.redis.get(key) or b""
            if holder.startswith(RESERVED):
                return None
            found = self._find(holder) if holder else None
            if found is not None and found.status is SessionStatus.OPEN:
                return None
            if self._replace(key, holder, reservation, RESERVED_TTL_S):
                return reservation

    @translate_redis_errors
    def assign(self, name: str, reservation: bytes, session_id: str) -> bool:
        """Give a reserved name to its session. Returns False if the reservation has expired."""
        return self._replace(_get_key(name), reservation, session_id, MAX_TTL_S + ENDED_TTL_S)

    @translate_redis_errors
    def release(self, name: str, reservation: bytes) -> None:
        """Give up a reservation whose session has not been opened."""
        self._replace(_get_key(name), reservation, "", 0)

    def _find(self, holder: bytes) -> SessionInfo | None:
        try:
            return self._calls.get(holder.decode()).session
        except errors.NotFound:
            return None

    def _replace(self, key: str, seen: bytes, value: bytes | str, ttl_s: int) -> bool:
        return bool(self._calls.redis.eval(_REPLACE, 1, key, seen, value, ttl_s))


def _get_key(name: str) -> str:
    """Return the Redis key of a name of the caller. The id of a caller has no space."""
    return redis_keys.session_name(hashlib.sha256(f"{get_caller_id()} {name}".encode()).hexdigest())
