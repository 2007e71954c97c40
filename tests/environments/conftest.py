"""A service with one worker and one session host, whose environments no other test uses."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from sandbox.api.app import create_app
from sandbox.box.docker.environment_images import REPOSITORY
from sandbox.box.docker.leftovers import remove_boxes
from sandbox.client import Client
from sandbox.config import ApiSettings
from tests.api.threaded_server import serve_in_thread
from tests.redis_server import RedisServer
from tests.sessions.session_hosts import SessionHosts
from tests.worker_processes import WorkerProcesses

SECRET = f"secret-{uuid.uuid4().hex}"
BUILT_IDS: set[str] = set()  # of the environments of these tests, whose images are removed at the end


@pytest.fixture(scope="package", autouse=True)
def cleanup(docker_client: docker.DockerClient) -> Iterator[None]:
    yield
    for tag in [tag for image in docker_client.images.list(REPOSITORY) for tag in image.tags]:
        if tag.partition(":")[2].partition("-")[0] in BUILT_IDS:
            docker_client.api.remove_image(tag)


@pytest.fixture(scope="package")
def settings(images: dict[str, str], redis_server: RedisServer, home: Path) -> ApiSettings:
    assert images
    folder = home / "environments"
    folder.mkdir(exist_ok=True)
    return ApiSettings(home=folder, redis_url=redis_server.build_url(7))


@pytest.fixture(scope="package")
def workers(settings: ApiSettings) -> Iterator[WorkerProcesses]:
    """One worker, with a secret among its settings."""
    with WorkerProcesses(settings, 140, SANDBOX_API_KEYS=SECRET) as workers:
        workers.start()
        yield workers
    assert remove_boxes(settings.home) == 0, "a worker that was stopped left boxes"


@pytest.fixture(scope="package")
def url(settings: ApiSettings, workers: WorkerProcesses) -> Iterator[str]:
    assert workers.read_log() is not None
    with serve_in_thread(create_app(settings)) as url:
        yield url


@pytest.fixture(scope="package")
def client(url: str) -> Iterator[Client]:
    with Client(url) as client:
        yield client


@pytest.fixture(scope="package")
def session_host(settings: ApiSettings) -> Iterator[SessionHosts]:
    with SessionHosts(settings) as hosts:
        hosts.start(2, spares=0)
        yield hosts
