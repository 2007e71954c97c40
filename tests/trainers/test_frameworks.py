"""The trainers' own unmodified code with this project's rewards or URL, each in a separate environment."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.api.app import create_app
from sandbox.config import ApiSettings, GpuSettings
from sandbox.errors import QueueFull
from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.training.verl_config import OVERRIDES_FILE, prepare_verl_command
from sandbox.schema.gpu import GrpoRequest
from sandbox.service import Service
from tests.api.fake_service import FakeService
from tests.api.threaded_server import serve_in_thread
from tests.conftest import require_python
from tests.processes.sandbox_command import find_free_port
from tests.virtualenvs import TRL, VERIFIERS, VERL, Virtualenv, build_environment

pytestmark = [pytest.mark.frameworks, pytest.mark.slow, pytest.mark.timeout(900)]

# A model with two layers in which every token is a whole answer: a random model finds the right answer by chance, and a
# few steps of GRPO teach it.
GRPO_SCRIPT = """
import json, sys
from sandbox.trainers.trl_reward import trl_async_reward, trl_reward

url, folder = sys.argv[1:]
reward = trl_reward(url, policy="x-coder", run="tiny-grpo")  # before the imports below, which take ten seconds

from datasets import Dataset
from tokenizers import Tokenizer, models
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed
from trl import GRPOConfig, GRPOTrainer

set_seed(0)
right, wrong = "```python\\nprint(int(input()) * 2)\\n```", "```python\\nprint(5)\\n```"
words = ["<pad>", "<eos>", "<unk>", "Double it.", right, wrong, "I do not know.", "```python\\nprint(\\n```"]
tokens = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokens, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
config = LlamaConfig(
    vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
    pad_token_id=0, eos_token_id=1, bos_token_id=None,
)
called = []

def watched(completions, **given):
    rewards = reward(completions=completions, **given)
    called.extend(zip(completions, rewards))
    return rewards

watched.__name__ = "x_coder"
tests = [{"input": "2", "output": "4"}, {"input": "5", "output": "10"}]
trainer = GRPOTrainer(
    model=LlamaForCausalLM(config),
    processing_class=tokenizer,
    train_dataset=Dataset.from_list([{"prompt": "Double it.", "tests": tests}] * 64),
    reward_funcs=[watched, trl_async_reward(url, policy="fraction", name="fraction")],
    args=GRPOConfig(
        output_dir=folder, use_cpu=True, report_to=[], save_strategy="no", logging_steps=1, max_steps=12,
        per_device_train_batch_size=16, num_generations=16, max_completion_length=1, learning_rate=0.03, beta=0.0,
        lr_scheduler_type="constant", disable_tqdm=True, bf16=False,
    ),
)
trainer.train()
logged = [each["rewards/fraction/mean"] for each in trainer.state.log_history if "rewards/fraction/mean" in each]
metrics = [{k: v for k, v in each.items() if k.startswith("fraction/")} for each in trainer.state.log_history]
extra = {name: list(values)[-16:] for name, values in trainer._logs["extra"].items()}
print(json.dumps({"called": called, "fraction": logged, "metrics": metrics, "extra": extra}))
"""
CHECKER = """import sys
_, given, answer = (open(name).read() for name in sys.argv[1:4])
sys.exit(given.split() != answer.split())
"""
RIGHT = "```python\nprint(int(input()) * 2)\n```"

# verl's package imports Ray; its scoring code only needs requests.
VERL_SCORE_SCRIPT = """
import importlib.util, json, sys
from pathlib import Path
from threading import Semaphore

(root,) = importlib.util.find_spec("verl").submodule_search_locations
folder = Path(root) / "utils" / "reward_score" / "sandbox_fusion"
inside = [str(folder)]
spec = importlib.util.spec_from_file_location("scoring", folder / "__init__.py", submodule_search_locations=inside)
scoring = importlib.util.module_from_spec(spec)
sys.modules["scoring"] = scoring
spec.loader.exec_module(scoring)
cases = {"inputs": ["2\\n", "5\\n"], "outputs": ["4\\n", "10\\n"]}
scored = []
for code in json.loads(sys.argv[2]):
    score, details = scoring.compute_score(sys.argv[1], Semaphore(4), 512, f"```python\\n{code}\\n```", cases, True, 2)
    reported = [[each.get(name) for each in details] for name in ("status", "api_request_error")]
    scored.append([score, *reported])
