"""A service on loopback without keys accepts only loopback's host names, so that web pages cannot reach it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from sandbox.api.app import create_app
from sandbox.api.host_check import HostCheckMiddleware, resolve_allowed_hosts
from sandbox.api.keyring import generate_key
from sandbox.config import ApiSettings
from sandbox.request_context import Role
from tests.api.fake_service import FakeService
from tests.api.test_submissions import EXECUTE
from tests.child_processes import run_until_left
from tests.processes.sandbox_command import find_free_port

LOOPBACK_HOSTS = [
    "localhost",
    "LOCALHOST:8080",
    "localhost.",
    "127.0.0.1",
    "127.0.0.1:8080",
    "127.9.9.9",
    "[::1]",
    "[::1]:8080",
]
FOREIGN_HOSTS = [
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.nip.io",
    "localhost@evil.example",
    "evil.example:localhost",
    "10.0.0.1",
    "0.0.0.0",
    "[::]",
    "[::1",
    "::1:8080:",
    "2130706433",
    "localhost,evil.example",
    "",
]


async def ask(hosts: frozenset[str] | None, host: str, path: str = "/execute") -> httpx.Response:
    with tempfile.TemporaryDirectory() as home:
        app = create_app(ApiSettings(home=Path(home)), FakeService(), hosts=hosts)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
            return await client.post(path, json=EXECUTE, headers={"Host": host})


@pytest.mark.parametrize("host", LOOPBACK_HOSTS)
async def test_loopbacks_own_names_are_served(host: str) -> None:
    assert (await ask(resolve_allowed_hosts(ApiSettings()), host)).status_code == 200


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
async def test_another_name_is_refused_on_every_path(host: str) -> None:
    for path in ("/execute", "/dialects/piston/api/v2/execute", "/nothing"):
        refused = await ask(resolve_allowed_hosts(ApiSettings()), host, path)
        assert refused.status_code == 421
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["x-request-id"]
        assert "SANDBOX_ALLOWED_HOSTS" in refused.json()["detail"]


async def test_names_that_the_operator_gives_are_served_too() -> None:
    hosts = resolve_allowed_hosts(ApiSettings(allowed_hosts="sandbox.internal, Proxy"))
    for host in ("sandbox.internal", "proxy:80", "localhost"):
        assert (await ask(hosts, host)).status_code == 200
    assert (await ask(hosts, "other.internal")).status_code == 421


def test_where_the_host_is_checked() -> None:
    key = generate_key("a", Role.SUBMIT).entry
    assert resolve_allowed_hosts(ApiSettings(host="::1")) == frozenset({"::1"})
    assert resolve_allowed_hosts(ApiSettings(host="127.0.0.2", public_without_keys=True)) == frozenset({"127.0.0.2"})
    assert resolve_allowed_hosts(ApiSettings(api_keys=key)) is None
    assert resolve_allowed_hosts(ApiSettings(host="0.0.0.0", public_without_keys=True)) is None
    assert resolve_allowed_hosts(ApiSettings(allowed_hosts="*")) is None
    assert resolve_allowed_hosts(ApiSettings(host="0.0.0.0", api_keys=key, allowed_hosts="a b")) == frozenset(
        {"a", "b", "0.0.0.0"}
    )


@contextmanager
def serve_process(home: Path) -> Iterator[int]:
    """Run `sandbox serve` on a free loopback port, without Redis."""
    port = find_free_port()
    environment = {**os.environ, "SANDBOX_PORT": str(port), "SANDBOX_HOME": str(home)}
    process = subprocess.Popen([sys.executable, "-m", "sandbox", "serve"], env=environment, stderr=subprocess.DEVNULL)
    with run_until_left(process, lambda: _is_listening(port)):
        yield port


def _is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def send_raw(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(20)
        connection.sendall(request)
        return connection.recv(65_536).split(b"\r\n")[0]


def test_the_command_checks_it(tmp_path: Path) -> None:
    path = b"GET /health/live HTTP/1.1\r\n"
    with serve_process(tmp_path) as port:
        assert send_raw(port, path + b"Host: localhost:%d\r\n\r\n" % port).startswith(b"HTTP/1.1 200")
        assert send_raw(port, path + b"Host: rebound.example:%d\r\n\r\n" % port).startswith(b"HTTP/1.1 421")
        assert send_raw(port, path + b"Host: localhost\r\nHost: rebound.example\r\n\r\n").startswith(b"HTTP/1.1 400")
        assert send_raw(port, path + b"Accept: */*\r\n\r\n").startswith(b"HTTP/1.1 400")
        assert send_raw(port, b"GET /health/live HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")


async def test_a_websocket_that_names_another_host_is_closed_before_its_handshake() -> None:
    reached: list[str] = []
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope["path"])

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    check = HostCheckMiddleware(app, frozenset())
    for host in ("evil.example", "localhost"):
        scope = {"type": "websocket", "path": f"/{host}", "http_version": "1.1", "headers": [(b"host", host.encode())]}
        await check(scope, receive, send)
    assert reached == ["/localhost"]
    assert sent == [{"type": "websocket.close", "code": 1008}]
