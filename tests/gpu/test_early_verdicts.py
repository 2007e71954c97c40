"""Verdicts on completions while others are still drawn: the same rewards, asked for earlier, and never required."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.client import Client
from sandbox.gpu.early_verdicts import EarlyVerdicts, JudgeBeside, with_early_verdicts
from sandbox.rewards.trl_reward import trl_reward

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]
OPTIONS: dict[str, Any] = {"policy": {"name": "fraction"}, "language": "python", "limits": {"cpu_time_s": 1.0}}
DOUBLE = json.dumps([{"stdin": "2\n", "expected": "4\n"}, {"stdin": "5\n", "expected": "10\n"}])
SQUARE = json.dumps([{"stdin": "2\n", "expected": "4\n"}, {"stdin": "5\n", "expected": "25\n"}])
TEXTS = ["print(int(input()) * 2)", "print(int(input()) ** 2)", "print(4)", "no code at all"]
COMPLETIONS = [text if text.startswith("no") else f"```python\n{text}\n```" for text in TEXTS]
EXPECTED = {DOUBLE: [1.0, 0.5, 0.5, 0.0], SQUARE: [0.5, 1.0, 0.5, 0.0]}

Reward = Callable[..., list[float | None]]


class Engine:
    """Hands out one request a step, as vLLM's does: tokens are the characters' codes."""

    def __init__(self, outputs: Sequence[Any]) -> None:
        self._outputs = list(outputs)

    def step(self) -> list[Any]:
        unfinished = SimpleNamespace(finished=False, prompt_token_ids=[9], outputs=[])
        return [self._outputs.pop(0), unfinished]


class ServersClient:
    """Draws every completion for each prompt, as TRL's client of a server; the last prompt's are there first."""

    def __init__(self) -> None:
        self.asked: list[list[list[int]]] = []

    def generate(self, prompts: list[list[int]], n: int, features: Any = None) -> dict[str, Any]:
        self.asked.append(prompts)
        time.sleep(0.2 if prompts == [[1, 2]] else 0.0)
        texts = [text for _ in prompts for text in COMPLETIONS[:n]]
        return {"prompt_ids": prompts, "completion_ids": [_tokens(text) for text in texts], "logprobs": None}


@pytest.fixture
def judge(url: str) -> Iterator[JudgeBeside]:
    judge = JudgeBeside(url, OPTIONS)
    yield judge
    judge.close()


@pytest.fixture
def late(url: str) -> Iterator[tuple[Reward, list[str]]]:
    """The usual reward function, and every completion that it was asked about."""
    asked: list[str] = []
    with Client(url) as client:
        reward = trl_reward(client=client, **OPTIONS)

        def counted(completions: Sequence[Any], **columns: Any) -> list[float | None]:
            asked.extend(completion[0]["content"] for completion in completions)
            return reward(completions=completions, **columns)

        yield counted, asked


def _tokens(text: str) -> list[int]:
    return [ord(letter) for letter in text]


def _text(tokens: Sequence[int]) -> str:
    return "".join(map(chr, tokens))


def _output(prompt: list[int], text: str) -> Any:
    return SimpleNamespace(
        finished=True, prompt_token_ids=prompt, outputs=[SimpleNamespace(token_ids=tuple(_tokens(text)))]
    )


def _batch(tests: Sequence[str]) -> dict[str, Any]:
    """What TRL gives to a reward function: every completion for each of the tests."""
    texts = [text for _ in tests for text in COMPLETIONS]
    return {
        "prompts": [[{"role": "user", "content": "?"}]] * len(texts),
        "completions": [[{"role": "assistant", "content": text}] for text in texts],
        "completion_ids": [_tokens(text) for text in texts],
        "tests": [one for one in tests for _ in COMPLETIONS],
    }


def _drawn(early: EarlyVerdicts, engine: Engine, steps: int) -> None:
    early.begin([[1, 2], [3]], [DOUBLE, SQUARE])
    early.watch(engine)
    for _ in range(steps):
        engine.step()


def test_what_ends_early_is_judged_early_and_the_rest_in_its_time(judge: JudgeBeside, late: Any) -> None:
    reward, asked = late
    early = EarlyVerdicts(judge, _text)
    outputs = [_output(prompt, text) for prompt in ([1, 2], [3]) for text in COMPLETIONS]
    _drawn(early, Engine(outputs), len(outputs) - 2)
    given = with_early_verdicts(early, reward)(**_batch([DOUBLE, SQUARE]))
    assert given == EXPECTED[DOUBLE] + EXPECTED[SQUARE]
    assert asked == COMPLETIONS[-2:], "only what the engine had not handed out is asked for again"
    assert early.take_share() == 6 / 8
    assert early.take_share() is None


def test_the_verdicts_are_there_when_the_last_completion_is(judge: JudgeBeside, late: Any) -> None:
    early = EarlyVerdicts(judge, _text)
    outputs = [_output(prompt, text) for prompt in ([1, 2], [3]) for text in COMPLETIONS]
    _drawn(early, Engine(outputs), len(outputs))
    for pending, _ in early._asked.values():
        pending.result(60)
    began = time.perf_counter()
    given = with_early_verdicts(early, late[0])(**_batch([DOUBLE, SQUARE]))
    assert time.perf_counter() - began < 0.05
    assert given == EXPECTED[DOUBLE] + EXPECTED[SQUARE]
    assert late[1] == []


def test_what_a_server_draws_is_judged_prompt_by_prompt_and_stays_in_its_order(judge: JudgeBeside, late: Any) -> None:
    reward, asked = late
    early, client = EarlyVerdicts(judge, _text), ServersClient()
    whole = client.generate(prompts=[[1, 2], [3]], n=len(COMPLETIONS))
    early.begin([[1, 2], [3]], [DOUBLE, SQUARE])
    early.watch_server(client)
    assert client.generate(prompts=[[1, 2], [3]], n=len(COMPLETIONS), features=None) == whole
    assert sorted(client.asked[1:]) == [[[1, 2]], [[3]]]
    rewards = with_early_verdicts(early, reward)(**_batch([DOUBLE, SQUARE]))
    assert rewards == EXPECTED[DOUBLE] + EXPECTED[SQUARE]
    assert asked == []
    assert early.take_share() == 1.0


def test_equal_completions_are_asked_for_once_and_prompts_of_others_not_at_all(judge: JudgeBeside) -> None:
    early = EarlyVerdicts(judge, _text)
    early.begin([[1, 2]], [DOUBLE])
    early.ended([_output([1, 2], COMPLETIONS[0]), _output([1, 2], COMPLETIONS[0]), _output([7], COMPLETIONS[0])])
    early.ended([_output([1, 2], COMPLETIONS[0])])
    assert len(early._asked) == 1
    early.begin([[1, 2]], [SQUARE])
    assert early._asked == {}, "a new batch begins with nothing asked"


def test_a_helper_that_died_costs_no_reward(judge: JudgeBeside, late: Any) -> None:
    reward, asked = late
    early = EarlyVerdicts(judge, _text)
    os.kill(judge._process.pid, signal.SIGKILL)
    judge._process.wait()
    outputs = [_output([1, 2], text) for text in COMPLETIONS]
    early.begin([[1, 2]], [DOUBLE])
    early.ended(outputs)
    assert with_early_verdicts(early, reward)(**_batch([DOUBLE])) == EXPECTED[DOUBLE]
    assert asked == COMPLETIONS


def test_tests_that_cannot_be_are_heard_of_from_the_trainers_own_question(judge: JudgeBeside, late: Any) -> None:
    early = EarlyVerdicts(judge, _text)
    early.begin([[1, 2]], ["[]"])
    early.ended([_output([1, 2], COMPLETIONS[0])])
    batch = {name: values[:1] for name, values in _batch(["[]"]).items()}
    with pytest.raises(Exception, match="no tests"):
        with_early_verdicts(early, late[0])(**batch)
