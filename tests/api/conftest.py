"""An API with a fake service, and a client that calls it without a network."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from tests.api.fake_service import FakeService


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def settings(tmp_path: Path) -> ApiSettings:
    return ApiSettings(home=tmp_path, max_body_mb=1, request_timeout_s=20)


@pytest.fixture
def app(service: FakeService, settings: ApiSettings) -> FastAPI:
    return create_app(settings, service)


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
        yield client
