"""What tests share: a real Docker engine with our images, a real Redis server, boxes, and a service with workers.

Without an engine the tests that need one are skipped, and say so; where the environment has CI they fail instead.
"""

from __future__ import annotations

import gc
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import docker
import pytest
import requests
from docker.errors import DockerException

from sandbox import languages
from sandbox.box.box import Box
from sandbox.box.docker.engine import DockerEngine
from sandbox.box.docker.images import ensure_images
from sandbox.box.docker.leftovers import remove_boxes
from sandbox.box.slot import Slot
from sandbox.config import QueueSettings, WorkerSettings
from sandbox.errors import EngineUnavailable
from sandbox.runner.contract import Run
from sandbox.service import Service
from tests import timeouts
from tests.redis_server import RedisServer, run_redis_server
from tests.running_service import run_service_with_workers
from tests.virtualenvs import CannotInstall, Virtualenv, ensure_python

SLOT = 90
FOREVER = 1_000_000
NEEDED_IMAGES = ("python", "cpp", "js")  # a test of a language in another image asks for that one itself


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(timeouts, "timeouts")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever asks for the engine, directly or not, is marked as needing it. Files with slow tests come first, so that
    no process is left with one when the others have nothing more to do.
    """
    for item in items:
        if "docker_client" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.docker)
    slow = {item.path for item in items if item.get_closest_marker("slow") is not None}
    items.sort(key=lambda item: item.path not in slow)


def skip_or_fail(reason: str) -> NoReturn:
    """Skip with the reason on a laptop; fail with it in CI, where nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def require_python(virtualenv: Virtualenv) -> Path:
    """Return the environment's Python, or skip the test if the environment cannot be installed."""
    try:
        return ensure_python(virtualenv)
    except CannotInstall as error:
        skip_or_fail(str(error))


def _connect_docker() -> docker.DockerClient | str:
    """The engine's client, or why there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the client leaves a socket open that could not connect
        try:
            client = docker.from_env(timeout=120)
            client.ping()
            return client
        except (DockerException, requests.RequestException) as error:
            reason = f"no Docker engine answers: {error}"
        gc.collect()
    return reason


@pytest.fixture(scope="session")
def docker_client() -> Iterator[docker.DockerClient]:
    client = _connect_docker()
    if isinstance(client, str):
        skip_or_fail(client)
    yield client
    client.close()


@pytest.fixture(scope="session")
def images(docker_client: docker.DockerClient) -> dict[str, str]:
    """The tags of the images that most tests need, built from these sources."""
    steps: list[str] = []
    try:
        return ensure_images(docker_client, NEEDED_IMAGES, steps.append)
    except EngineUnavailable as error:
        skip_or_fail(f"the images cannot be built: {error}\n" + "\n".join(steps))


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """Where this session's state lives; short, for a socket's path has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="sandbox-tests-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def redis_server(home: Path) -> Iterator[RedisServer]:
    folder = home / "redis"
    folder.mkdir()
    with run_redis_server(folder) as server:
        yield server


@pytest.fixture(scope="session")
def engine(images: dict[str, str], home: Path) -> Iterator[DockerEngine]:
    assert images
    engine = DockerEngine(WorkerSettings(home=home), SLOT)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def slot(engine: DockerEngine) -> Iterator[Slot]:
    """Warm boxes of every image, shared by all tests that do not break them."""
    slot = Slot(engine, FOREVER, FOREVER)
    yield slot
    slot.close()


@pytest.fixture
def box(slot: Slot) -> Iterator[Box]:
    """A warm Python box. A test that leaves it broken fails, and the next one gets a new box."""
    with slot.lend("python") as box:
        yield box
        box.load(languages.get_language("python").build_program(""))
        assert box.run(Run()).ended_well


@pytest.fixture
def fresh_box(engine: DockerEngine) -> Iterator[Box]:
    """A Python box of a test's own, to be broken."""
    box = Box(engine.start("python"))
    yield box
    box.close()


@pytest.fixture(scope="session")
def live_service(images: dict[str, str], redis_server: RedisServer, home: Path) -> Iterator[Service]:
    """A service with two real workers; its queue is database 0 of the Redis server."""
    assert images
    folder = home / "live"
    folder.mkdir()
    settings = QueueSettings(home=folder, redis_url=redis_server.build_url())
    with run_service_with_workers(settings, 2) as service:
        yield service
    assert remove_boxes(folder) == 0, "workers that were stopped left boxes"
