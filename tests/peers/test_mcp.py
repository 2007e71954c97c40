"""`sandbox mcp` as the SDK's own client sees it, over stdio and over streamable HTTP."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, ImageContent, TextContent

from tests.peers.conftest import KEY
from tests.processes.sandbox_command import find_free_port

ROOT = Path(__file__).resolve().parents[2]
TOOLS = {
    "close_session",
    "delete_file",
    "execute",
    "execute_in_session",
    "fork_session",
    "interrupt_session",
    "list_files",
    "list_sessions",
    "open_session",
    "read_file",
    "verify",
    "verify_session",
    "write_file",
}
PNG = base64.b64encode(b"\x89PNG not really").decode()
DISPLAY = f"""
class Image:
    def _repr_png_(self):
        import base64
        return base64.b64decode({PNG!r})
display(Image())
"""


def build_environment(url: str, key: str = "") -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SANDBOX_")}
    return {**kept, "PYTHONPATH": str(ROOT), "SANDBOX_URL": url, "SANDBOX_API_KEY": key}


@asynccontextmanager
async def connect_stdio(url: str, key: str = "") -> AsyncIterator[Client]:
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "sandbox", "mcp"], env=build_environment(url, key)
    )
    async with Client(server) as client:
        yield client


@asynccontextmanager
async def connect_http(url: str, key: str = "") -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


@contextmanager
def serve_http(url: str, key: str = "") -> Iterator[str]:
    """Run `sandbox mcp --http` for the service at `url`, and yield the server's URL."""
    port = find_free_port()
    command = [sys.executable, "-m", "sandbox", "mcp", "--http", "--port", str(port)]
    with subprocess.Popen(command, env=build_environment(url, key)) as process:
        try:
            address = f"http://127.0.0.1:{port}/mcp"
            deadline = time.monotonic() + 20
            while True:
                assert process.poll() is None
                assert time.monotonic() < deadline
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield address
        finally:
            process.send_signal(signal.SIGTERM)


@pytest.fixture(scope="module")
def http_address(url: str) -> Iterator[str]:
    with serve_http(url) as address:
        yield address


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    """Call a tool that succeeds, and return its structured result; a list or a plain value is in `result`."""
    answer = await client.call_tool(tool, arguments)
    assert isinstance(answer, CallToolResult)
    assert not answer.is_error, answer.content
    content = answer.structured_content
    assert content is not None
    return content["result"] if set(content) == {"result"} else content


async def fail(client: Client, tool: str, **arguments: Any) -> str:
    """Call a tool that fails, and return the text that the model reads."""
    answer = await client.call_tool(tool, arguments)
    assert isinstance(answer, CallToolResult)
    assert answer.is_error, answer.structured_content
    (content,) = answer.content
    assert isinstance(content, TextContent)
    return content.text


async def check_programs(client: Client) -> None:
    assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
    ran = await call(client, "execute", language="python", code="print(open('a.txt').read())", files={"a.txt": "42"})
    assert (ran["status"], ran["stdout"]) == ("ok", "42\n")
    late = await call(client, "execute", language="py", code="while True: pass", cpu_time_s=0.2)
    assert late["status"] == "time_limit_exceeded"
    long = await call(client, "execute", language="python", code="print('x' * 100_000)")
    assert "characters cut out" in long["stdout"]
    assert len(long["stdout"]) < 21_000
    judged = await call(
        client,
        "verify",
        language="python",
        code="print(int(input()) * 2)",
        tests=[{"stdin": "2", "expected": "4"}, {"stdin": "3", "expected": "7"}],
    )
    assert (judged["verdict"], judged["passed"], judged["total"]) == ("wrong_answer", 1, 2)
    assert "UnknownLanguage" in await fail(client, "execute", language="cobol", code="")
    assert "tests" in await fail(client, "verify", language="python", code="", tests=[{"stdn": "2"}])
    assert "Field required" in await fail(client, "execute", language="python")
    assert "BadRequest" in await fail(client, "execute", language="python", code="#" * (2 << 20))


async def check_resources(client: Client) -> None:
    (resource,) = (await client.list_resources()).resources
    listed = (await client.read_resource(resource.uri)).contents[0]
    assert "python" in [language["name"] for language in json.loads(listed.text)]  # type: ignore[union-attr]
    (template,) = (await client.list_resource_templates()).resource_templates
    python = (await client.read_resource(template.uri_template.replace("{name}", "py"))).contents[0]
    assert json.loads(python.text)["name"] == "python"  # type: ignore[union-attr]
    with pytest.raises(MCPError, match="there is no language 'cobol'"):
        await client.read_resource("sandbox://languages/cobol")


