"""What a host does when a box does not start, Redis refuses a record, or it is stopping: all places become free."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from sandbox.box.engine import BoxHandle
from sandbox.box.environment import NoEnvironmentImages
from sandbox.errors import EngineUnavailable, QueueUnavailable
from sandbox.queue import redis_keys, session_records
from sandbox.queue.connection import connect
from sandbox.runner import frames
from sandbox.session_host import box_pool
from sandbox.session_host.box_pool import BoxPool
from sandbox.session_host.environments import SessionBoxes
from sandbox.session_host.held_sessions import HeldSessions
from sandbox.session_host.observer import NULL_OBSERVER
from sandbox.session_host.places import Places
from sandbox.session_host.rebuilding import Rebuilder
from tests.redis_server import run_redis_server

OPEN = {
    "do": "open",
    "id": "c",
    "reader": "r",
    "session": "s",
    "owner": "",
    "request": {},
    "memory_mb": 512,
    "asked_at": 0,
}


class ObligingBox:
    """A handle of a box that accepts everything."""

    def __init__(self) -> None:
        self.connection, self._other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.requests: list[dict[str, Any]] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        frames.send(self._other, {"ready": True})
        try:
            while True:
                request, _, _ = frames.receive(self._other)
                self.requests.append(request)
                frames.send(self._other, {"id": request["id"], "done": True})
        except frames.FrameError:
            self._other.close()

    def limit_memory(self, memory_mb: int) -> None: ...

    def measure_own_memory(self) -> None: ...

    def begin_run(self) -> None: ...

    def read_peak_memory_mb(self) -> float | None: ...

    def ran_out_of_memory(self) -> bool:
        return False

    def destroy(self) -> None:
        self.connection.close()


class Engine:
    """Starts boxes that accept everything, after `failures` unexpected errors and once `may_start` is set."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.boxes: list[ObligingBox] = []
        self.may_start = threading.Event()
        self.may_start.set()

    def start(self, image: str, session: bool) -> BoxHandle:
        assert self.may_start.wait(20)
        if self.failures:
            self.failures -= 1
            raise RuntimeError("nobody expects this")
        self.boxes.append(ObligingBox())
        return self.boxes[-1]

    def close(self) -> None: ...


def build_sessions(redis: Redis, engine: Engine, places: Places) -> tuple[BoxPool, HeldSessions]:
    tasks = []

    def start(work: Awaitable[None]) -> None:
        tasks.append(asyncio.ensure_future(work))

    pool = BoxPool(engine, 0, 10)
    return pool, HeldSessions(
        redis, "host", SessionBoxes(redis, pool, NoEnvironmentImages()), places, start, NULL_OBSERVER
    )


def test_an_unexpected_error_of_the_engine_reaches_those_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box_pool, "PAUSE_AFTER_FAILURE_S", 0.1)

    async def run() -> None:
        pool = BoxPool(Engine(failures=1), 0, 10)
        with pytest.raises(EngineUnavailable, match="nobody expects"):
            await asyncio.wait_for(pool.take(), 5)
        pool.put_back(await asyncio.wait_for(pool.take(), 5), clean=True)
        await pool.close()

    asyncio.run(run())


def test_a_pool_that_stops_lets_nobody_wait() -> None:
    async def run() -> None:
        engine = Engine()
        pool = BoxPool(engine, 0, 10)
        waiting = asyncio.create_task(pool.take())
        await asyncio.sleep(0)
        pool.stop()
        for take in (waiting, pool.take()):
            with pytest.raises(EngineUnavailable, match="stopped"):
                await asyncio.wait_for(take, 5)
        await pool.close()
        assert all(box.connection.fileno() < 0 for box in engine.boxes)

    asyncio.run(run())


@pytest.fixture
def own_redis(home: Path) -> Iterator[Redis]:
    folder = home / f"own-{time.monotonic_ns() % 10**9}"
    folder.mkdir()
    with run_redis_server(folder) as server:
        redis = connect(server.build_url())
        yield redis
        redis.close()


async def test_forks_without_a_record_are_closed(own_redis: Redis) -> None:
    engine, places = Engine(), Places(4, 10_000)
    pool, sessions = build_sessions(own_redis, engine, places)
    assert places.take(3) == 3
    live = await sessions.open(OPEN)
    own_redis.config_set("maxmemory", "1")
    with pytest.raises(QueueUnavailable):
        await sessions.add_forks(live, OPEN | {"ids": ["a", "b"]}, [1, 2])
    own_redis.config_set("maxmemory", "0")
    assert own_redis.llen(redis_keys.messages("r")) == 1  # the answer to `open`
    assert [each.id for each in sessions.list_all()] == ["s"]
    assert list(live.family.members) == [0]
    assert {each["branch"] for each in engine.boxes[0].requests if each["do"] == "close"} == {1, 2}
    assert places.take(4) == 3
    await sessions.add_forks(live, OPEN | {"id": "d", "ids": ["e"]}, [3])
    assert own_redis.lrange(redis_keys.messages("r"), -1, -1) == [b'd {"ids": ["e"]}']
    assert session_records.read_record(own_redis, "e").session.parent == "s"
    for each in sessions.list_all():
        sessions.drop(each)
    await pool.close()


@pytest.mark.parametrize("change", [{"request": {"language": "cobol"}}, {"request": None}, {"request": {"ttl_s": []}}])
async def test_a_request_that_cannot_be_read_frees_its_place(own_redis: Redis, change: dict[str, Any]) -> None:
    places = Places(1, 10_000)
    pool, sessions = build_sessions(own_redis, Engine(), places)
    assert places.take(1) == 1
    with pytest.raises(ValueError, match=r"."):
        await sessions.open({**OPEN, **change})
    assert places.take(2) == 1
    await pool.close()


async def test_a_long_rebuild_keeps_its_lock(own_redis: Redis) -> None:
    places = Places(1, 10_000)
    engine = Engine()
    pool, sessions = build_sessions(own_redis, engine, places)
    live = await sessions.open({**OPEN, "request": {"replay": True}})
    own_redis.hset(redis_keys.session("s"), "host", "dead")
    sessions.drop(live)
    await pool.close()

    pool, sessions = build_sessions(own_redis, engine, places)
    rebuilder = Rebuilder(own_redis, "host", 4.0, sessions, NULL_OBSERVER)
    own_redis.set("lock", "1", ex=5)
    engine.failures = 1
    engine.may_start.clear()
    rebuilding = asyncio.create_task(rebuilder.rebuild({**OPEN, "do": "reopen", "lock": "lock"}))
    async with asyncio.timeout(10):
        while own_redis.get("lock") != b"host":  # noqa: ASYNC110 - only Redis knows
            await asyncio.sleep(0.01)
    rebuilder.renew_locks()
    assert own_redis.ttl("lock") > 60
    engine.may_start.set()
    with pytest.raises(EngineUnavailable):
        await rebuilding
    assert own_redis.get("lock") is None
    await pool.close()
