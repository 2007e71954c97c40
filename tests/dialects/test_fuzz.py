"""Every dialect's parser on bodies with random values in its fields: always JSON, never an internal error."""

from __future__ import annotations

import json
import logging
import tempfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.routing import Route

from sandbox.api.app import create_app
from sandbox.api.dialects.dialect import PeerRequest
from sandbox.api.dialects.registry import PATH_PREFIX
from sandbox.config import ApiSettings
from tests.api.fake_service import FakeService
from tests.redis_server import RedisServer

EXAMPLES_PER_PATH = 8
DATABASE = 8
HEADERS = {"Content-Type": "application/json", "E2b-Sandbox-Id": "none"}
VALUES = [
    *("python", "cpp", "bash", "print(1)", "def f(x): return x", "assert f(1) == 1", "```python\nprint(1)\n```", "*"),
    *(
        "AAAA",
        "!",
        "1\n",
        "",
        "[[1], 2]",
        '{"inputs": ["1"], "outputs": ["1"]}',
        "utf8",
        "base64",
        "true",
        "\0",
        "\ud800",
    ),
    *(0, 1, -1, 71, 1e308, -0.0, 10**30, True, False, None),
]


def _collect_field_names(kind: type[PeerRequest]) -> set[str]:
    return {name for each in kind.__subclasses__() for name in (*each.model_fields, *_collect_field_names(each))}


def _list_post_paths() -> list[str]:
    with tempfile.TemporaryDirectory() as home:
        routes = create_app(ApiSettings(home=Path(home)), FakeService()).routes
    return sorted(
        route.path
        for route in routes
        if isinstance(route, Route) and route.path.startswith(PATH_PREFIX) and "POST" in (route.methods or ())
    )


SCALARS = st.sampled_from(VALUES) | st.text(max_size=5) | st.integers(-2, 200) | st.floats(allow_nan=False)
FIELD_NAMES = st.sampled_from(sorted(_collect_field_names(PeerRequest)))
BODIES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda some: st.lists(some, max_size=3) | st.dictionaries(FIELD_NAMES, some, max_size=6), max_leaves=15
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", _list_post_paths())
def test_a_dialect_answers_any_body_in_json(
    path: str, tmp_path: Path, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "sandbox")  # reset when the test ends
    redis_url = redis_server.build_url(DATABASE)
    app = create_app(ApiSettings(home=tmp_path, max_body_mb=1, request_timeout_s=5, redis_url=redis_url), FakeService())
    # E2B's status for an unsupported request, a missing sandbox, and no session host
    accepted = {501, 502, 503} if path.startswith(f"{PATH_PREFIX}/e2b/") else set()
    if path.startswith(f"{PATH_PREFIX}/swe_rex/"):
        accepted = {511}  # SWE-ReX's status for every exception
    failures: list[str] = []

    @settings(
        max_examples=EXAMPLES_PER_PATH,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(body=st.dictionaries(FIELD_NAMES, BODIES, max_size=10) | BODIES)
    def ask(body: Any) -> None:
        answer = _post(app, path, json.dumps(body).encode())
        if answer.status_code >= 500 and answer.status_code not in accepted:
            failures.append(f"{answer.status_code} {answer.text[:200]} for {json.dumps(body)[:500]}")
        answer.json()

    ask()
    for broken in (b"", b"{", b"\xff", b"[" * 5_000, b'{"a":' * 5_000, b"NaN"):
        answer = _post(app, path, broken)
        assert answer.status_code < 500 or answer.status_code in accepted, (path, broken[:20], answer.text)
    assert not failures, "\n".join(failures[:5])


def _post(app: Any, path: str, body: bytes) -> httpx.Response:
    import anyio

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            return await client.post(path, content=body, headers=HEADERS)

    return anyio.run(ask)
