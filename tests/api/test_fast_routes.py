"""The fast routes respond the same through the shortcut and through the framework."""

from __future__ import annotations

import json

import httpx
import pytest
from fastapi import FastAPI

from sandbox.api.app import create_app
from sandbox.api.dialects.dialect import Dialect
from sandbox.api.fast_routes import FastRouteMiddleware, find_fast_routes
from sandbox.config import ApiSettings
from tests.api.fake_service import FakeService
from tests.api.test_submissions import BODIES

PATHS = {"/execute", "/verify", "/execute/batch", "/verify/batch", "/verify/vote", "/verify/hack", "/reward"}


def test_it_leads_to_every_submission_route_and_to_the_dialects(app: FastAPI) -> None:
    found = find_fast_routes(app.router.routes)
    assert set(found) >= PATHS
    assert "/dialects/sandbox_fusion/run_code" in found
    assert not any("{" in path for path in found)


def test_of_two_routes_with_one_path_it_takes_the_one_that_the_framework_would(
    service: FakeService, settings: ApiSettings
) -> None:
    """A dialect at the root precedes the service's own routes."""
    own_routes = find_fast_routes(create_app(settings, service).router.routes)
    app = create_app(settings.model_copy(update={"root_dialect": "sandbox_fusion"}), service)
    dialect_routes = find_fast_routes(app.router.routes)
    assert own_routes["/execute"].endpoint is dialect_routes["/execute"].endpoint
    assert "/run_code" not in own_routes
    assert dialect_routes["/run_code"].endpoint.__qualname__.startswith(Dialect.__name__)


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("body", ["good", "{", "[]"])
async def test_both_ways_give_one_answer(settings: ApiSettings, path: str, body: str) -> None:
    short, long = create_app(settings, FakeService()), create_app(settings, FakeService())
    (taken,) = [each for each in long.user_middleware if repr(each.cls) == repr(FastRouteMiddleware)]
    long.user_middleware.remove(taken)
    assert await _post(short, path, body) == await _post(long, path, body)


async def test_below_a_prefix_a_proxy_leads_to_the_same_routes(app: FastAPI) -> None:
    transport = httpx.ASGITransport(app=app, root_path="/sandbox")
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        answer = await http.post("/sandbox/execute", json=BODIES["/execute"])
    assert answer.status_code == 200


async def _post(app: FastAPI, path: str, body: str) -> tuple[int, bytes, str]:
    content = json.dumps(BODIES[path]) if body == "good" else body
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as http:
        answer = await http.post(path, content=content, headers={"Content-Type": "application/json"})
    return answer.status_code, answer.content, answer.headers["content-type"]