print(json.dumps(scored))
"""

# verl's own loader of reward functions and its configuration. Its package modules would need Torch and Ray.
VERL_REWARD_SCRIPT = """
import asyncio, importlib.util, json, sys
from types import ModuleType
from hydra import compose, initialize_config_dir

(root,) = importlib.util.find_spec("verl").submodule_search_locations
for name in ("verl", "verl.utils", "verl.trainer", "verl.trainer.ppo"):
    package = sys.modules[name] = ModuleType(name)
    package.__path__ = [root + name.removeprefix("verl").replace(".", "/")]
sys.modules["verl"].DataProto = None
from verl.trainer.ppo.reward import get_custom_reward_fn

overrides, answers = map(json.loads, sys.argv[1:])
with initialize_config_dir(f"{root}/trainer/config", version_base=None):
    score = get_custom_reward_fn(compose("ppo_trainer", overrides=overrides))

async def scores():
    about = {"index": 0, "num_turns": 2, "rollout_reward_scores": {}}
    return [
        await score(data_source="sandbox", solution_str=answer, ground_truth=truth, extra_info=about)
        for answer, truth in answers
    ]

print(json.dumps(asyncio.run(scores())))
"""

RUBRIC_SCRIPT = """
import asyncio, json, sys
import verifiers as vf
from sandbox.trainers.verifiers_rubric import verifiers_metrics, verifiers_reward, verifiers_rollout_reward

url, right = sys.argv[1:]
tests = [{"input": "2", "output": "4"}, {"input": "5", "output": "10"}]

def state(text):
    completion = [{"role": "assistant", "content": text}]
    return vf.State(
        input={"prompt": [{"role": "user", "content": "Double it."}], "example_id": 0, "task": "double",
               "answer": "", "info": {"tests": tests}},
        completion=completion, trajectory=[], timing={}, reward=None,
        prompt=[], answer="", info={"tests": tests}, task="double",
    )

async def scored():
    states = [state(text) for text in (right, "I do not know.", "```python\\nprint(4)\\n```")]
    rubric = vf.Rubric(funcs=[verifiers_reward(url, policy="fraction")])
    for metric in verifiers_metrics():
        rubric.add_metric(metric)
    await rubric.score_group(states)
    one = state(right)
    await vf.Rubric(
        funcs=[verifiers_rollout_reward(url, missing=-1.0), *verifiers_metrics()],
        weights=[1.0, *[0.0] * len(verifiers_metrics())],
    ).score_rollout(one)
    return (
        [each["reward"] for each in states], [each["advantage"] for each in states], one["reward"],
        [each["metrics"] for each in states], one["metrics"],
    )

