"""OpenEnv's own client, unmodified, with the URL of the dialect."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from tests.conftest import require_python
from tests.peers.conftest import KEY
from tests.virtualenvs import OPENENV, ROOT, build_environment

# The typed client is what OpenEnv's coding environment ships: it sends nothing but the code.
CLIENT_SCRIPT = """
import asyncio, json, sys
from dataclasses import dataclass
from openenv.core import EnvClient, GenericEnvClient
from openenv.core.client_types import StepResult

url, keyed_url, key, nowhere = sys.argv[1:]
tests = [{"args": [2], "expected": 4}, {"args": [5], "expected": 10}]
report = {}

@dataclass
class Action:
    code: str

class CodingEnv(EnvClient):
    def _step_payload(self, action):
        return {"code": action.code}
    def _parse_result(self, payload):
        return StepResult(payload["observation"], payload.get("reward"), bool(payload.get("done")))
    def _parse_state(self, payload):
        return payload

def fault(call, *arguments, **options):
    try:
        return call(*arguments, **options)
    except Exception as error:
        return f"{type(error).__name__}: {error}"

with GenericEnvClient(base_url=url) as env:
    start = env.reset(episode_id="first", seed=1)
    report["reset"] = [start.observation, start.reward, start.done]
    env.step({"code": "x = 20"})
    report["kept"] = env.step({"code": "print('adding'); x + 22"}).observation
    report["raised"] = env.step({"code": "1 / 0"}).observation
    report["state"] = env.state()
    report["exit"] = env.step({"code": "raise SystemExit(3)"}).observation["exit_code"]
    report["unknown field"] = fault(env.step, {"kode": "1"})
    report["no tests"] = fault(env.step, {"submit": True})
    report["too large"] = fault(env.step, {"code": "#" * (2 << 20)})
    report["bad reset"] = fault(env.reset, limits={"memory_mb": 1})
    report["no function"] = fault(env.reset, tests=tests)
    env.reset(tests=tests, entry_point="double", policy="fraction", call_limits={"cpu_time_s": 0.3, "wall_time_s": 60})
    report["forgotten"] = env.step({"code": "x"}).observation["exit_code"]
    report["late"] = env.step({"code": "while True: pass"}).observation
    env.step({"code": "def double(x): return x + 2"})
    judged = env.step({"submit": True})
    report["judged"] = [judged.reward, judged.done]
    right = env.step({"code": "def double(x): return 2 * x", "submit": True})
    report["right"] = [right.reward, right.done]
    env.reset(tests=tests, entry_point="double", file="double.py")
    report["no file"] = env.step({"code": "1", "submit": True}).reward
    report["killed"] = env.step({"code": "import os; os.kill(os.getpid(), 9)"}).observation["exit_code"]
    report["after"] = fault(env.step, {"code": "1"})
    report["again"] = env.reset().observation["exit_code"]

async def typed():
    async with CodingEnv(base_url=url) as env, CodingEnv(base_url=url) as other:
        await env.step(Action("y = 1"))  # without a reset
        stranger = await other.step(Action("y"))
        mine = await env.step(Action("y"))
        return [mine.observation["stdout"], stranger.observation["exit_code"], (await other.state())["step_count"]]

report["typed"] = asyncio.run(typed())
with GenericEnvClient(base_url=keyed_url, headers={"Authorization": f"Bearer {key}"}) as env:
    report["key"] = env.step({"code": "1"}).observation["stdout"]
