"""The adapters of EasyR1, ms-swift, NeMo-RL, rLLM and SkyRL: columns, missing rewards, and faults in the data."""

from __future__ import annotations

import json
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from sandbox.errors import BadRequest, InfrastructureError
from sandbox.trainers import nemo_rl_environment, skyrl_environment
from sandbox.trainers.easyr1_reward import compute_score
from sandbox.trainers.ms_swift_reward import ms_swift_reward
from sandbox.trainers.rllm_reward import rllm_reward
from tests.trainers.fake_clients import TESTS, FakeClient, fail_every_test, fence_code

GOOD = fence_code("# 42")
TRUTH = json.dumps({"inputs": ["", ""], "outputs": ["42", "43"]})


def build_input(response: str, length: int = 5) -> dict[str, Any]:
    return {"response": response, "response_length": length, "ground_truth": TRUTH}


def test_easyr1_gets_a_score_for_each_input_or_for_one() -> None:
    client = FakeClient()
    scores = compute_score([build_input(GOOD), build_input("no code")], client=client, policy="fraction")
    assert isinstance(scores, list)
    assert [score["overall"] for score in scores] == [0.5, 0.0]
    assert [score["format"] for score in scores] == [1.0, 0.0]
    assert [score["no_code"] for score in scores] == [0.0, 1.0]
    assert len({tuple(score) for score in scores}) == 1, "EasyR1 needs the same keys for every sample"
    assert compute_score(build_input(GOOD), client=client, policy="fraction") == scores[0]


def test_easyr1s_lengths_are_tokens() -> None:
    policy = {"name": "fraction", "max_length": 4}
    score = compute_score(build_input(GOOD, length=5), client=FakeClient(), policy=policy)
    assert isinstance(score, dict)
    assert score["overall"] == -0.5


def test_easyr1_is_never_told_a_number_that_nobody_chose() -> None:
    client = FakeClient(fail_every_test)
    with pytest.raises(InfrastructureError, match="missing="):
        compute_score([build_input(GOOD)], client=client)
    score = compute_score(build_input(GOOD), client=client, missing=0.25)
    assert isinstance(score, dict)
    assert (score["overall"], score["infra_failed"]) == (0.25, 1.0)


def test_ms_swift_gets_none_for_what_to_leave_out() -> None:
    client = FakeClient(lambda request: fail_every_test(request))
    reward = ms_swift_reward(client=client, column="cases")(args=SimpleNamespace(), other=1)
    assert reward([GOOD, "no code"], cases=[TESTS] * 2, trainer_state=None) == [None, 0.0]


def test_ms_swifts_messages_are_prompts_and_its_turns_one_length() -> None:
    client = FakeClient()
    reward = ms_swift_reward(client=client, policy={"name": "fraction", "max_length": 3})()
    prompt = [{"role": "user", "content": f"Like this:\n{GOOD}"}]
    answer = {"role": "assistant", "content": GOOD}
    given = {"messages": [[*prompt, answer]] * 2, "tests": [TESTS] * 2, "response_token_ids": [[[1, 2], [3, 4]]] * 2}
    # The code of the prompt is not an answer, and four tokens are too many.
    assert reward([GOOD, fence_code("# 43")], **given) == [-1.0, -0.5]
    assert client.reward_requests[0].lengths == [4, 4]


@pytest.fixture
def reward_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install rLLM's module with a class that records its arguments."""
    module: Any = ModuleType("rllm.rewards.reward_types")
    module.RewardOutput = SimpleNamespace
    for name in ("rllm", "rllm.rewards"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.usefixtures("reward_output")
def test_rllm_passes_a_text_or_an_action() -> None:
    reward = rllm_reward(client=FakeClient(), column="tests", policy="fraction")
    for action in (GOOD, SimpleNamespace(action=GOOD)):
        output = reward({"question": "Print 42.", "tests": TESTS}, action)
        assert (output.reward, output.is_correct, output.metadata["wrong_answer"]) == (0.5, False, 1.0)
    with pytest.raises(BadRequest, match=r"no field 'tests'; set column= to one of \['ground_truth'\]"):
        reward({"ground_truth": TESTS}, GOOD)


@pytest.mark.usefixtures("reward_output")
def test_rllm_is_never_told_a_number_that_nobody_chose() -> None:
    task = {"ground_truth": TESTS}
    with pytest.raises(InfrastructureError, match="missing="):
        rllm_reward(client=FakeClient(fail_every_test))(task, GOOD)
    output = rllm_reward(client=FakeClient(fail_every_test), missing=-1.0)(task, GOOD)
    assert (output.reward, output.metadata["infra_failed"]) == (-1.0, 1.0)


class Episode(skyrl_environment.SandboxEnvironment):
    options = {"policy": "fraction"}  # noqa: RUF012 -- as a user writes it
    client = FakeClient()


class LostEpisode(Episode):
    client = FakeClient(fail_every_test)


def test_a_skyrl_episode_ends_after_its_answer_and_knows_its_prompt() -> None:
    episode = Episode(extras={"reward_spec": {"ground_truth": TRUTH}})
    prompt = [{"role": "user", "content": f"Like this:\n{GOOD}"}]
    assert episode.init(prompt) == (prompt, {})
    step = episode.step(GOOD)
    assert (step["reward"], step["done"], step["metadata"]["no_code"]) == (0.0, True, 1.0)
    assert episode.get_metrics() == step["metadata"]
    with pytest.raises(BadRequest, match=r"reward_spec\.ground_truth"):
        Episode(extras={"data_source": "x"})


def test_skyrl_is_never_told_a_number_that_nobody_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"reward_spec": {"ground_truth": TRUTH}}
    with pytest.raises(InfrastructureError, match="missing="):
        LostEpisode(extras=row).step(GOOD)
    monkeypatch.setattr(LostEpisode, "missing", 0.5)
    episode = LostEpisode(extras=row)
    assert episode.step(GOOD)["reward"] == 0.5
    assert episode.get_metrics()["infra_failed"] == 1.0


def test_nemo_rl_needs_tests_and_known_options() -> None:
    environment = nemo_rl_environment.SandboxEnvironment({"policy": "fraction"}, client=FakeClient())
    with pytest.raises(BadRequest, match="no ground_truth"):
        environment.step([[{"role": "assistant", "content": GOOD}]], [{"solution": TRUTH}])
    with pytest.raises(BadRequest, match="quorums"):
        nemo_rl_environment.SandboxEnvironment({"quorums": "fraction"}, client=FakeClient())


def test_nemo_rl_is_never_told_a_number_that_nobody_chose() -> None:
    environment = nemo_rl_environment.SandboxEnvironment({}, client=FakeClient(fail_every_test))
    with pytest.raises(InfrastructureError, match="missing="):
        environment.step([[{"role": "assistant", "content": GOOD}]], [{"ground_truth": TRUTH}])
