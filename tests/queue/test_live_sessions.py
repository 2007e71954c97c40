"""Test what the live view says about session hosts and open sessions."""

from __future__ import annotations

import time

from redis import Redis

from sandbox.queue import live_view, redis_keys, session_records
from sandbox.queue.live_view import MAX_SESSIONS
from sandbox.queue.session_records import SessionRecord
from sandbox.schema.live import LiveSessions
from sandbox.schema.sessions import SessionHost, SessionInfo, SessionLanguage, SessionStatus

LEASE_S = 4.0
HOST = SessionHost(id="host-1", name="a", places=100, open=3, warm=2)


def _read_sessions(redis: Redis) -> LiveSessions | None:
    return live_view.read_live_view(redis, LEASE_S, {}).sessions


def _open(
    redis: Redis, session_id: str, host: str = HOST.id, replay: bool = False, age_s: float = 0.0
) -> SessionRecord:
    created_at = time.time() - age_s
    session = SessionInfo(
        id=session_id,
        language=SessionLanguage.PYTHON,
        status=SessionStatus.OPEN,
        created_at=created_at,
        expires_at=created_at + 60,
        replay=replay,
    )
    record = SessionRecord(session, host, owner="")
    pipeline = redis.pipeline()
    session_records.write_record(pipeline, record)
    pipeline.execute()
    return record


def _beat(redis: Redis, host: SessionHost = HOST, **expiries: float) -> None:
    session_records.send_heartbeat(redis, host, LEASE_S, expiries)


def test_without_hosts_and_sessions_the_live_view_has_no_sessions(redis: Redis) -> None:
    assert _read_sessions(redis) is None


def test_hosts_are_listed_with_their_places_and_warm_boxes(redis: Redis) -> None:
    other = HOST.model_copy(update={"id": "host-0", "name": "b", "draining": True})
    _beat(redis)
    _beat(redis, other)
    shown = _read_sessions(redis)
    assert shown is not None
    assert shown.hosts == [HOST, other]
    assert shown.latest == []


def test_only_the_latest_sessions_are_listed_latest_first(redis: Redis) -> None:
    _beat(redis)
    for number in range(MAX_SESSIONS + 5):
        _open(redis, f"s{number}", age_s=float(number))
    shown = _read_sessions(redis)
    assert shown is not None
    assert [session.id for session in shown.latest] == [f"s{number}" for number in range(MAX_SESSIONS)]
    assert {session.host for session in shown.latest} == {"a"}


def test_a_heartbeat_moves_the_expiry_of_open_sessions_only(redis: Redis) -> None:
    record, ended = _open(redis, "open"), _open(redis, "ended")
    later = record.session.expires_at + 500
    session_records.end_session(redis, ended, SessionStatus.CLOSED, "closed")
    _beat(redis, open=later, ended=later)
    shown = _read_sessions(redis)
    assert shown is not None
    assert [(session.id, session.expires_at) for session in shown.latest] == [("open", later)]
    assert redis.zrange(redis_keys.SESSION_EXPIRIES, 0, -1) == [b"open"]


def test_of_the_sessions_of_a_dead_host_only_those_that_can_be_rebuilt_are_listed(redis: Redis) -> None:
    _open(redis, "lost", host="dead")
    assert _read_sessions(redis) is None
    _open(redis, "kept", host="dead", replay=True)
    shown = _read_sessions(redis)
    assert shown is not None
    assert [(session.id, session.host) for session in shown.latest] == [("kept", "")]
    assert shown.hosts == []
