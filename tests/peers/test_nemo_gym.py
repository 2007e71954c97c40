"""NeMo Gym's own models and client of resources servers, unmodified, with the dialect at the root of an API."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from sandbox.service import Service
from tests.api.threaded_server import serve_in_thread
from tests.conftest import require_python
from tests.peers.conftest import KEY
from tests.virtualenvs import NEMO_GYM, build_environment

# The packing is that of the peer's data preparation.
CLIENT_SCRIPT = """
import asyncio, base64, json, os, sys, zlib
from urllib.parse import urlsplit

*urls, key, evil = sys.argv[1:]
places = {name: urlsplit(url) for name, url in zip(("code_gen", "keyed"), urls)}
config = {
    name: {"resources_servers": {"code_gen": {"host": place.hostname, "port": place.port}}}
    for name, place in places.items()
}
config["head_server"] = {"host": "127.0.0.1", "port": 1}
os.environ["NEMO_GYM_CONFIG_DICT"] = json.dumps(config)  # as in every process that NeMo Gym starts

from nemo_gym.base_resources_server import BaseVerifyRequest, BaseVerifyResponse
from nemo_gym.openai_utils import NeMoGymResponse
from nemo_gym.server_utils import ServerClient

class VerifyRequest(BaseVerifyRequest):
    verifier_metadata: dict

class VerifyResponse(BaseVerifyResponse):
    extracted_model_code: str | None = None
    result: list[int | bool] | None = None
    metadata: dict | None = None
    reasoning_format_violation_rate: float = 0.0
    difficulty: str | None = None

client = ServerClient.load_from_global_config()

def pack(inputs, outputs):
    blob = zlib.compress(json.dumps({"inputs": inputs, "outputs": outputs}).encode(), 6)
    return base64.b64encode(blob).decode()

def fence(code):
    return f"Here:\\n```python\\n{code}\\n```"

async def verify(text, tests, name="code_gen", **headers):
    content = {"annotations": [], "text": text, "type": "output_text"}
    message = {"id": "m", "content": [content], "role": "assistant", "status": "completed", "type": "message"}
    response = NeMoGymResponse(
        id="r", created_at=0.0, model="dummy", object="response", output=[message], parallel_tool_calls=False,
        tool_choice="auto", tools=[],
    )
    body = VerifyRequest(
        responses_create_params={"input": [{"role": "user", "content": "Square it."}]},
        response=response,
        verifier_metadata={"unit_tests": tests, "difficulty": "easy"},
    )
    answer = await client.post(server_name=name, url_path="/verify", json=body.model_dump(), headers=headers)
    content = await answer.read()
    if answer.status != 200:
        return [answer.status, json.loads(content)["detail"]]
    judged = VerifyResponse.model_validate_json(content)
    assert judged.response.output_text == text and judged.difficulty == "easy" and not judged.mask_sample
    return [judged.reward, judged.result, (judged.metadata or {}).get("error_message")]

