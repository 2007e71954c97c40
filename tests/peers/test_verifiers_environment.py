"""verifiers' own StatefulToolEnv, client and rubrics with tools that run in sessions; only the model is scripted."""

from __future__ import annotations

import json
import re
import subprocess

import httpx
import pytest

from tests.conftest import require_python
from tests.virtualenvs import ROOT, VERIFIERS, build_environment

# A server of chat completions. The first user message names the script, and each answer is its next line.
EPISODES = """
import asyncio, json, os, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

def call(name, arguments=None, **given):
    text = json.dumps(given) if arguments is None else arguments
    return [{"id": f"c{len(text)}", "type": "function", "function": {"name": name, "arguments": text}}]

right = call("write_file", path="double.py", content="def double(x): return x * 2")
half = call("write_file", path="double.py", content="def double(x): return x + 2")
scripts = {
    "tools": [
        right + call("list_files"),
        call("run_code", code="from double import double; x = double(21)"),
        call("run_code", code="print('kept'); x"),
        call("run_code", code="1 / 0"),
        call("run_code", code="while True: pass"),
        call("run_command", command="cat double.py; exit 3"),
        call("read_file", path="double.py"),
        call("read_file", path="missing.py"),
        call("read_file", path="../secret"),
        call("write_file", path="big", content="x" * (17 << 20)),
        call("run_code", "{"),
        call("run_code", kode="1"),
        call("dance"),
        "Done.",
    ],
    "half": [half, "Done."],
    "nothing": ["I do not know."],
    "killed": [right, call("run_code", code="import os; os.kill(os.getpid(), 9)"), "Done."],
    "long": [right] * 20,
    "bad tests": [right, "Done."],
}
offered = {}

class Model(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        for tool in body["tools"]:
            offered[tool["function"]["name"]] = sorted(tool["function"]["parameters"]["properties"])
        line = scripts[body["messages"][0]["content"]][sum(each["role"] == "assistant" for each in body["messages"])]
        message = {"role": "assistant", **({"content": line} if isinstance(line, str) else {"tool_calls": line})}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        fields = {"id": "r", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        answer = json.dumps({**fields, "usage": usage}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["KEY"] = "none"
model = vf.ClientConfig(api_base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key_var="KEY")

def build_rows(*names):
    return Dataset.from_list([
        {"prompt": [{"role": "user", "content": name}], "answer": "what?" if name == "bad tests" else json.dumps(tests)}
        for name in names
    ])

def play(*names, kind=CodeEnvironment, **fields):
    environment = kind(**{"dataset": build_rows(*names), "max_turns": 15, **options, **fields})
    played = environment.evaluate_sync(model, model="m", rollouts_per_example=1)["outputs"]
    return {each["prompt"][0]["content"]: each for each in sorted(played, key=lambda each: each["example_id"])}

options = {"policy": "fraction", "session_options": {
    "file": "double.py", "entry_point": "double", "call_limits": {"cpu_time_s": 0.5},
}}
played = play(*scripts)
down = {"url": "http://127.0.0.1:9", "session_options": {"check_service": False, "on_outage": "none"}}
report = {
    "rewards": {name: each["reward"] for name, each in played.items()},
    "answers": [each["content"] for each in played["tools"]["completion"] if each["role"] == "tool"],
    "metrics": {name: played["tools"]["metrics"][name] for name in ("num_turns", "total_tool_calls", "run_code_calls")},
    "offered": offered,
    "down": [each["reward"] for each in play("half", **down).values()],
    "missing": [each["reward"] for each in play("half", missing=-1.0, **down).values()],
}
for name, fields in (("no service", {"url": "http://127.0.0.1:9"}), ("options", {"policy": "binry"})):
    try:
        play("half", **fields)
    except Exception as error:
        report[name] = f"{type(error).__name__}: {error}"
print(json.dumps(report))
"""


EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PAGE = ROOT / "sandbox" / "docs" / "how-to" / "verifiers.md"


@pytest.mark.frameworks
@pytest.mark.timeout(300)
def test_verifiers_runs_tools_in_sessions_and_judges_from_outside(url: str) -> None:
    (example,) = EXAMPLE.findall(PAGE.read_text(encoding="utf-8"))
    done = subprocess.run(
        [str(require_python(VERIFIERS)), "-c", example + EPISODES],
        env={**build_environment(), "SANDBOX_URL": url, "VF_LOG_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    printed, last = done.stdout.splitlines()
    assert printed == re.findall(r"\)  # (.*)$", example, re.MULTILINE)[0]
    report = json.loads(last)
    # The group of the unreadable tests has no other member, so its reward is 0.
    assert report["rewards"] == {
        "tools": 1.0,
        "half": 0.5,
        "nothing": 0.0,
        "killed": 0.0,
        "long": 1.0,
        "bad tests": 0.0,
    }
    assert report["offered"] == {
        "run_code": ["code"],
        "run_command": ["command"],
        "read_file": ["path"],
        "write_file": ["content", "path"],
        "list_files": ["path"],
    }
    answers = report["answers"]
    assert answers[:4] == ["wrote 27 bytes to double.py", "double.py", "", "kept\n42"]
    assert answers[4].endswith("ZeroDivisionError: division by zero")
    assert answers[5].endswith("status: time_limit")
    assert answers[6].endswith("exit code 3")
    assert answers[7] == "def double(x): return x * 2"
    for answer, text in zip(
        answers[8:], ("No such file", "must not contain", "the maximum is", "Expecting", "kode", "dance"), strict=True
    ):
        assert text in answer
    assert report["metrics"] == {"num_turns": 14, "total_tool_calls": 14, "run_code_calls": 6}
    assert (report["down"], report["missing"]) == ([0.0], [-1.0])
    assert "no sandbox service answers" in report["no service"]
    assert "binry" in report["options"]
    assert httpx.get(f"{url}/sessions").json()["sessions"] == [], "a rollout left a session"
