"""What a session host reads from Redis and writes to it: requests, answers, journals and records."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from sandbox.errors import BadRequest, QueueUnavailable
from sandbox.queue import redis_keys, session_records
from sandbox.queue.connection import connect
from sandbox.queue.session_answers import decode_answer, encode_error
from sandbox.queue.session_records import SessionRecord
from sandbox.session_host import journal
from sandbox.session_host.answers import AnswerWriter, encode_answer
from sandbox.session_host.intake import Intake
from sandbox.session_host.journal import Journals, SessionMoved
from sandbox.session_host.places import Places
from tests.redis_server import RedisServer, run_redis_server
from tests.sessions.box_peer import BoxPeer

DATABASE = 11


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator[Redis]:
    client = connect(redis_server.build_url(DATABASE))
    client.flushdb()
    yield client
    client.close()


class Taken:
    """The messages that an intake passed on."""

    def __init__(self) -> None:
        self.calls: list[bytes] = []
        self.opens: list[Any] = []
        self.late: list[Any] = []

    def wait_for(self, condition: Any) -> None:
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, (self.calls, self.opens, self.late)
            time.sleep(0.02)


@contextmanager
def run_intake(redis_server: RedisServer, places: Places) -> Iterator[Taken]:
    taken = Taken()
    intake = Intake(
        redis_server.build_url(DATABASE), "host", places, taken.calls.extend, taken.opens.append, taken.late.append
    )
    intake.start()
    yield taken
    intake.close()
    assert not any(thread.name in ("session-calls", "session-opens") for thread in threading.enumerate())


def push_open(redis: Redis, session: str, memory_mb: int = 64, expires_in_s: float = 60.0) -> None:
    message = {"do": "open", "id": "c", "reader": "r", "session": session, "memory_mb": memory_mb}
    times = {"asked_at": time.time(), "expires_at": time.time() + expires_in_s}
    redis.rpush(redis_keys.SESSION_OPENS, json.dumps(message | times))


def test_an_intake_that_waits_leaves_the_last_place_to_a_fork(redis: Redis, redis_server: RedisServer) -> None:
    places = Places(1, 1_000)
    with run_intake(redis_server, places) as taken:
        time.sleep(0.3)
        assert places.take(1) == 1
        push_open(redis, "a")
        time.sleep(0.3)
        assert taken.opens == []
        places.release()
        taken.wait_for(lambda: [each["session"] for each in taken.opens] == ["a"])
        assert places.take(1) == 0


def test_a_request_that_does_not_fit_lets_others_pass(redis: Redis, redis_server: RedisServer) -> None:
    places = Places(5, 100)
    assert places.commit_memory(200)
    push_open(redis, "large", memory_mb=4_000)
    push_open(redis, "late", memory_mb=4_000, expires_in_s=-1)
    redis.rpush(redis_keys.SESSION_OPENS, b"invalid", b"[]", b"{}")
    push_open(redis, "small", memory_mb=100)
    with run_intake(redis_server, places) as taken:
        taken.wait_for(lambda: taken.opens and taken.late)
        assert [each["session"] for each in taken.opens] == ["small"]
        assert [each["session"] for each in taken.late] == ["late"]
    assert [json.loads(each)["session"] for each in redis.lrange(redis_keys.SESSION_OPENS, 0, -1)] == ["large"]
    assert places.take(5) == 4


def test_answers_that_redis_refuses_are_sent_later(home: Path) -> None:
    folder = home / f"full-{time.monotonic_ns() % 10**9}"
    folder.mkdir()
    with run_redis_server(folder) as server:
        client = connect(server.build_url())
        client.config_set("maxmemory", "1")
        writer = AnswerWriter(connect(server.build_url(), forever=True))
        writer.start()
        written = [f"answer-{number}".encode() for number in range(600)]
        for answer in written:
            writer.write("reader", "id", answer)
        time.sleep(0.5)
        client.config_set("maxmemory", "0")
        writer.close()
        assert client.lrange(redis_keys.messages("reader"), 0, -1) == [b"id " + each for each in written]
        client.close()


def test_an_answer_is_valid_utf_8_and_its_error_keeps_its_kind() -> None:
    assert json.loads(encode_answer({"a": "x\ud800"}).decode()) == {"a": "x?"}
    with pytest.raises(QueueUnavailable, match="moved"):
        decode_answer(encode_answer(encode_error(SessionMoved("it moved"))))


def test_a_journal_takes_entries_only_from_the_host_of_its_session(redis: Redis) -> None:
    async def run() -> None:
        async with BoxPeer() as peer:
            session = peer.build_session(replay=True)
            pipeline = redis.pipeline()
            session_records.write_record(pipeline, session.record)
            pipeline.execute()
            await Journals(redis, "host").append(session, ["first"])
            with pytest.raises(SessionMoved):
                await Journals(redis, "other").append(session, ["second"])
        assert redis.lrange(redis_keys.session_journal("s"), 0, -1) == [b"first"]

    asyncio.run(run())


def test_a_journal_has_a_bound(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_JOURNAL_BYTES", 100)

    async def run() -> None:
        async with BoxPeer() as peer:
            journals, session = Journals(redis, "host"), peer.build_session(replay=True)
            entry = {"do": "put_file", "content": "x" * 50}
            pipeline = redis.pipeline()
            session_records.write_record(pipeline, session.record)
            pipeline.execute()
            await journals.append(session, [journals.prepare(session, entry)])
            with pytest.raises(BadRequest, match="journal"):
                journals.prepare(session, entry)
            assert journals.prepare(peer.build_session(replay=False), entry) == ""

    asyncio.run(run())


def test_fields_of_a_newer_version_are_ignored(redis: Redis) -> None:
    async def run() -> None:
        async with BoxPeer() as peer:
            fields = {name.encode(): value.encode() for name, value in peer.build_session().record.encode().items()}
        stored = json.loads(fields[b"session"])
        stored["new"], stored["limits"]["new"] = 1, {"more": 2}
        record = SessionRecord.decode({**fields, b"session": json.dumps(stored).encode(), b"later": b""})
        assert record.session.id == "s"

    asyncio.run(run())
    host = {"id": "h", "name": "n", "places": 1, "open": 0, "warm": 0, "new": []}
    redis.zadd(redis_keys.SESSION_HOSTS, {"h": time.time()})
    redis.set(redis_keys.session_host("h"), json.dumps(host))
    assert [each.id for each in session_records.list_hosts(redis, 60.0)] == ["h"]
