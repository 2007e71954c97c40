"""A separate queue for each test: an empty database of a real Redis server, a service, and workers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from sandbox.box.docker.leftovers import remove_boxes
from sandbox.config import QueueSettings
from sandbox.service import Service
from tests.redis_server import RedisServer, run_redis_server
from tests.running_service import run_service
from tests.worker_processes import WorkerProcesses

DATABASE = 1
FIRST_SLOT = 110


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator[Redis]:
    with redis_server.open_empty_database(DATABASE) as client:
        yield client


@pytest.fixture
def settings(redis: Redis, redis_server: RedisServer) -> Iterator[QueueSettings]:
    assert redis.dbsize() == 0
    with tempfile.TemporaryDirectory(prefix="jobs-") as home:  # short, for a socket's path has at most 107 bytes
        yield QueueSettings(home=Path(home), redis_url=redis_server.build_url(DATABASE))


@pytest.fixture
def own_home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="own-") as folder:  # short, for a socket's path has at most 107 bytes
        yield Path(folder)


@pytest.fixture
def own_server(own_home: Path) -> Iterator[RedisServer]:
    """Yield a Redis server that a test may kill or fill."""
    with run_redis_server(own_home) as server:
        yield server


@pytest.fixture
def worker_processes(images: dict[str, str], settings: QueueSettings) -> Iterator[WorkerProcesses]:
    """Yield worker processes, none of which is started yet."""
    assert images
    with WorkerProcesses(settings, FIRST_SLOT) as worker_processes:
        yield worker_processes
    remove_boxes(settings.home)


@pytest.fixture
def service(settings: QueueSettings) -> Iterator[Service]:
    with run_service(settings) as service:
        yield service
