"""The guide's page of each trainer, run with that trainer's own classes where they can be installed alone."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator

import pytest

from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from sandbox.service import Service
from tests.api.threaded_server import serve_in_thread
from tests.conftest import require_python
from tests.docs.conftest import ROOT
from tests.virtualenvs import GYMS, TRL, Virtualenv, build_environment

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(300)]

PLACEHOLDER_URL = "http://127.0.0.1:8080"

# ms-swift's own registry. Its package modules would load Torch.
SWIFT = """
import importlib.util, sys
from types import ModuleType
(root,) = importlib.util.find_spec("swift").submodule_search_locations
for name in ("swift", "swift.rewards", "swift.infer_engine"):
    package = sys.modules[name] = ModuleType(name)
    package.__path__ = [root + name.removeprefix("swift").replace(".", "/")]
sys.modules["swift.infer_engine"].InferRequest = dict
from swift.rewards.orm import orms
sys.modules["swift.rewards"].orms = orms
"""
# rLLM is not on the package index. This is the class of its documentation.
RLLM = """
import sys
from dataclasses import dataclass, field
from types import ModuleType

@dataclass
class RewardOutput:
    reward: float
    metadata: dict = field(default_factory=dict)
    is_correct: bool | None = None

for name in ("rllm", "rllm.rewards", "rllm.rewards.reward_types"):
    sys.modules[name] = ModuleType(name)
sys.modules["rllm.rewards.reward_types"].RewardOutput = RewardOutput
"""
# NeMo-RL is not on the package index. These are the classes of its documentation, and Ray's decorator without Ray.
NEMO_RL = """
import abc, sys
from types import ModuleType
from typing import Any, NamedTuple

class EnvironmentReturn(NamedTuple):
    observations: list
    metadata: list
    next_stop_strings: list
    rewards: Any
    terminateds: Any
    answers: Any = None

class EnvironmentInterface(abc.ABC):
    @abc.abstractmethod
    def step(self, message_log_batch, metadata): ...
    @abc.abstractmethod
    def global_post_process_and_metrics(self, batch): ...

for name in ("nemo_rl", "nemo_rl.environments", "nemo_rl.environments.interfaces", "ray"):
    sys.modules[name] = ModuleType(name)
sys.modules["nemo_rl.environments.interfaces"].EnvironmentReturn = EnvironmentReturn
sys.modules["nemo_rl.environments.interfaces"].EnvironmentInterface = EnvironmentInterface
sys.modules["ray"].remote = lambda kind: kind
"""
NEMO_RL_STEPS = """
import json, torch
tests = [{"input": "2", "output": "4"}, {"input": "5", "output": "10"}]
right, half = "```python\\nprint(int(input()) * 2)\\n```", "```python\\nprint(4)\\n```"
logs = [
    [{"role": "user", "content": "Double it.", "token_ids": torch.ones(3)},
     {"role": "assistant", "content": text, "token_ids": torch.ones(5)}]
    for text in (right, half, "No idea.")
]
environment = CodeEnvironment({"url": "http://127.0.0.1:8080", "policy": "fraction"})
result = environment.step(logs, [{"ground_truth": tests}] * 3)
batch, metrics = environment.global_post_process_and_metrics({"rewards": result.rewards})
print(json.dumps([
    result.rewards.tolist(), str(result.rewards.dtype), result.terminateds.tolist(), result.next_stop_strings,
    [each["content"] for each in result.observations], len(result.metadata), list(batch), metrics,
    environment.global_post_process_and_metrics(batch)[1]["accepted_rate"],
]))
"""


@pytest.fixture(scope="module")
def url(live_service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_in_thread(create_app(ApiSettings(home=tmp_path_factory.mktemp("api")), live_service)) as address:
        yield address


def read_example(page: str) -> str:
    """Return the first Python example of a page."""
    text = (ROOT / "sandbox" / "docs" / "how-to" / f"{page}.md").read_text(encoding="utf-8")
    found = re.search(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def run_python(virtualenv: Virtualenv, source: str, url: str) -> list[str]:
    """Run a program in another environment, where SANDBOX_URL names the service; return its lines of output."""
    done = subprocess.run(
        [str(require_python(virtualenv)), "-c", source.replace(PLACEHOLDER_URL, url)],
        env={**build_environment(), "SANDBOX_URL": url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.splitlines()


@pytest.mark.parametrize("page", ["skyrl", "ms-swift", "easyr1", "rllm"])
def test_the_example_of_a_page_prints_what_it_says(page: str, url: str) -> None:
    example, prelude = read_example(page), {"ms-swift": SWIFT, "rllm": RLLM}.get(page, "")
    promised = re.findall(r"\)  # (.*)$", example, re.MULTILINE)
    assert promised
    assert run_python(GYMS, prelude + example, url) == promised


def test_nemo_rl_gets_tensors_and_metrics(url: str) -> None:
    output = json.loads(run_python(TRL, NEMO_RL + read_example("nemo-rl") + NEMO_RL_STEPS, url)[-1])
    rewards, kind, ended, stops, observations, metadata_count, batch, metrics, later = output
    assert (rewards, kind, ended) == ([1.0, 0.5, 0.0], "torch.float32", [1.0, 1.0, 1.0])
    assert stops == [None] * 3
    assert observations == [f"Environment: {outcome}" for outcome in ("accepted", "wrong_answer", "no_code")]
    assert (metadata_count, batch, later) == (3, ["rewards"], 0.0)
    assert metrics["accepted_rate"] == metrics["no_code_rate"] == pytest.approx(1 / 3)
    assert metrics["infra_failed_rate"] == 0.0
    assert metrics["judge_time_s"] > 0


# SkyRL's own aggregation of metrics, over the episodes of its page.
SKYRL_METRICS = """
from skyrl_gym.metrics import aggregate_for_environment
episodes = []
for text in ("```python\\nprint(int(input()) * 2)\\n```", "No idea."):
    one = skyrl_gym.make("sandbox", env_config=None, extras=row)
    prompt, _ = one.init([{"role": "user", "content": "Double it."}])
    step = one.step(text)
    assert step["done"] and step["observations"] == []
    episodes.append(one.get_metrics())
    one.close()
metrics = aggregate_for_environment("sandbox", episodes)
print(metrics["accepted"], metrics["no_code"], metrics["infra_failed"])
"""


def test_skyrl_aggregates_the_metrics_of_episodes(url: str) -> None:
    assert run_python(GYMS, read_example("skyrl") + SKYRL_METRICS, url)[-1] == "0.5 0.5 0.0"