async def check_sessions(client: Client) -> None:
    session = await call(client, "open_session", files={"data.txt": "1 2 3"})
    there = {"session_id": session["id"]}
    assert (await call(client, "execute_in_session", **there, code="x = 20"))["status"] == "ok"
    answer = await call(client, "execute_in_session", **there, code="print(open('data.txt').read()); x + 22")
    assert answer["stdout"] == "1 2 3\n"
    assert await call(client, "execute_in_session", **there, command="ls") is not None
    fork, *_ = await call(client, "fork_session", **there)
    assert (await call(client, "execute_in_session", session_id=fork, code="x"))["status"] == "ok"
    assert await call(client, "close_session", session_id=fork) == f"session {fork} is closed"
    assert "was closed" in await fail(client, "execute_in_session", session_id=fork, code="x")
    assert await call(client, "interrupt_session", **there) is False
    late = await call(client, "execute_in_session", **there, code="while True: pass", cpu_time_s=0.2)
    assert (late["status"], late["state"]) == ("time_limit", "kept")
    raised = await call(client, "execute_in_session", **there, code="1 / 0")
    assert raised["error"]["type"] == "ZeroDivisionError"
    assert session["id"] in [each["id"] for each in await call(client, "list_sessions")]
    shown = await client.call_tool("execute_in_session", {**there, "code": DISPLAY})
    assert isinstance(shown, CallToolResult)
    assert [each.data for each in shown.content if isinstance(each, ImageContent)] == [PNG]
    assert "code or command" in await fail(client, "execute_in_session", **there)
    assert "NotFound" in await fail(client, "execute_in_session", session_id="none", code="x")
    assert "NotFound" in await fail(client, "close_session", session_id="none")
    assert "NotFound" in await fail(client, "read_file", session_id="../health/live?", path="x")
    await check_files(client, there)
    await call(client, "close_session", **there)
    victim = (await call(client, "open_session"))["id"]
    killed = await call(client, "execute_in_session", session_id=victim, code="import os; os.kill(os.getpid(), 9)")
    assert (killed["status"], killed["state"]) == ("ended", "lost")
    assert "SessionEnded" in await fail(client, "execute_in_session", session_id=victim, code="x")


async def check_files(client: Client, there: dict[str, str]) -> None:
    written = await call(client, "write_file", **there, path="lib/double.py", content="def f(x):\n    return x * 2\n")
    assert written == "wrote 27 bytes to lib/double.py"
    await call(client, "write_file", **there, path="raw", content="/wA=", encoding="base64")
    assert await call(client, "read_file", **there, path="raw") == {
        "path": "raw",
        "encoding": "base64",
        "content": "/wA=",
    }
    assert (await call(client, "read_file", **there, path="data.txt"))["content"] == "1 2 3"
    assert [each["path"] for each in await call(client, "list_files", **there, path="lib")] == ["lib/double.py"]
    tests = [{"args": [2], "expected": 4}]
    judged = await call(client, "verify_session", **there, tests=tests, file="lib/double.py", entry_point="f")
    assert judged["verdict"] == "accepted"
    await call(client, "delete_file", **there, path="raw")
    assert "NotFound" in await fail(client, "read_file", **there, path="raw")
    assert "BadRequest" in await fail(client, "read_file", **there, path="../etc/passwd")
    assert "not base64" in await fail(client, "write_file", **there, path="raw", content="%", encoding="base64")
    assert "the maximum is" in await fail(client, "write_file", **there, path="big", content="x" * (17 << 20))


async def test_programs_sessions_and_languages_over_stdio(url: str) -> None:
    async with connect_stdio(url) as client:
        assert client.instructions is not None
        await check_programs(client)
        await check_resources(client)
        await check_sessions(client)


async def test_programs_and_languages_over_http(http_address: str) -> None:
    async with connect_http(http_address) as client:
        await check_programs(client)
        await check_resources(client)


async def test_sessions_over_http_outlive_the_connection(http_address: str, url: str) -> None:
    async with connect_http(http_address) as client:
        session = await call(client, "open_session")
        await call(client, "execute_in_session", session_id=session["id"], code="x = 1")
    async with connect_http(http_address) as client:
        answer = await call(client, "execute_in_session", session_id=session["id"], code="print(x)")
        assert answer["stdout"] == "1\n"
        await call(client, "close_session", session_id=session["id"])


async def test_a_stdio_server_closes_the_sessions_that_its_client_left_open(url: str) -> None:
    async with connect_stdio(url) as client:
        session = await call(client, "open_session")
        (fork,) = await call(client, "fork_session", session_id=session["id"])
    async with httpx.AsyncClient(base_url=url) as http:
        for session_id in (session["id"], fork):
            assert (await http.get(f"/sessions/{session_id}")).json()["status"] == "closed"


async def test_stdio_uses_the_key_of_the_settings(keyed_url: str) -> None:
    async with connect_stdio(keyed_url, KEY.key) as client:
        assert (await call(client, "execute", language="python", code="print(1)"))["stdout"] == "1\n"
    async with connect_stdio(keyed_url) as client:
        assert "Unauthorized" in await fail(client, "execute", language="python", code="")


async def test_over_http_each_caller_needs_a_key_and_never_gets_the_servers(keyed_url: str) -> None:
    with serve_http(keyed_url, KEY.key) as address:
        async with connect_http(address, KEY.key) as client:
            assert (await call(client, "execute", language="python", code="print(1)"))["stdout"] == "1\n"
        async with connect_http(address) as client:
            assert "Unauthorized" in await fail(client, "open_session")
            with pytest.raises(MCPError, match="Unauthorized"):
                await client.read_resource("sandbox://languages")
        async with connect_http(address, "sk-wrong") as client:
            assert "Unauthorized" in await fail(client, "list_sessions")


async def test_a_service_that_is_down_is_an_error_of_the_call() -> None:
    async with connect_stdio(f"http://127.0.0.1:{find_free_port()}") as client:
        assert "InfrastructureError" in await fail(client, "execute", language="python", code="")
        assert "InfrastructureError" in await fail(client, "open_session")
