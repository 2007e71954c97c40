"""A client of a real API with real workers behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.api.app import create_app
from sandbox.client import Client
from sandbox.config import ApiSettings
from sandbox.service import Service
from tests.api.threaded_server import serve_in_thread
from tests.redis_server import RedisServer


@pytest.fixture(scope="session")
def url(live_service: Service, redis_server: RedisServer, home: Path) -> Iterator[str]:
    """Start an API with its own service in front of the workers of the session."""
    assert live_service.check_readiness().ready
    folder = home / "rest"
    folder.mkdir(exist_ok=True)
    with serve_in_thread(create_app(ApiSettings(home=folder, redis_url=redis_server.build_url()))) as url:
        yield url


@pytest.fixture(scope="session")
def client(url: str) -> Iterator[Client]:
    with Client(url) as client:
        yield client