print(json.dumps(asyncio.run(scored())))
"""


@pytest.fixture(scope="module")
def url(live_service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_in_thread(create_app(ApiSettings(home=tmp_path_factory.mktemp("api")), live_service)) as address:
        yield address


def run_script(environment: Virtualenv, script: str, *arguments: str) -> Any:
    """Run a script and return its last line of output, parsed as JSON."""
    python = require_python(environment)
    command = [str(python), "-c", script, *arguments]
    ended = subprocess.run(command, env=build_environment(), capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr[-4000:]
    return json.loads(ended.stdout.splitlines()[-1])


def test_trls_grpo_trainer_calls_our_rewards_and_learns_from_them(url: str, tmp_path: Path) -> None:
    output = run_script(TRL, GRPO_SCRIPT, url, str(tmp_path))
    assert len(output["called"]) == 12 * 16
    for completion, reward in output["called"]:
        runs = completion in {RIGHT, "```python\nprint(5)\n```"}
        assert reward == (5.0 if completion == RIGHT else 0.0 if runs else -2.0), completion
    assert output["fraction"][-1] > output["fraction"][0] + 0.3, output["fraction"]
    (run,) = [each for each in httpx.get(f"{url}/runs").json()["runs"] if each["name"] == "tiny-grpo"]
    points = httpx.get(f"{url}/runs/{run['id']}").json()["points"]
    assert [point["step"] for point in points] == list(range(12))
    assert points[-1]["reward"] > points[0]["reward"]
    steps = [step for step in output["metrics"] if step]
    assert len(steps) == 12
    for step, fraction in zip(steps, output["fraction"], strict=True):
        assert step["fraction/accepted_rate"] == pytest.approx(fraction, abs=1e-4)
        rates = [value for name, value in step.items() if name.endswith("_rate")]
        assert sum(rates) == pytest.approx(1.0, abs=1e-3)
        assert step["fraction/infra_failed_rate"] == 0.0
    assert steps[0]["fraction/no_code_rate"] > 0
    assert steps[-1]["fraction/judge_time_s"] > 0
    outcomes = output["extra"]["fraction/outcome"]
    assert len(outcomes) == 16
    assert output["extra"]["sandbox_reward/outcome"] == outcomes
    assert set(zip(outcomes, output["extra"]["fraction/passed"], strict=True)) >= {("accepted", "2 of 2")}


REWARDED = "rewarded:"
# Three steps. After each batch the script prints its rewards and waits for a line; `argv` sets the patience.
STEPS_SCRIPT = (
    GRPO_SCRIPT.replace("url, folder = sys.argv[1:]", "url, folder, options = sys.argv[1:]")
    .replace('trl_reward(url, policy="x-coder", run="tiny-grpo")', "trl_reward(url, **json.loads(options))")
    .replace("max_steps=12", "max_steps=3")
    .replace(', trl_async_reward(url, policy="fraction", name="fraction")', "")
    .replace(
        "    return rewards\n",
        f"    print({REWARDED!r}, json.dumps(rewards), flush=True)\n    sys.stdin.readline()\n    return rewards\n",
    )
)
OUTAGE_S, PATIENCE_S = 3.0, 8


@contextmanager
def start_steps(url: str, directory: Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    python = require_python(TRL)
    command = [str(python), "-c", STEPS_SCRIPT, url, str(directory), json.dumps(options)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=build_environment(), stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def await_rewards(process: subprocess.Popen[str]) -> list[float | None]:
    """Return the rewards of the next batch."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(REWARDED):
            return list(json.loads(line.removeprefix(REWARDED)))
    pytest.fail("the training ended before these rewards")


