"""A real service with sessions, for the clients of other projects: without API keys, and with one key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.api.app import create_app
from sandbox.api.keyring import generate_key
from sandbox.box.docker.leftovers import remove_boxes
from sandbox.config import ApiSettings
from sandbox.request_context import Role
from sandbox.service import Service
from tests.api.threaded_server import serve_in_thread
from tests.redis_server import RedisServer
from tests.sessions.session_hosts import SessionHosts

PLACES = 8
KEY = generate_key("peer", Role.SUBMIT)


@pytest.fixture(scope="package")
def settings(live_service: Service, redis_server: RedisServer, home: Path) -> Iterator[ApiSettings]:
    assert live_service.check_readiness().ready
    folder = home / "peers"
    folder.mkdir(exist_ok=True)
    settings = ApiSettings(home=folder, redis_url=redis_server.build_url())
    with SessionHosts(settings) as hosts:
        hosts.start(PLACES, spares=2)
        yield settings
    assert remove_boxes(settings.home) == 0, "a session host that was stopped left boxes"


@pytest.fixture(scope="package")
def url(settings: ApiSettings) -> Iterator[str]:
    with serve_in_thread(create_app(settings)) as url:
        yield url


@pytest.fixture(scope="package")
def keyed_url(settings: ApiSettings) -> Iterator[str]:
    """The URL of an API that requires a key; `KEY` is valid."""
    with serve_in_thread(create_app(settings.model_copy(update={"api_keys": KEY.entry}))) as url:
        yield url
