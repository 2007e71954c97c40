"""E2B's own unmodified packages from the package index, with only their two URLs and the key changed."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.api.app import create_app
from sandbox.api.dialects.e2b_session import render_error, render_rpc_error
from sandbox.api.dialects.e2b_stream import END, FRAME_HEAD, encode_stream
from sandbox.api.keyring import generate_key
from sandbox.api.problems import describe_error
from sandbox.api.session_stream import Part
from sandbox.config import ApiSettings
from sandbox.errors import NoFreeSession
from sandbox.request_context import Role
from sandbox.schema.session_processes import ProcessResult
from tests.api.threaded_server import serve_in_thread
from tests.conftest import require_python
from tests.redis_server import RedisServer
from tests.sessions.session_hosts import HostProcess, SessionHosts
from tests.virtualenvs import E2B

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(400)]

PROGRAMS = Path(__file__).with_name("e2b_programs")
KEYS = [generate_key(name, Role.SUBMIT) for name in ("one", "two")]
START_TIMEOUT_S = 60

Reports = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def settings(images: dict[str, str], redis_server: RedisServer, home: Path) -> ApiSettings:
    folder = home / "e2b"
    folder.mkdir(exist_ok=True)
    entries = ",".join(key.entry for key in KEYS)
    return ApiSettings(home=folder, redis_url=redis_server.build_url(7), api_keys=entries, lease_s=2.0)


@pytest.fixture(scope="module")
def host(settings: ApiSettings) -> Iterator[HostProcess]:
    with SessionHosts(settings) as hosts:
        yield hosts.start(16, spares=4)


@pytest.fixture(scope="module")
def url(settings: ApiSettings, host: HostProcess) -> Iterator[str]:
    assert host.poll() is None
    with serve_in_thread(create_app(settings)) as url:
        yield f"{url}/dialects/e2b"


@pytest.fixture(scope="module")
def reports(url: str) -> Reports:
    """What the programs printed. They run at the same time."""
    running = {name: start(url, name, KEYS[1].key) for name in ("sandboxes", "interpreter", "asynchronous", "failures")}
    return {name: read_report(process) for name, process in running.items()}


def start(url: str, name: str, argument: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment |= {"E2B_API_URL": url, "E2B_SANDBOX_URL": url, "E2B_API_KEY": KEYS[0].key}
    command = [str(require_python(E2B)), str(PROGRAMS / f"{name}.py"), argument]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def read_report(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors[-3000:]
    report: dict[str, Any] = json.loads(output.splitlines()[-1])
    return report


def test_sandboxes_commands_and_files(reports: Reports) -> None:
    assert reports["sandboxes"] == {
        "info": [True, {"run": "a b/1"}, "running", 512],
        "left": True,
        "extended": True,
        "running": True,
        "connected": [True, "value\n"],
        "foreground": ["out\n", "err\n", 0],
        "pieces": "a\nb\n",
        "place": "/tmp\ny\n",
        "home": "here\n",
        "failed": [3, "before\n"],
        "late": True,
        "listed": [[True, "/bin/bash", "while sleep 0.1; do echo tick; done"]],
        "tick": "tick\n",
        "beside": "beside\n",
        "killed": [True, False],
        "signal": [-1, "signal 9"],
        "left_over": [],
        "typed": "typed",
        "written": ["one.txt", "/home/user/d/one.txt"],
        "many": ["/home/user/a", "/home/user/b"],
        "read": ["one", "0d0a2d2d7800"],
        "stream": "b",
        "compressed": "/home/user/c",
        "dirs": [True, False],
        "entries": [
            *([f"/home/user/{name}", "file"] for name in "abc"),
            ["/home/user/d", "dir"],
            ["/home/user/d/one.txt", "file"],
            ["/home/user/e", "dir"],
            ["/home/user/e/f", "dir"],
            ["/home/user/made", "file"],
        ],
        "about": ["one.txt", 3, "-rw-r--r--", "file", "user"],
        "renamed": "/home/user/e/two.txt",
        "exists": [True, False, False, True],
        "seen": "one",
        "fork": ["changed", "b"],
        "pages": True,
        "by_metadata": 2,  # the fork has the same
        "kills": [True, True, True, True, False],
        "stopped": False,
    }


def test_the_code_interpreter(reports: Reports) -> None:
    assert reports["interpreter"] == {
        "run": ["21", "out\n", None, 1],
        "kept": "20",
        "error": ["ZeroDivisionError", "division by zero", True, "e\n"],
        "rich": [["<b>rich</b>", {"a": [1]}, is_main, ["text", "html", "json"]] for is_main in (False, True)],
        "figure": "UE5HIG9mIGEgZmlndXJl",
        "callbacks": ["7", "ZeroDivisionError"],
        "printed": ["0\n1\n", [False, True]],
        "variables": "('b', False)",
        "reset": "False",
        "late": True,
        "after": "5",
        "await": "'awaited'",
        "context": ["python", "/home/user/inner"],
        "separate": "False",
        "file": "in context",
        "contexts": [False, True],
        "restarted": "False",
        "removed": 1,
        "data": "'1,2'",
        "command": "42\n",
        "text": [{"text": "3"}],
    }


def test_the_asynchronous_clients(reports: Reports) -> None:
    assert reports["asynchronous"] == {
        "run": "2",
        "queued": ["0", "1", "2"],
        "sum": "4",
        "files": [f"file{number}" for number in range(5)],
        "commands": ["0\n", "1\n", "2\n"],
        "slept": "'slept'",
        "killed": True,
        "context": "False",
        "listed": True,
        "exists": True,
        "kill": True,
    }


FAILURES = {
    "no_key": ("AuthenticationException", "send a valid API key"),
    "wrong_key": ("AuthenticationException", "send a valid API key"),
    "not_mine": ("SandboxNotFoundException", "not found"),
    "unknown": ("SandboxNotFoundException", "not found"),
    "template": ("SandboxException", "404: there is no template 'my-template'; use one of base, code-interpreter-v1"),
    "network": ("SandboxException", "400: this service has no sandboxes with network access"),
    "volumes": ("SandboxException", "400: this service has no sandboxes with volumes"),
    "auto_pause": ("SandboxException", "400: this service has no sandboxes with pausing"),
    "timeout": ("SandboxException", "400: must be 1 to 86400 seconds"),
    "pause": ("SandboxException", "501: sandboxes cannot be paused"),
    "snapshot": ("SandboxException", "501: snapshots of sandboxes are not available"),
    "metrics": ("SandboxException", "501: metrics"),
    "watch": ("SandboxException", "directories cannot be watched"),
    "pty": ("SandboxException", "pseudo-terminals are not available"),
    "root": ("InvalidArgumentException", "a sandbox has one user, `user`"),
    "language": ("SandboxException", "the code interpreter runs Python"),
    "context": ("NotFoundException", "no context 'none'"),
    "context_run": ("NotFoundException", "no context 'none'"),
    "outside": ("InvalidArgumentException", "/etc/passwd is not; use a command for it"),
    "above": ("InvalidArgumentException", "below /home/user"),
    "missing": ("FileNotFoundException", "No such file"),
    "missing_list": ("FileNotFoundException", "No such file"),
    "missing_info": ("FileNotFoundException", "No such file"),
    "missing_rename": ("FileNotFoundException", "No such file"),
    "large": ("SandboxException", "413: large has 17825792 bytes, the maximum is 16777216"),
    "no_directory": ("CommandExitException", "cannot enter the directory /none"),
    "no_process": ("NotFoundException", "no process 999999"),
    "killed_command": ("SandboxNotRunningException", "was not found: the session was closed"),
    "killed_code": ("no error", "SandboxError"),  # in `Execution.error`
    "expired": ("SandboxNotRunningException", "was not found"),
    "died": ("no error", "SandboxError"),
    "dead_command": ("SandboxNotRunningException", "it was closed"),
    "dead_read": ("SandboxNotRunningException", "it was closed"),
    "dead_write": ("SandboxNotRunningException", "it was closed"),
    "dead_list": ("SandboxNotRunningException", "it was closed"),
    "dead_code": ("TimeoutException", "it was closed"),
    "dead_context": ("TimeoutException", "it was closed"),
    "dead_info": ("SandboxNotFoundException", "not found"),
    "dead_timeout": ("SandboxNotFoundException", "not found"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_an_error_that_says_why(reports: Reports, name: str) -> None:
    kind, text = reports["failures"][name]
    assert kind == FAILURES[name][0], text
    assert FAILURES[name][1] in text


def test_a_call_ends_when_its_sandbox_ends(reports: Reports) -> None:
    ended = {name: value for name, value in reports["failures"].items() if name.endswith("_ended")}
    assert ended == {"killed_command_ended": True, "killed_code_ended": True, "expired_ended": True}
    assert reports["failures"]["not_mine_kill"] == ["no error", "False"]


@pytest.mark.parametrize(
    ("result", "code"),
    [
        ({"status": "time_limit", "reason": "it ran longer than 1 s"}, "deadline_exceeded"),
        ({"status": "output_limit"}, "internal"),
        ({"stdout_truncated": True}, "internal"),
        ({"exit_code": 1, "status": "error"}, None),
    ],
)
async def test_a_stream_says_that_a_limit_ended_the_process(result: dict[str, Any], code: str | None) -> None:
    ended = ProcessResult(pid=7, **{"status": "ok", "exit_code": 0} | result).model_dump(mode="json")

    async def send() -> AsyncIterator[Part]:
        yield Part("result", ended)

    messages = [message async for message in encode_stream("id", Part("started", {"pid": 7}), send())]
    last = json.loads(messages[-1][FRAME_HEAD.size :])
    assert FRAME_HEAD.unpack_from(messages[-1])[0] == END
    assert last.get("error", {}).get("code") == code
    assert len(messages) == (2 if code else 3)


def test_requests_that_no_sdk_sends(url: str) -> None:
    for path in ("v2/sandboxes", "process.Process/List", "execute"):
        answer = httpx.post(f"{url}/{path}", json={})
        assert (answer.status_code, answer.json()["code"]) == (401, 401)
    with httpx.Client(headers={"X-API-Key": KEYS[0].key}, base_url=url) as http:
        assert "E2b-Sandbox-Id" in http.get("/files", params={"path": "a"}).json()["message"]
        http.headers["E2b-Sandbox-Id"] = http.post("/v2/sandboxes", json={"templateID": "base"}).json()["sandboxID"]
        stream = http.post("/process.Process/Start", content=b"{}")
        assert (stream.status_code, stream.json()["code"]) == (400, "invalid_argument")
        for message in (b"{}", b'{"model": 1}'):
            content = FRAME_HEAD.pack(0, len(message)) + message
            assert http.post("/process.Process/Start", content=content).status_code == 400
        assert http.post("/process.Process/SendSignal", json={"process": {"pid": 1}}).status_code == 400
        assert http.post("/files", content=b"x").status_code == 400
        assert http.get("/v2/sandboxes", params={"startedAfter": "soon"}).status_code == 400
        assert http.get("/v2/sandboxes", params={"state": "paused"}).json() == []


def test_a_refusal_says_when_to_come_back() -> None:
    for render in (render_error, render_rpc_error):
        assert render(describe_error(NoFreeSession("all places are taken", 2.0))).headers["retry-after"] == "2"


def test_the_root_can_serve_the_dialect_in_place_of_the_services_own_paths(settings: ApiSettings) -> None:
    app = create_app(settings.model_copy(update={"root_dialect": "e2b"}))
    headers = {"X-API-Key": KEYS[0].key}
    with serve_in_thread(app) as root, httpx.Client(headers=headers, base_url=root) as http:
        assert http.get("/v2/sandboxes", params={"state": "paused"}).json() == []
        assert "E2b-Sandbox-Id" in http.post("/execute", json={"code": "1"}).json()["message"]


def test_streams_end_with_an_error_when_their_host_dies(url: str, host: HostProcess, tmp_path: Path) -> None:
    running = start(url, "orphaned", str(tmp_path / "started"))
    deadline = time.monotonic() + START_TIMEOUT_S
    while not (tmp_path / "started").exists():
        assert running.poll() is None, running.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    host.kill()
    assert read_report(running) == {
        "command": "SandboxNotRunningException",
        "code": "SandboxError",
        "later": "SandboxNotRunningException",
        "running": False,
    }