async def main():
    square = {"inputs": ["2\\n", "5\\n"], "outputs": ["4", "25"], "fn_name": None}
    add = {"packed": pack(["2\\n3", "1\\n1"], ["5", "2"]), "fn_name": "add"}
    right = fence("n = int(input())\\nprint(n * n)")
    late = asyncio.create_task(verify(fence("while True: pass"), square))  # takes 10 s
    report = {
        "right": await verify(right, square),
        "packed": await verify(right, {"packed": pack(square["inputs"], square["outputs"]), "fn_name": None}),
        "wrong": await verify(fence("print(4)"), square),
        "raises": await verify(fence("print(int(input()) // 0)"), square),
        "syntax": await verify(fence("print("), square),
        "killed": await verify(fence("import os\\nos.kill(os.getpid(), 9)"), square),
        "no code": await verify("I do not know.", square),
        "empty": await verify(" ", square),
        "thinking": await verify("<think>2 * 2</think>" + right, square),
        "call": await verify(fence("class Solution:\\n    def add(self, a, b): return a + b"), add),
        "wrong call": await verify(fence("def add(a, b): return 5"), add),
        "floats": await verify(fence("print(0.1 + 0.2)"), {"inputs": [""], "outputs": ["0.3"]}),
        "large": await verify(fence("print(50000000000000001)"), {"inputs": [""], "outputs": ["50000000000000000"]}),
        "verdict": await verify(fence("print('yes')"), {"inputs": [""], "outputs": ["YES"]}),
        "pickle": await verify(right, {"packed": evil, "fn_name": None}),
        "no tests": await verify(right, {"inputs": [], "outputs": []}),
        "too large": await verify(fence("#" * (2 << 20)), square),
        "no key": await verify(right, square, "keyed"),
        "key": await verify(right, square, "keyed", Authorization=f"Bearer {key}"),
    }
    for path in ("/seed_session", "/close_session"):
        answer = await client.post(server_name="code_gen", url_path=path, json={"resources_session_id": "s"})
        report[path] = await answer.json()
    report["late"] = await late
    report["mode"] = await (await client.get(server_name="code_gen", url_path="/reverify_mode")).json()
    print(json.dumps(report))

asyncio.run(main())
"""
# base64 of zlib of a pickle that would call os.system.
EVIL_PICKLE = "eJxrYJkqzwABPawF+cWZFVN62Iori0tSc6dMntLDUlJUmjqldUrQFD0AA2gOlA=="
SUCCESS = [1.0, [True, True], None]


@pytest.fixture(scope="module")
def addresses(live_service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    settings = ApiSettings(home=tmp_path_factory.mktemp("api"), root_dialect="nemo_gym")
    keyed = settings.model_copy(update={"api_keys": KEY.entry})
    with (
        serve_in_thread(create_app(settings, live_service)) as url,
        serve_in_thread(create_app(keyed, live_service)) as keyed_url,
    ):
        yield [url, keyed_url]


@pytest.mark.frameworks
@pytest.mark.timeout(400)
def test_the_client_of_nemo_gym(addresses: list[str], tmp_path: Path) -> None:
    command = [
        str(require_python(NEMO_GYM)),
        "-c",
        CLIENT_SCRIPT,
        *addresses,
        "http://127.0.0.1:9",
        KEY.key,
        EVIL_PICKLE,
    ]
    ended = subprocess.run(command, env=build_environment(), capture_output=True, text=True, timeout=200, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr[-4000:]
    report: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    refused = {name: report.pop(name) for name in ("pickle", "no tests", "no key")}
    assert {name: status for name, (status, _) in refused.items()} == {
        "pickle": 422,
        "no tests": 422,
        "no key": 401,
    }
    assert "packed tests cannot be read" in refused["pickle"][1]
    assert report == {
        "right": SUCCESS,
        "packed": SUCCESS,
        "wrong": [0.0, [True, -2], "Wrong Answer"],
        "raises": [0.0, [-4], "Runtime Error"],
        "syntax": [0.0, [-4], "Runtime Error"],
        "killed": [0.0, [-4], "Runtime Error"],
        "late": [0.0, [-3], "Time Limit Exceeded"],
        "no code": [0.0, None, None],
        "empty": [0.0, None, None],
        "too large": [0.0, None, None],
        "thinking": [0.0, [True, True], None],
        "call": SUCCESS,
        "wrong call": [0.0, [True, -2], "Wrong Answer"],
        "floats": [1.0, [True], None],
        "large": [0.0, [-2], "Wrong Answer"],
        "verdict": [1.0, [True], None],
        "key": SUCCESS,
        "/seed_session": {"resources_session_id": "s"},
        "/close_session": {"resources_session_id": "s"},
        "mode": "stateless",
    }


def test_a_response_without_output_is_refused(addresses: list[str]) -> None:
    body = {"responses_create_params": {}, "response": {"id": "r"}, "verifier_metadata": {}}
    answer = httpx.post(f"{addresses[0]}/verify", json=body)
    assert answer.status_code == 422
    assert "Responses API" in answer.json()["detail"]
