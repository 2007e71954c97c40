"""An API in front of a fake service that a test controls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from tests.api.fake_service import FakeService
from tests.api.threaded_server import serve_in_thread


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def url(service: FakeService, tmp_path: Path) -> Iterator[str]:
    with serve_in_thread(create_app(ApiSettings(home=tmp_path, max_body_mb=1), service)) as address:
        yield address
