"""TRL's own multi-turn GRPO, in which a tiny model's tool calls run in sessions."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from loadtest.code_tool import UNUSED_TESTS, CodeTool, close_sessions
from sandbox.client import Client
from sandbox.errors import BadRequest, InfrastructureError, NotFound, SessionEnded, Unauthorized
from sandbox.trainers.lazy_clients import get_shared_client
from sandbox.trainers.trl_environment import SandboxEnvironment, trl_environment
from tests.conftest import require_python
from tests.peers.conftest import KEY
from tests.processes.sandbox_command import find_free_port
from tests.virtualenvs import TRL, build_environment

TESTS = [{"args": [2], "expected": 4}, {"args": [5], "expected": 10}]

# A model with two layers in which every token is a whole tool call, and every other text is <unk>. TRL knows the chat
# template of Qwen 2.5, so it parses the tool calls. After two steps, the script reports, and waits in the third.
GRPO_SCRIPT = """
import json, sys, time
from datasets import Dataset
from tokenizers import AddedToken, Tokenizer, models
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed
from trl import GRPOConfig, GRPOTrainer
from trl.chat_template_utils import qwen2_5_chat_template
from sandbox.trainers.trl_environment import SandboxEnvironment, trl_environment

url, folder, tests = sys.argv[1:]
set_seed(0)

def call(name, **arguments):
    return "<tool_call>\\n" + json.dumps({"name": name, "arguments": arguments}) + "\\n</tool_call>"

calls = [
    call("write_file", path="double.py", content="def double(x): return x * 2"),
    call("write_file", path="double.py", content="def double(x): return x * 3"),
    call("run_code", code="from double import double; double(21)"),
    call("read_file", path="missing.txt"),
]
words = ["<pad>", "<|im_end|>", "<unk>", "<|im_start|>", *calls]
tokens = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
tokens.add_special_tokens(["<|im_end|>", "<|im_start|>"])
tokens.add_tokens([AddedToken(each, normalized=False) for each in calls])
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=tokens, pad_token="<pad>", eos_token="<|im_end|>", unk_token="<unk>",
    chat_template=qwen2_5_chat_template,
)
config = LlamaConfig(
    vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
    pad_token_id=0, eos_token_id=1, bos_token_id=None,
)
rewards, transcripts = [], []

class Environment(SandboxEnvironment):
    def get_reward(self):
        if len(rewards) == 8:  # the third step
            logged = [each for each in trainer.state.log_history if "rewards/Environment/mean" in each]
            report = {"rewards": rewards, "transcripts": transcripts[:8], "logged": logged}
            print("report:", json.dumps(report), flush=True)
            time.sleep(100)
        rewards.append(super().get_reward())
        return rewards[-1]

def record(completions, **given):
    transcripts.extend(completions)
    return [0.0] * len(completions)

