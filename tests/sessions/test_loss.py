"""Lost hosts, full hosts, and hosts that stop."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import httpx
import pytest

from sandbox.api.app import create_app
from sandbox.box.docker.leftovers import HOME_LABEL
from sandbox.client import Client, Retries
from sandbox.config import ApiSettings
from sandbox.errors import BadRequest, NoFreeSession, SessionEnded
from sandbox.queue import redis_keys
from tests.api.threaded_server import serve_in_thread
from tests.redis_server import RedisServer
from tests.sessions.session_hosts import SessionHosts

DATABASE = 9
NO_RETRIES = Retries(attempts=1)


@pytest.fixture
def own_hosts(images: dict[str, str], redis_server: RedisServer, home: Path) -> Iterator[SessionHosts]:
    assert images
    folder = home / f"hosts-{time.monotonic_ns()}"
    folder.mkdir()
    redis_server.connect(DATABASE).flushdb()
    settings = ApiSettings(home=folder, redis_url=redis_server.build_url(DATABASE), lease_s=2.0)
    with SessionHosts(settings) as hosts:
        yield hosts


@pytest.fixture
def own_url(own_hosts: SessionHosts) -> Iterator[str]:
    with serve_in_thread(create_app(own_hosts.settings)) as url:
        yield url


@pytest.fixture
def own_client(own_url: str) -> Iterator[Client]:
    with Client(own_url, retries=NO_RETRIES) as client:
        yield client


def test_a_session_whose_host_died_is_gone_and_says_so(
    own_hosts: SessionHosts, own_client: Client, own_url: str
) -> None:
    process = own_hosts.start(2)
    with own_client.session() as session:
        session.execute("x = 1")
        process.kill()
        own_hosts.start(2)  # another host must not answer for it
        began = time.monotonic()
        with pytest.raises(SessionEnded, match="host that held it died"):
            session.execute("x")
        assert time.monotonic() - began < 5
        assert session.describe().status == "lost"
    metrics = httpx.get(f"{own_url}/metrics").text
    assert 'sandbox_sessions_ended_total{language="python",status="lost"} 1.0' in metrics  # seen twice, counted once


def test_a_call_under_way_fails_when_its_host_dies(own_hosts: SessionHosts, own_client: Client) -> None:
    process = own_hosts.start(2)
    with own_client.session() as session:
        threading.Timer(1.0, process.kill).start()
        began = time.monotonic()
        with pytest.raises(SessionEnded, match="died"):
            session.execute("import time\ntime.sleep(60)", limits={"cpu_time_s": 60})
        assert time.monotonic() - began < 10


def test_a_replayed_session_is_rebuilt_on_another_host(own_hosts: SessionHosts, own_client: Client) -> None:
    process = own_hosts.start(2)
    with own_client.session(replay=True, files={"f": b"file"}) as session:
        session.execute("x = [1]")
        session.execute("x.append(2)")
        session.put_file("g", b"later")
        process.kill()
        own_hosts.start(2)
        answer = session.execute("x, open('f').read(), open('g').read()")
        assert answer.result == {"text/plain": "([1, 2], 'file', 'later')"}
        assert (answer.replayed, answer.sequence) == (3, 3)
        assert session.execute("1").replayed == 0


def test_a_host_that_stops_ends_its_sessions_and_says_so(own_hosts: SessionHosts, own_client: Client) -> None:
    process = own_hosts.start(2)
    with own_client.session() as session:
        session.execute("1")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        with pytest.raises(SessionEnded, match="host was stopped"):
            session.execute("1")


def test_a_replayed_session_continues_after_its_host_stopped(own_hosts: SessionHosts, own_client: Client) -> None:
    process = own_hosts.start(2)
    with own_client.session(replay=True) as session:
        session.execute("x = 1")
        own_hosts.start(2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert session.describe().status == "open"
        answer = session.execute("x + 1")
        assert (answer.result, answer.replayed) == ({"text/plain": "2"}, 1)


def test_a_call_moves_to_another_host_when_its_host_stops(own_hosts: SessionHosts, own_client: Client) -> None:
    process = own_hosts.start(2)
    with own_client.session(replay=True) as session:
        session.execute("x = 1")
        own_hosts.start(2)
        threading.Timer(1.0, lambda: process.send_signal(signal.SIGTERM)).start()
        answer = session.execute("import time\ntime.sleep(3)\nx + 1", limits={"wall_time_s": 30})
        assert (answer.result, answer.sequence) == ({"text/plain": "2"}, 2)
        assert process.wait(30) == 0


def test_a_session_whose_host_is_alive_is_not_rebuilt(
    own_hosts: SessionHosts, own_client: Client, redis_server: RedisServer
) -> None:
    own_hosts.start(4)
    with own_client.session(replay=True) as session:
        session.execute("x = 1")
        redis = redis_server.connect(DATABASE)
        lock = redis_keys.session_journal(session.id) + ":lock"
        redis.set(lock, "1", ex=60)
        message = {"do": "reopen", "id": "c", "reader": "r", "session": session.id, "memory_mb": 64, "lock": lock}
        fields = {"expires_at": time.time() + 60, "asked_at": time.time()}
        redis.rpush(redis_keys.SESSION_OPENS, json.dumps(message | fields))
        answer = redis.blpop([redis_keys.messages("r")], 20)
        assert answer is not None
        assert b"NoFreeSession" in answer[1]
        assert redis.get(lock) is None
        redis.close()
        assert session.execute("x").result == {"text/plain": "1"}


def test_a_session_that_cannot_be_rebuilt_is_lost(
    own_hosts: SessionHosts, own_client: Client, redis_server: RedisServer
) -> None:
    process = own_hosts.start(2)
    with own_client.session(replay=True) as session:
        session.execute("x = 1")
        redis = redis_server.connect(DATABASE)
        redis.rpush(redis_keys.session_journal(session.id), json.dumps({"do": "put_file", "path": "../x"}))
        redis.close()
        process.kill()
        own_hosts.start(2)
        with pytest.raises(BadRequest):
            session.execute("x")
        assert session.describe().status == "lost"


def test_a_draining_host_waits_for_its_last_session(own_hosts: SessionHosts, own_client: Client) -> None:
    process = own_hosts.start(2)
    with own_client.session() as session:
        process.send_signal(signal.SIGUSR1)
        time.sleep(1.0)
        assert session.execute("40 + 2").result == {"text/plain": "42"}
        with pytest.raises(NoFreeSession):
            own_client.session(wait_s=1).open()
        assert process.poll() is None
        (draining,) = [line for line in own_hosts.log.read_text().splitlines() if "last_ends_within_s" in line]
        assert 0 < json.loads(draining)["last_ends_within_s"] <= session.describe().expires_at - time.time() + 5
    assert process.wait(30) == 0


def test_a_request_waits_for_a_place_and_gives_up_in_time(own_hosts: SessionHosts, own_client: Client) -> None:
    own_hosts.start(1)
    with own_client.session() as session:
        began = time.monotonic()
        with pytest.raises(NoFreeSession, match="all places"):
            own_client.session(wait_s=1).open()
        assert 0.9 < time.monotonic() - began < 4
        threading.Timer(0.5, session.close).start()
        with own_client.session(wait_s=20) as waiting:
            assert waiting.execute("1").status == "ok"


def test_without_a_host_there_are_no_sessions(own_client: Client, own_url: str) -> None:
    with pytest.raises(NoFreeSession, match="no session host is running"):
        own_client.session().open()
    refused = httpx.post(f"{own_url}/sessions", json={})
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")


def test_a_killed_host_leaves_no_running_boxes(
    own_hosts: SessionHosts, own_client: Client, docker_client: docker.DockerClient
) -> None:
    label = {"label": f"{HOME_LABEL}={own_hosts.settings.home}"}
    process = own_hosts.start(2)
    own_client.session().open()
    assert docker_client.containers.list(filters=label, ignore_removed=True)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    while left := docker_client.containers.list(filters=label, ignore_removed=True):
        assert time.monotonic() < deadline, left
        time.sleep(0.5)
