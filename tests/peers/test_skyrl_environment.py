"""SkyRL's own gym with the environment whose tools run in sessions."""

from __future__ import annotations

import json
import re
import subprocess

import httpx
import pytest

from tests.conftest import require_python
from tests.virtualenvs import GYMS, ROOT, build_environment

PAGE = ROOT / "sandbox" / "docs" / "how-to" / "skyrl.md"

EPISODES = """
import json
from skyrl_gym.metrics import aggregate_for_environment

def call(name, **arguments):
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"

def play(actions, **extras):
    episode = skyrl_gym.make("sandbox-tools", env_config=None, extras={**row, **extras})
    episode.init([{"role": "user", "content": "Write double.py."}])
    steps = []
    for action in actions:
        steps.append(episode.step(action))
        if steps[-1]["done"]:
            break
    metrics.append(episode.get_metrics())
    episode.close()
    return [[step["observations"][0]["content"] if step["observations"] else "", step["reward"]] for step in steps]

metrics = []
right = call("write_file", path="double.py", content="def double(x): return x * 2")
half = right.replace("* 2", "+ 2")
report = {
    "tools": play([
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
        call("dance") + "<tool_call>{</tool_call>" + call("run_code", kode="1")
            + "<tool_call>" + "[" * 100_000 + "</tool_call>",
        "Done.",
    ], max_turns=20),
    "half": play([half, "Done."]),
    "nothing": play(["I do not know."]),
    "last turn": play([right], max_turns=1),
    "killed": play([right, call("run_code", code="import os; os.kill(os.getpid(), 9)"), right, "Done."]),
    "open": play([right]),
}
report["metrics"] = aggregate_for_environment("sandbox-tools", metrics)
try:
    skyrl_gym.make("sandbox-tools", env_config=None, extras={})
except Exception as error:
    report["no tests"] = f"{type(error).__name__}: {error}"

class Impatient(ToolEnvironment):
    url, options = "http://127.0.0.1:9", {**ToolEnvironment.options, "on_outage": "none"}

class Lenient(Impatient):
    missing = -1.0

for name, kind in (("down", Impatient), ("missing", Lenient)):
    episode = kind(None, row)
    report[name] = [episode.step(call("run_code", code="1"))["observations"][0]["content"].split()[1]]
    try:
        report[name].append(episode.step("Done.")["reward"])
    except Exception as error:
        report[name].append(type(error).__name__)
print(json.dumps(report))
"""


def read_example() -> str:
    """Return the page's example with tools."""
    found = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (example,) = [each for each in found if "SandboxToolEnvironment" in each]
    return str(example)


@pytest.mark.frameworks
@pytest.mark.timeout(300)
def test_skyrls_gym_runs_tools_in_sessions_and_judges_from_outside(url: str) -> None:
    example = read_example()
    promised = re.findall(r"  # (.*)$", example, re.MULTILINE)
    done = subprocess.run(
        [str(require_python(GYMS)), "-c", example + EPISODES],
        env={**build_environment(), "SANDBOX_URL": url},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    *printed, last = done.stdout.splitlines()
    assert promised == printed
    report = json.loads(last)
    answers = [text.removeprefix("<tool_response>\n").removesuffix("\n</tool_response>") for text, _ in report["tools"]]
    assert [reward for _, reward in report["tools"]] == [0.0] * 11 + [1.0]
    wrote = "wrote 27 bytes to double.py"
    assert answers[0] == f"{wrote}\n</tool_response>\n<tool_response>\ndouble.py"
    assert answers[1:3] == ["", "kept\n42"]
    assert answers[3].endswith("ZeroDivisionError: division by zero")
    assert answers[4].endswith("status: time_limit")
    assert answers[5].endswith("exit code 3")
    assert answers[6] == "def double(x): return x * 2"
    for answer, text in zip(answers[7:10], ("NotFound", "BadRequest", "the maximum is"), strict=True):
        assert text in answer
    failures = ["BadRequest", "JSONDecodeError", "TypeError", "RecursionError"]
    assert re.findall("|".join(failures), answers[10]) == failures
    assert report["half"][-1] == ["", 0.5]
    assert report["nothing"] == [["", 0.0]]
    assert report["last turn"] == [["", 1.0]]
    assert "the session has ended" in report["killed"][1][0]
    assert report["killed"][-1] == ["", 0.0]
    assert report["metrics"]["failed_tool_calls"] > 0
    assert "reward_spec.ground_truth" in report["no tests"]
    assert report["down"] == ["InfrastructureError:", "InfrastructureError"]
    assert report["missing"] == ["InfrastructureError:", -1.0]
    assert httpx.get(f"{url}/sessions").json()["sessions"] == [], "an episode left a session"
