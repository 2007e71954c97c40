"""E2B's own unmodified packages from the package index, with only their two URLs and the key changed."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.api.app import create_app
from sandbox.api.keyring import generate_key
from sandbox.config import ApiSettings
from sandbox.request_context import Role
from tests.api.threaded_server import serve_in_thread
from tests.conftest import require_python
from tests.redis_server import RedisServer
from tests.sessions.session_hosts import SessionHosts
from tests.virtualenvs import E2B

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(400)]

PROGRAMS = Path(__file__).with_name("e2b_programs")
KEYS = [generate_key(name, Role.SUBMIT) for name in ("one", "two")]


@pytest.fixture(scope="module")
def settings(images: dict[str, str], redis_server: RedisServer, home: Path) -> ApiSettings:
    folder = home / "e2b"
    folder.mkdir(exist_ok=True)
    return ApiSettings(home=folder, redis_url=redis_server.build_url(), api_keys=",".join(key.entry for key in KEYS))


@pytest.fixture(scope="module")
def hosts(settings: ApiSettings) -> Iterator[SessionHosts]:
    with SessionHosts(settings) as hosts:
        hosts.start(8, spares=3)
        yield hosts


@pytest.fixture(scope="module")
def url(settings: ApiSettings, hosts: SessionHosts) -> Iterator[str]:
    assert hosts.list_alive()
    with serve_in_thread(create_app(settings)) as url:
        yield url


def run_program(url: str, name: str, *arguments: str) -> dict[str, Any]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
        "E2B_API_URL": f"{url}/dialects/e2b",
        "E2B_SANDBOX_URL": f"{url}/dialects/e2b",
        "E2B_API_KEY": KEYS[0].key,
    }
    command = [require_python(E2B), PROGRAMS / f"{name}.py", *arguments]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180)
    assert ended.returncode == 0, ended.stderr[-3000:]
    report: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return report


def test_sandboxes(url: str) -> None:
    print(json.dumps(run_program(url, "sandboxes"), indent=1))


def test_interpreter(url: str) -> None:
    print(json.dumps(run_program(url, "interpreter"), indent=1))


def test_async(url: str) -> None:
    print(json.dumps(run_program(url, "asynchronous"), indent=1))


def test_failures(url: str) -> None:
    print(json.dumps(run_program(url, "failures", KEYS[1].key), indent=1))
