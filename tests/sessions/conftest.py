"""A client of a real API, with a real session host and real workers behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.api.app import create_app
from sandbox.box.docker.leftovers import remove_boxes
from sandbox.client import Client
from sandbox.config import ApiSettings
from sandbox.service import Service
from tests.api.threaded_server import serve_in_thread
from tests.redis_server import RedisServer
from tests.sessions.session_hosts import SessionHosts

PLACES = 12


@pytest.fixture(scope="package")
def settings(live_service: Service, redis_server: RedisServer, home: Path) -> ApiSettings:
    assert live_service.check_readiness().ready
    folder = home / "sessions"
    folder.mkdir(exist_ok=True)
    return ApiSettings(home=folder, redis_url=redis_server.build_url())


@pytest.fixture(scope="package")
def hosts(settings: ApiSettings) -> Iterator[SessionHosts]:
    """One host with `PLACES` places."""
    with SessionHosts(settings) as hosts:
        hosts.start(PLACES, spares=2)
        yield hosts
    assert remove_boxes(settings.home) == 0, "a session host that was stopped left boxes"


@pytest.fixture(scope="package")
def url(settings: ApiSettings) -> Iterator[str]:
    with serve_in_thread(create_app(settings)) as url:
        yield url


@pytest.fixture(scope="package")
def client(url: str, hosts: SessionHosts) -> Iterator[Client]:
    assert hosts.list_alive()
    with Client(url) as client:
        yield client
