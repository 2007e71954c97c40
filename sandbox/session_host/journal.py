"""Write the journals of sessions with `replay`: the calls and file changes from which a lost session is rebuilt."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from sandbox.errors import BadRequest, QueueUnavailable
from sandbox.queue import redis_keys
from sandbox.session_host.live_session import LiveSession

MAX_JOURNAL_BYTES = 64 << 20
MOVED = "the session continues on another host; repeat the call with its number"

# Append lines to a journal, unless the session's record names another host or says that it has ended.
_APPEND = """
local found = redis.call('HMGET', KEYS[1], 'host', 'status')
if found[1] ~= ARGV[1] or found[2] ~= 'open' then return 0 end
for position = 2, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[position]) end
return 1
"""


class SessionMoved(QueueUnavailable):
    """Another host holds the session now."""


class Journals:
    """Appends to the journals of the sessions of one host. Not thread-safe: use it in one event loop."""

    def __init__(self, redis: Redis, host: str) -> None:
        self._redis = redis
        self._host = host

    def prepare(self, session: LiveSession, entry: Mapping[str, Any], needs_room: bool = True) -> str:
        """Return an entry's line, before what it describes is done. Empty if the session has no journal.

        Raises BadRequest if the line needs room and the journal has none.
        """
        if not session.record.session.replay:
            return ""
        line = json.dumps(entry)
        if needs_room and session.journal_bytes + len(line) > MAX_JOURNAL_BYTES:
            raise BadRequest(
                f"the journal of this session would exceed {MAX_JOURNAL_BYTES >> 20} MiB, so it could not be rebuilt;"
                " continue in a new session"
            )
        return line

    async def append(self, session: LiveSession, lines: Sequence[str] = ()) -> None:
        """Append lines to a session's journal, after any earlier ones that are still unwritten.

        Raises QueueUnavailable, or SessionMoved if another host holds the session.
        """
        session.unwritten += lines
        session.journal_bytes += sum(map(len, lines))
        pending, session.unwritten = session.unwritten, []
        if not pending:
            return
        try:
            appended = await asyncio.to_thread(self._append, session.id, pending)
        except RedisError as error:
            session.unwritten[:0] = pending
            raise QueueUnavailable(
                f"the call ran, but Redis has not recorded it; repeat its number: {error}"
            ) from error
        if not appended:
            raise SessionMoved(MOVED)

    def _append(self, session_id: str, lines: Sequence[str]) -> bool:
        keys = redis_keys.session(session_id), redis_keys.session_journal(session_id)
        return bool(self._redis.eval(_APPEND, 2, *keys, self._host, *lines))
