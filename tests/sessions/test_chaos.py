"""Processes that are killed during a call: a right answer or an honest error, and no call runs twice."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import httpx
import pytest

from sandbox.api.app import create_app
from sandbox.box.docker.leftovers import HOME_LABEL
from sandbox.client import Client, Retries
from sandbox.config import ApiSettings
from sandbox.errors import SessionEnded
from tests.api.threaded_server import serve_in_thread
from tests.redis_server import RedisServer
from tests.sessions.session_hosts import ROOT, SessionHosts
from tests.worker_processes import WorkerProcesses

NO_RETRIES = Retries(attempts=1)
SLOW_COUNT = "import time\ncount = globals().get('count', 0) + 1\ntime.sleep(3)\ncount"
LIMITS = {"wall_time_s": 30}


@pytest.fixture
def own_redis(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[RedisServer]:
    folder = home / f"redis-{time.monotonic_ns() % 10**9}"
    folder.mkdir()
    server = RedisServer(folder)
    server.start()
    yield server
    server.close()


@pytest.fixture
def lease_s(request: pytest.FixtureRequest) -> float:
    return float(getattr(request, "param", 2.0))


@pytest.fixture
def own_hosts(images: dict[str, str], own_redis: RedisServer, home: Path, lease_s: float) -> Iterator[SessionHosts]:
    assert images
    folder = home / f"chaos-{time.monotonic_ns() % 10**9}"
    folder.mkdir()
    settings = ApiSettings(home=folder, redis_url=own_redis.build_url(), lease_s=lease_s)
    with SessionHosts(settings) as hosts:
        yield hosts


@pytest.fixture
def own_url(own_hosts: SessionHosts) -> Iterator[str]:
    with serve_in_thread(create_app(own_hosts.settings)) as url:
        yield url


def send(url: str, session_id: str, code: str, sequence: int) -> httpx.Response:
    body = {"code": code, "sequence": sequence, "limits": LIMITS}
    return httpx.post(f"{url}/sessions/{session_id}/execute", json=body, timeout=90)


def test_a_box_killed_during_a_call_is_a_told_loss(
    own_hosts: SessionHosts, own_url: str, docker_client: docker.DockerClient
) -> None:
    own_hosts.start(2, spares=0)
    with Client(own_url, retries=NO_RETRIES) as client, client.session() as session:
        session.execute("x = 1")
        label = {"label": f"{HOME_LABEL}={own_hosts.settings.home}"}
        boxes = docker_client.containers.list(filters=label, ignore_removed=True)
        threading.Timer(1.0, lambda: [box.kill() for box in boxes]).start()
        with pytest.raises(SessionEnded, match="its box failed"):
            session.execute(SLOW_COUNT, limits=LIMITS)
        with pytest.raises(SessionEnded, match="its box failed"):
            session.execute("x")
        with client.session() as fresh:  # the host goes on
            assert fresh.execute("40 + 2").result == {"text/plain": "42"}


def test_a_worker_killed_while_it_judges_a_session_changes_neither_the_verdict_nor_the_session(
    own_hosts: SessionHosts, own_url: str
) -> None:
    own_hosts.start(1)
    with WorkerProcesses(own_hosts.settings) as workers, Client(own_url) as client, client.session() as session:
        (first,) = workers.start()
        session.execute("x = 41")
        session.put_file("slow.py", b"import time\ntime.sleep(2)\nprint(42)\n")
        with ThreadPoolExecutor(1) as thread:
            judging = thread.submit(session.verify, [{"expected": "42"}], file="slow.py")
            time.sleep(1.0)
            first.kill()
            workers.start()
            assert session.execute("x + 1").result == {"text/plain": "42"}
            assert judging.result(90).verdict == "accepted"


@pytest.mark.parametrize("lease_s", [30.0], indirect=True)  # the host does not count as dead meanwhile
def test_a_call_repeated_after_a_killed_redis_never_runs_twice(
    own_hosts: SessionHosts, own_url: str, own_redis: RedisServer
) -> None:
    own_hosts.start(2)
    with Client(own_url) as client, client.session() as session:
        session.execute("count = 0")

        def break_redis() -> None:
            own_redis.kill()
            time.sleep(0.5)
            own_redis.start()

        timer = threading.Timer(1.0, break_redis)
        timer.start()
        first = send(own_url, session.id, SLOW_COUNT, 2)
        timer.join()
        assert first.status_code in (200, 503), first.text
        repeated = send(own_url, session.id, SLOW_COUNT, 2)
        assert repeated.status_code == 200, repeated.text
        assert repeated.json()["result"] == {"text/plain": "1"}
        assert send(own_url, session.id, "count", 3).json()["result"] == {"text/plain": "1"}


def test_a_call_repeated_after_a_killed_api_never_runs_twice(own_hosts: SessionHosts, own_url: str) -> None:
    own_hosts.start(2)
    variables = {"SANDBOX_HOME": str(own_hosts.settings.home), "SANDBOX_REDIS_URL": own_hosts.settings.redis_url}
    program = (
        "import sys, uvicorn\nfrom sandbox.api.app import create_app\nfrom sandbox.config import ApiSettings\n"
        "uvicorn.run(create_app(ApiSettings(lease_s=2.0)), fd=int(sys.argv[1]), log_level='error')"
    )
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        api = subprocess.Popen(
            [sys.executable, "-c", program, str(server.fileno())],
            cwd=ROOT,
            env={**os.environ, **variables},
            pass_fds=[server.fileno()],
        )
    try:
        session_id = httpx.post(f"{url}/sessions", json={}, timeout=60).json()["id"]
        threading.Timer(1.5, api.kill).start()
        with pytest.raises(httpx.HTTPError):
            send(url, session_id, SLOW_COUNT, 1)
    finally:
        api.kill()
        api.wait()
    answers = [send(own_url, session_id, SLOW_COUNT, 1).json() for _ in range(2)]
    assert [answer["result"] for answer in answers] == [{"text/plain": "1"}] * 2
    assert send(own_url, session_id, "count", 2).json()["result"] == {"text/plain": "1"}


def test_a_replayed_session_survives_two_killed_hosts_in_a_row(own_hosts: SessionHosts, own_url: str) -> None:
    process = own_hosts.start(2)
    session_id = httpx.post(f"{own_url}/sessions", json={"replay": True}, timeout=60).json()["id"]
    send(own_url, session_id, "count = 1", 1)
    send(own_url, session_id, "count += 1", 2)
    send(own_url, session_id, "count += 1", 2)  # repeated, so not run and not journaled a second time
    for _ in range(2):
        process.kill()
        process = own_hosts.start(2)
        answer = send(own_url, session_id, "count += 1", 2).json()
        assert (answer["sequence"], answer["status"]) == (2, "ok")
        assert send(own_url, session_id, "count", 3).json()["result"] == {"text/plain": "2"}


def test_a_host_killed_while_it_rebuilds_a_session_is_replaced(own_hosts: SessionHosts, own_url: str) -> None:
    process = own_hosts.start(2)
    session_id = httpx.post(f"{own_url}/sessions", json={"replay": True}, timeout=60).json()["id"]
    assert send(own_url, session_id, SLOW_COUNT, 1).json()["result"] == {"text/plain": "1"}
    process.kill()
    second = own_hosts.start(2)
    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(send(own_url, session_id, "count", 2)))
    thread.start()
    time.sleep(4.0)  # the lease of the first host has ended, and the second one repeats the slow call
    second.kill()
    own_hosts.start(2)
    began = time.monotonic()
    thread.join(80)
    assert answers[0].json()["result"] == {"text/plain": "1"}, answers[0].text
    assert time.monotonic() - began < 40
