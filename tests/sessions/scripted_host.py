"""A session host without boxes: a test takes its requests from Redis, and decides when and how to answer."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from redis import Redis

from sandbox.queue import redis_keys, session_records
from sandbox.queue.result_writer import encode_message, push_results
from sandbox.queue.session_records import SessionRecord
from sandbox.schema.sessions import SessionHost, SessionInfo, SessionLanguage, SessionStatus

LEASE_S = 60.0
TIMEOUT_S = 10

Message = Mapping[str, Any]


class ScriptedHost:
    """Alive for `LEASE_S` seconds from its creation."""

    def __init__(self, redis: Redis, host_id: str) -> None:
        self._redis = redis
        self.id = host_id
        host = SessionHost(id=host_id, name="scripted", places=8, open=0, warm=8)
        session_records.send_heartbeat(redis, host, LEASE_S, {})

    def take_open(self) -> Message:
        return self._take(redis_keys.SESSION_OPENS)

    def take_call(self) -> Message:
        return self._take(redis_keys.session_calls(self.id))

    def _take(self, key: str) -> Message:
        taken = self._redis.blpop([key], TIMEOUT_S)
        assert taken is not None, f"nothing arrived in {key}"
        message: Message = json.loads(taken[1])
        return message

    def count_waiting(self) -> int:
        """Return how many requests and calls no one has taken."""
        return int(self._redis.llen(redis_keys.SESSION_OPENS) + self._redis.llen(redis_keys.session_calls(self.id)))

    def open(self, message: Message) -> str:
        """Open the session of a request, and answer; return its id."""
        session = self.record(message["session"], message["owner"])
        self.answer(message, {"session": session.model_dump(mode="json")})
        return session.id

    def record(self, session_id: str, owner: str = "", age_s: float = 0.0, **fields: Any) -> SessionInfo:
        """Write the record of an open session."""
        now = time.time() - age_s
        session = SessionInfo(
            id=session_id,
            language=SessionLanguage.PYTHON,
            status=SessionStatus.OPEN,
            created_at=now,
            expires_at=now + 600,
            **fields,
        )
        pipeline = self._redis.pipeline()
        session_records.write_record(pipeline, SessionRecord(session, self.id, owner))
        pipeline.execute()
        return session

    def answer(self, message: Message, answer: Mapping[str, Any]) -> None:
        pipeline = self._redis.pipeline()
        push_results(pipeline, message["reader"], [encode_message(message["id"], json.dumps(answer).encode())])
        pipeline.execute()