prompt = [{"role": "user", "content": "Write double.py."}]
trainer = GRPOTrainer(
    model=LlamaForCausalLM(config),
    processing_class=tokenizer,
    train_dataset=Dataset.from_list([{"prompt": prompt, "tests": tests}] * 8),
    reward_funcs=[record],
    environment_factory=trl_environment(
        url, environment=Environment, policy="fraction", file="double.py", entry_point="double",
    ),
    args=GRPOConfig(
        output_dir=folder, use_cpu=True, report_to=[], save_strategy="no", logging_steps=1, max_steps=3,
        per_device_train_batch_size=4, num_generations=4, max_completion_length=24, learning_rate=0.03, beta=0.0,
        lr_scheduler_type="constant", disable_tqdm=True, bf16=False, max_tool_calling_iterations=3,
        generation_kwargs={"suppress_tokens": [0, 2, 3]},
    ),
)
trainer.train()
"""

REPORT = "report: "


def start_training(url: str, folder: Path) -> subprocess.Popen[str]:
    command = [str(require_python(TRL)), "-c", GRPO_SCRIPT, url, str(folder), json.dumps(TESTS)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=build_environment(), stdout=pipe, stderr=pipe, text=True)


def list_open(url: str) -> list[Any]:
    sessions: list[Any] = httpx.get(f"{url}/sessions").json()["sessions"]
    return sessions


def find_written(messages: list[dict[str, Any]]) -> str:
    """Return the last content that a rollout wrote to double.py, or an empty text."""
    calls = [call["function"] for message in messages for call in message.get("tool_calls") or []]
    written = [call["arguments"]["content"] for call in calls if call["name"] == "write_file"]
    return written[-1] if written else ""


@pytest.mark.frameworks
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_grpo_runs_tool_calls_in_sessions_judges_from_outside_and_leaves_no_session(url: str, tmp_path: Path) -> None:
    with start_training(url, tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        report = next((line for line in process.stdout if line.startswith(REPORT)), "")
        assert report, process.stderr.read()[-4000:]
        check_two_steps(json.loads(report.removeprefix(REPORT)))
        assert list_open(url) != [], "the third step has no session"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert list_open(url) == [], "the interrupted training left sessions"


def check_two_steps(report: dict[str, Any]) -> None:
    assert len(report["rewards"]) == len(report["transcripts"]) == 8
    for reward, messages in zip(report["rewards"], report["transcripts"], strict=True):
        assert reward == (1.0 if "x * 2" in find_written(messages) else 0.0), messages
    assert set(report["rewards"]) == {0.0, 1.0}
    assert [each["rewards/Environment/mean"] for each in report["logged"]] == [
        sum(report["rewards"][step : step + 4]) / 4 for step in (0, 4)
    ]
    answers = {each["content"] for messages in report["transcripts"] for each in messages if each["role"] == "tool"}
    assert "wrote 27 bytes to double.py" in answers
    assert {"42", "63"} & answers, "no rollout ran the function that it had written"


@pytest.fixture
def environment(url: str) -> Iterator[SandboxEnvironment]:
    built = trl_environment(url, policy="fraction", entry_point="double", call_limits={"cpu_time_s": 0.5})()
    built.reset(tests=TESTS, prompt="Write double.")
    yield built
    built.reset()


def test_tools_answer_with_text_and_keep_state(environment: SandboxEnvironment) -> None:
    assert environment.run_code("x = 20") == ""
    assert environment.run_code("print('adding')\nx + 22") == "adding\n42"
    assert environment.run_code("1 / 0").endswith("ZeroDivisionError: division by zero")
    assert environment.run_code("while True: pass").endswith("status: time_limit")
    assert environment.run_command("ls missing").endswith("exit code 2")
    assert environment.write_file("lib/a.txt", "hello") == "wrote 5 bytes to lib/a.txt"
    assert environment.list_files("lib") == "lib/a.txt"
    assert environment.read_file("lib/a.txt") == "hello"
    assert "characters cut out" in environment.run_code("print('x' * 100_000)")
    with pytest.raises(BadRequest, match="must not contain"):
        environment.read_file("../a.txt")
    with pytest.raises(NotFound, match="No such file"):
        environment.read_file("missing.txt")
    with pytest.raises(BadRequest, match="the maximum is"):
        environment.write_file("big", "x" * (17 << 20))
    assert environment.run_code("def double(x): return 4") == ""
    assert environment.get_reward() == 0.5


def test_a_reset_closes_the_session_of_the_last_rollout(environment: SandboxEnvironment, url: str) -> None:
    environment.run_code("def double(x): return 2 * x")
    before = list_open(url)
    environment.reset(tests=json.dumps(TESTS))
    assert len(list_open(url)) == len(before) - 1
    assert environment.get_reward() == 0.0  # nothing of the earlier rollout is left


def test_a_rollout_whose_code_ends_its_session_has_no_answer(environment: SandboxEnvironment) -> None:
    environment.run_code("def double(x): return 2 * x")
    assert "the session has ended" in environment.run_code("import os; os.kill(os.getpid(), 9)")
    assert environment.get_reward() == 0.0


def test_a_rollout_that_uses_up_the_cpu_time_of_its_session_has_no_answer(url: str) -> None:
    environment = trl_environment(url, entry_point="double", session={"limits": {"cpu_time_s": 0.5}})()
    environment.reset(tests=TESTS)
    environment.run_code("def double(x): return 2 * x")
    assert "0.5 s of CPU time" in environment.run_code("import time\nwhile time.process_time() < 0.8: pass")
    assert environment.get_reward() == 0.0


def test_a_rollout_whose_session_is_lost_otherwise_has_no_reward(environment: SandboxEnvironment, url: str) -> None:
    environment.run_code("def double(x): return 2 * x")
    (session,) = list_open(url)
    with Client(url) as client:
        client.attach_session(session["id"]).close()
    assert environment.get_reward() is None


def test_a_rollout_whose_session_is_closed_during_a_tool_call_has_no_reward(
    environment: SandboxEnvironment, url: str
) -> None:
    environment.run_code("def double(x): return 2 * x")
    (session,) = list_open(url)
    with Client(url) as client, ThreadPoolExecutor() as threads:
        call = threads.submit(environment.run_command, "touch started; sleep 60")
        while "started" not in [file.path for file in client.attach_session(session["id"]).list_files()]:
            pass
        client.attach_session(session["id"]).close()
        with pytest.raises(SessionEnded, match="it was closed"):
            call.result()
    assert environment.get_reward() is None


def test_a_session_that_the_service_refuses_is_an_error_and_not_the_models_fault(url: str) -> None:
    environment = trl_environment(url, session={"environment": "missing"})()
    environment.reset(tests=TESTS)
    with pytest.raises(BadRequest, match="no environment 'missing'"):
        environment.run_code("1")
    with pytest.raises(BadRequest, match="no environment 'missing'"):
        environment.get_reward()
    environment.reset(tests=TESTS)
    assert environment.get_reward() == 0.0, "the refusal does not outlast its rollout"


def test_a_file_that_is_missing_is_no_answer_and_unreadable_tests_are_no_reward(url: str) -> None:
    environment = trl_environment(url, file="solution.py", entry_point="double")()
    environment.reset(tests=TESTS)
    environment.write_file("other.py", "")
    assert environment.get_reward() == 0.0
    environment.reset(tests="what?")
    assert environment.get_reward() is None
    without_name = trl_environment(url)()
    without_name.reset(tests=TESTS)
    without_name.run_code("def double(x): return 2 * x")
    with pytest.raises(BadRequest, match="set entry_point"):
        without_name.get_reward()


def test_wrong_options_and_a_service_that_is_away_are_errors_at_the_start(url: str) -> None:
    for options in ({"policy": "binry"}, {"session": {"laguage": "python"}}, {"file": "../a.py"}):
        with pytest.raises(BadRequest):
            trl_environment(url, **options)
    with pytest.raises(TypeError):
        trl_environment(url, fil="solution.py")
    with pytest.raises(InfrastructureError, match="no sandbox service answers"):
        trl_environment(f"http://127.0.0.1:{find_free_port()}")


def test_a_refused_key_is_an_error_and_not_the_models_fault(keyed_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_API_KEY", "sk-wrong")
    environment = trl_environment(keyed_url, on_outage="none")()
    environment.reset(tests=TESTS)
    with pytest.raises(Unauthorized, match="valid API key"):
        environment.run_code("1")
    with pytest.raises(Unauthorized):
        environment.get_reward()
    monkeypatch.setenv("SANDBOX_API_KEY", KEY.key)
    get_shared_client(keyed_url).close()
    environment = trl_environment(keyed_url, entry_point="double")()
    environment.reset(tests=TESTS)
    environment.run_code("def double(x): return 2 * x")
    assert environment.get_reward() == 1.0
    get_shared_client(keyed_url).close()


def test_a_service_that_goes_away_costs_the_reward_and_not_the_model(url: str) -> None:
    nowhere = f"http://127.0.0.1:{find_free_port()}"
    environment = trl_environment(nowhere, check_service=False, on_outage="none")()
    environment.reset(tests=TESTS)
    with pytest.raises(InfrastructureError):
        environment.run_code("1")
    assert environment.get_reward() is None
    impatient = trl_environment(nowhere, check_service=False, patience_s=0)()
    impatient.reset(tests=TESTS)
    for call in (lambda: impatient.run_code("1"), impatient.get_reward):
        with pytest.raises(InfrastructureError, match="gave no verdicts for 0 s"):
            call()


def test_the_measurement_of_tool_use_leaves_no_session_of_its_last_rollouts(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDBOX_URL", url)
    tools = [CodeTool(), CodeTool()]
    for tool in tools:
        tool.reset(tests=UNUSED_TESTS)
    assert tools[0].run_code("print(6 * 7)") == "42"
    assert len(list_open(url)) == 1
    close_sessions()
    assert list_open(url) == []
    assert CodeTool.latencies_s == []