report["no key"] = fault(GenericEnvClient(base_url=keyed_url).sync().reset)
report["down"] = fault(GenericEnvClient(base_url=nowhere).sync().reset)
print(json.dumps(report))
"""


@pytest.mark.frameworks
@pytest.mark.timeout(300)
def test_the_client_of_openenv(url: str, keyed_url: str) -> None:
    peer, keyed = f"{url}/dialects/openenv", f"{keyed_url}/dialects/openenv"
    command = [str(require_python(OPENENV)), "-c", CLIENT_SCRIPT, peer, keyed, KEY.key, "http://127.0.0.1:9"]
    ended = subprocess.run(command, env=build_environment(), capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr[-4000:]
    report: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    faults = {
        name: report.pop(name)
        for name in ("unknown field", "no tests", "too large", "bad reset", "no function", "after")
    }
    assert "kode" in faults["unknown field"]
    assert all("(code: VALIDATION_ERROR)" in fault for name, fault in faults.items() if name != "after"), faults
    assert "set entry_point" in faults["no function"]
    assert "(code: SESSION_ERROR)" in faults["after"]
    assert "HTTP 403" in report.pop("no key")
    assert "ConnectionError" in report.pop("down")
    assert report.pop("raised")["stderr"].endswith("ZeroDivisionError: division by zero\n")
    assert report.pop("late")["stderr"].endswith("the call used more than 0.3 s of CPU time")
    empty = {"stdout": "", "stderr": "", "exit_code": 0, "metadata": {}}
    assert report == {
        "reset": [empty, None, False],
        "kept": {**empty, "stdout": "adding\n42"},
        "state": {"episode_id": "first", "step_count": 3, "last_exit_code": 1},
        "exit": 3,
        "forgotten": 1,
        "judged": [0.5, True],
        "right": [1.0, True],
        "no file": 0.0,
        "killed": 1,
        "again": 0,
        "typed": ["1", 1, 1],
        "key": "1",
    }


@pytest.mark.frameworks
@pytest.mark.timeout(300)
def test_the_example_of_the_guide_prints_what_its_comments_say(url: str) -> None:
    page = (ROOT / "sandbox" / "docs" / "migration.md").read_text(encoding="utf-8")
    (source,) = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "openenv" in block]
    command = [str(require_python(OPENENV)), "-c", source.replace("http://127.0.0.1:8080", url)]
    ended = subprocess.run(command, env=build_environment(), capture_output=True, text=True, timeout=120)
    assert ended.stdout.split() == re.findall(r"# (\S+)$", source, re.MULTILINE), ended.stderr[-4000:]


def test_the_http_routes_have_a_new_environment_for_each_request(url: str) -> None:
    with httpx.Client(base_url=f"{url}/dialects/openenv", timeout=60) as http:
        assert http.get("/health").json() == {"status": "healthy"}
        assert http.get("/metadata").json()["name"] == "coding_env"
        assert set(http.get("/schema").json()) == {"action", "observation", "state"}
        assert http.post("/reset", json={"seed": 1}).json()["observation"]["exit_code"] == 0
        assert http.post("/step", json={"action": {"code": "x = 1\nx"}}).json()["observation"]["stdout"] == "1"
        assert http.post("/step", json={"action": {"code": "x"}}).json()["observation"]["exit_code"] == 1
        assert http.get("/state").json()["step_count"] == 0
        for action in ({"kode": "x"}, {}, {"submit": True}):
            assert http.post("/step", json={"action": action}).status_code == 422
        assert http.post("/reset", json={"seed": -1}).status_code == 422


async def test_messages_that_are_not_of_the_protocol_are_answered(url: str) -> None:
    async with connect(f"{url.replace('http', 'ws', 1)}/dialects/openenv/ws") as websocket:
        for text, code in (
            ("{", "INVALID_JSON"),
            ("[]", "UNKNOWN_TYPE"),
            ('{"type": "dance"}', "UNKNOWN_TYPE"),
            ('{"type": "step", "data": 3}', "VALIDATION_ERROR"),
            ('{"type": "step", "data": {"model": "1"}}', "VALIDATION_ERROR"),
        ):
            await websocket.send(text)
            assert json.loads(await websocket.recv())["data"]["code"] == code, text
        await websocket.send('{"type": "close"}')
        await websocket.wait_closed()


async def test_web_pages_of_other_sites_and_callers_without_a_key_are_refused(url: str, keyed_url: str) -> None:
    for address, origin in ((url, Origin("http://evil.example")), (keyed_url, None)):
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{address.replace('http', 'ws', 1)}/dialects/openenv/ws", origin=origin)
        assert refused.value.response.status_code == 403


async def test_a_client_that_leaves_in_the_middle_of_a_step_leaves_no_session(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as http:
        async with connect(f"{url.replace('http', 'ws', 1)}/dialects/openenv/ws") as websocket:
            await websocket.send(json.dumps({"type": "step", "data": {"code": "import time; time.sleep(60)"}}))
            assert await wait_for_sessions(http, 1) == 1
        assert await wait_for_sessions(http, 0) == 0


async def wait_for_sessions(http: httpx.AsyncClient, wanted: int) -> int:
    """Wait until as many sessions are open as wanted, or for 20 s, and return how many are."""
    for _ in range(1_000):
        count = len((await http.get("/sessions")).json()["sessions"])
        if count == wanted:
            break
        await asyncio.sleep(0.02)
    return count