def resume(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_a_training_waits_for_a_service_that_is_away_and_stops_when_it_is_gone_for_good(
    live_service: Service, tmp_path: Path
) -> None:
    app, port = create_app(ApiSettings(home=tmp_path), live_service), find_free_port()
    with ExitStack() as stack:
        with serve_in_thread(app, port=port) as url:
            process = stack.enter_context(start_steps(url, tmp_path, policy="x-coder", patience_s=PATIENCE_S))
            await_rewards(process)
        resume(process)
        time.sleep(OUTAGE_S)
        with serve_in_thread(app, port=port):
            rewards = await_rewards(process)
        resume(process)
        _, err = process.communicate(timeout=120)
    assert len(rewards) == 16
    assert None not in rewards
    assert f"the service at {url} answers again" in err
    assert process.returncode == 1
    assert f"the service at {url} gave no verdicts for {PATIENCE_S} s" in err.splitlines()[-1]


def test_a_training_does_not_start_without_a_service_or_with_a_policy_that_there_is_not(
    url: str, tmp_path: Path
) -> None:
    nowhere = f"http://127.0.0.1:{find_free_port()}"
    for address, options, fault in ((nowhere, {}, f"answers at {nowhere}"), (url, {"policy": "binry"}, "binry")):
        with start_steps(address, tmp_path, **options) as process:
            _, err = process.communicate(timeout=120)
        assert process.returncode == 1
        assert fault in err


def test_verls_sandbox_fusion_scoring(url: str) -> None:
    codes = [
        "print(int(input()) * 2)",
        "print(4)",
        "raise SystemExit(3)",
        "while True: pass",
        "print(chr(52) * 300_000)",
    ]
    scored = run_script(VERL, VERL_SCORE_SCRIPT, f"{url}/dialects/sandbox_fusion/run_code", json.dumps(codes))
    assert [score for score, *_ in scored] == [1.0, 0.5, 0.0, 0.0, 0.0]
    statuses = [status for _, status, _ in scored]
    assert statuses == [
        ["success", "success"],
        ["success", "wrong_answer"],
        ["runtime_error"] * 2,
        ["timeout"] * 2,
        ["wrong_answer"] * 2,
    ]


def test_a_grpo_jobs_reward_is_what_verl_calls(url: str, tmp_path: Path) -> None:
    """Use the job's own configuration and data, in which verl's containers reach the reward function."""
    task = {"prompt": "Double it.", "tests": [{"stdin": "2\n", "expected": "4"}, {"stdin": "5\n", "expected": "10"}]}
    checker = {"type": "program", "language": "python", "code": CHECKER}
    fields = {"tasks": [task], "checker": checker, "policy": {"name": "first-k", "k": 1}, "limits": {"cpu_time_s": 2.0}}
    request = GrpoRequest.model_validate({"model": "m", "backend": "verl", **fields})
    job_dir = JobDir(tmp_path / "job")
    job_dir.write_order({"request": {}, "model": "m"})
    prepare_verl_command(job_dir, request, GpuSettings(home=tmp_path, url=url), 1)
    row = json.loads((job_dir.path / "train.jsonl").read_text().splitlines()[0])
    truth = row["reward_model"]["ground_truth"]
    answers = [[RIGHT, truth], ["```python\nprint(4)\n```", truth], ["I do not know.", truth]]
    scored = run_script(VERL, VERL_REWARD_SCRIPT, (job_dir.path / OVERRIDES_FILE).read_text(), json.dumps(answers))
    assert [each["score"] for each in scored] == [1.0, 1.0, 0.0]
    assert [each["answered"] for each in scored] == [1.0, 1.0, 0.0]
    assert [(each["accepted"], each["no_code"], each["infra_failed"]) for each in scored] == [
        (1.0, 0.0, 0.0),
        (1.0, 0.0, 0.0),
        (0.0, 1.0, 0.0),
    ]
    assert scored[0]["judge_time_s"] > 0


def test_an_overload_is_told_to_verls_client_as_what_it_tries_again(tmp_path: Path) -> None:
    service = FakeService(refusal=QueueFull("lane rl is full"))
    with serve_in_thread(create_app(ApiSettings(home=tmp_path), service)) as url:
        ((score, statuses, errors),) = run_script(
            VERL, VERL_SCORE_SCRIPT, f"{url}/dialects/sandbox_fusion/run_code", '["print(4)"]'
        )
    assert score == 0.0
    assert set(statuses) == {"api_error"}
    assert all("Gateway Timeout (504) on attempt 3/3" in error for error in errors)


def test_a_rubric_of_verifiers_calls_our_rewards(url: str) -> None:
    rewards, advantages, alone, metrics, metrics_alone = run_script(VERIFIERS, RUBRIC_SCRIPT, url, RIGHT)
    assert rewards == [1.0, 0.0, 0.5]
    assert advantages == [0.5, -0.5, 0.0]
    assert alone == 1.0
    names = ("sandbox_accepted", "sandbox_no_code", "sandbox_wrong_answer", "sandbox_infra_failed")
    assert [[each[name] for name in names] for each in metrics] == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]
    assert metrics_alone["sandbox_accepted"] == 1.0
    assert metrics_alone["sandbox_judge_time_s"] > 0
