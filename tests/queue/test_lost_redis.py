"""Redis goes away for longer than its clients try again: each process says so once, none ends, and nothing is lost."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from redis.exceptions import ConnectionError as RedisIsAway

from sandbox.box.docker.leftovers import remove_boxes
from sandbox.client import Client
from sandbox.queue import connection
from sandbox.queue.connection import hide_password
from sandbox.schema import Job, JobStatus
from tests.processes.sandbox_command import ROOT, build_environment, find_free_port
from tests.queue.submit_and_wait import TIMEOUT_S, wait_until
from tests.redis_server import RedisServer

OUTAGE_S = 13.0  # more than the ten seconds for which a process tries a command again that a client waits for
SECRET = "whsec_" + "dGhlIGV4YW1wbGVzIG9mIHRoZSBndWlkZSBrbm93IGl0"
STOP_TIMEOUT_S = 15.0
WARNINGS_BY_PROCESS = {"api": 1, "deliver": 1, "worker": 2}  # processes that lose Redis: a worker's are its slots


class Processes:
    """The API, the webhooks and a worker as an operator starts them, each with a log."""

    def __init__(self, folder: Path, server: RedisServer) -> None:
        self._folder = folder
        port = find_free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._environment = build_environment(
            folder,
            SANDBOX_REDIS_URL=server.build_url(),
            SANDBOX_PORT=str(port),
            SANDBOX_EXPRESS="0",
            SANDBOX_SPARE_BOXES="0",
            SANDBOX_WEBHOOK_SECRET=SECRET,
        )
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *words: str) -> None:
        home = {"SANDBOX_HOME": str(self._folder / name)}
        with self._log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", "sandbox", *words],
                env={**self._environment, **home},
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )

    def stop(self, name: str) -> int:
        """Politely; the exit code."""
        process = self._running.pop(name)
        process.terminate()
        try:
            return process.wait(STOP_TIMEOUT_S)
        finally:
            process.kill()

    def close(self) -> None:
        for name in list(self._running):
            self.stop(name)
            remove_boxes(self._folder / name)

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=20).status_code == 200
        except httpx.HTTPError:
            return False

    def lines(self, name: str) -> list[dict[str, str]]:
        """What it has logged; a line that is not JSON fails the test."""
        return [json.loads(line) for line in self._log(name).read_text().splitlines() if line]

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"


@pytest.fixture
def processes(images: dict[str, str], own_home: Path, own_server: RedisServer) -> Iterator[Processes]:
    assert images
    with ExitStack() as at_end:
        opened = Processes(own_home, own_server)
        at_end.callback(opened.close)
        opened.start("api", "serve")
        opened.start("deliver", "deliver")
        opened.start("worker", "worker", "--slots", "2")
        wait_until(opened.ready, "the service is ready")
        yield opened


def _sleeping(seconds: float, then: str) -> dict[str, str]:
    return {"language": "python", "code": f"import time; time.sleep({seconds}); print({then!r})"}


def _running(client: Client, seconds: float) -> str:
    """A job that runs, and needs so long."""
    job = client.submit("execute", _sleeping(seconds, "kept")).id
    wait_until(lambda: client.job(job).status is JobStatus.RUNNING, "it runs")
    return job


def _output(job: Job) -> str:
    assert job.result is not None
    return str(job.result["stdout"])


@pytest.mark.slow
def test_an_outage_is_one_warning_and_one_line_when_it_is_over(processes: Processes, own_server: RedisServer) -> None:
    """One slot has work when Redis goes away, and one is idle."""
    with Client(processes.url) as client, ThreadPoolExecutor(1) as another:
        assert client.execute({"language": "python", "code": "print('before')"}).stdout == "before\n"
        kept = _running(client, 3.0)
        before = {name: len(processes.lines(name)) for name in WARNINGS_BY_PROCESS}
        own_server.kill()
        time.sleep(1.0)
        waits = another.submit(client.execute, _sleeping(0.1, "sent without Redis"))
        time.sleep(OUTAGE_S - 1.0)
        own_server.start()
        assert waits.result(TIMEOUT_S).stdout == "sent without Redis\n"
        assert _output(client.wait(kept, TIMEOUT_S)) == "kept\n"
    for name, at in before.items():
        said = processes.lines(name)[at:]
        assert not [line for line in said if "traceback" in line or "restarting it" in line["message"]]
        of_the_outage = [line for line in said if line["logger"] == connection.__name__]
        pids = {line["process"] for line in of_the_outage}
        assert len(pids) == WARNINGS_BY_PROCESS[name]
        for pid in pids:
            levels = [line["level"] for line in of_the_outage if line["process"] == pid]
            assert levels == ["warning", "info"]
        assert [line for line in said if line["level"] not in {"info", "warning"}] == []
        assert sum(line["level"] == "warning" for line in said) == WARNINGS_BY_PROCESS[name], said
        first, last = of_the_outage[0]["message"], of_the_outage[-1]["message"]
        assert first.startswith(f"Redis at {own_server.build_url()} has not answered for ")
        assert "trying again" in first
        assert last.startswith(f"Redis at {own_server.build_url()} answers again after 1")


def test_a_worker_stops_while_redis_is_away_and_what_it_ran_is_run_again(
    processes: Processes, own_server: RedisServer
) -> None:
    with Client(processes.url) as client:
        kept = _running(client, 4.0)
        before = len(processes.lines("worker"))
        own_server.kill()
        time.sleep(2.5)
        assert processes.stop("worker") == 0
        said = processes.lines("worker")[before:]
        assert any("stopped before Redis accepted the results" in line["message"] for line in said)
        assert [line for line in said if line["level"] == "error" or "traceback" in line] == []
        own_server.start()
        processes.start("worker", "worker", "--slots", "1")
        assert _output(client.wait(kept, TIMEOUT_S)) == "kept\n"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@redis.internal:6379/0", "redis://redis.internal:6379/0"),
        ("rediss://user:s%2Fecret@[::1]:6379", "rediss://[::1]:6379"),
        ("redis://redis.internal/0?password=secret&protocol=3", "redis://redis.internal/0?protocol=3"),
        ("unix:///run/redis.sock?db=1&password=secret", "unix:///run/redis.sock?db=1"),
        ("unix://user:secret@/run/redis.sock", "unix:///run/redis.sock"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert hide_password(url) == shown


def test_a_blip_is_not_logged_and_an_outage_is_with_reminders(
    own_home: Path, own_server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, connection.__name__)
    monkeypatch.setattr(connection, "RETRIES", 4)  # in 1.5 s
    monkeypatch.setattr(connection, "UNREACHABLE_AFTER_S", 60.0)
    client = connection.connect(own_server.build_url())
    assert client.ping()
    own_server.kill()
    with pytest.raises(RedisIsAway):
        client.ping()
    assert (caplog.messages, connection.get_failure_log_level()) == ([], logging.WARNING)
    own_server.start()
    assert client.ping()
    own_server.kill()
    monkeypatch.setattr(connection, "UNREACHABLE_AFTER_S", 0.3)
    monkeypatch.setattr(connection, "REMINDER_INTERVAL_S", 1.0)
    with pytest.raises(RedisIsAway):
        client.ping()
    assert len(caplog.messages) == 2
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert (connection.is_unreachable(), connection.get_failure_log_level()) == (True, logging.DEBUG)
    own_server.start()
    caplog.clear()
    assert client.ping()
    assert [record.levelno for record in caplog.records] == [logging.INFO]
    assert not connection.is_unreachable()
    client.close()
