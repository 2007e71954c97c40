"""Verdicts requested while other completions are still generated: the same rewards, earlier, and never required."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.client import Client
from sandbox.gpu.training.reward_prefetch import (
    EarlyShares,
    PendingRewards,
    RewardPrefetch,
    RewardProcess,
    SampledCompletion,
    wrap_with_prefetch,
)
from sandbox.trainers.trl_reward import trl_reward

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]
OPTIONS: dict[str, Any] = {"policy": {"name": "fraction"}, "language": "python", "limits": {"cpu_time_s": 1.0}}
DOUBLE = json.dumps([{"stdin": "2\n", "expected": "4\n"}, {"stdin": "5\n", "expected": "10\n"}])
SQUARE = json.dumps([{"stdin": "2\n", "expected": "4\n"}, {"stdin": "5\n", "expected": "25\n"}])
TEXTS = ["print(int(input()) * 2)", "print(int(input()) ** 2)", "print(4)", "no code at all"]
COMPLETIONS = [text if text.startswith("no") else f"```python\n{text}\n```" for text in TEXTS]
EXPECTED = {DOUBLE: [1.0, 0.5, 0.5, 0.0], SQUARE: [0.5, 1.0, 0.5, 0.0]}

Reward = Callable[..., list[float | None]]


class FakeEngine:
    """Returns one request per step, like vLLM's engine. Tokens are character codes."""

    def __init__(self, outputs: Sequence[Any]) -> None:
        self._outputs = list(outputs)

    def step(self) -> list[Any]:
        unfinished = SimpleNamespace(finished=False, prompt_token_ids=[9], outputs=[])
        return [self._outputs.pop(0), unfinished]


class FakeServerClient:
    """Returns completions in turn for each prompt, like TRL's client of a server; the last prompt's arrive first."""

    def __init__(self) -> None:
        self.requests: list[tuple[list[list[int]], int]] = []
        self._lock = threading.Lock()

    def generate(self, prompts: list[list[int]], n: int, features: Any = None, **options: Any) -> dict[str, Any]:
        time.sleep(0.2 if prompts == [[1, 2]] else 0.0)
        with self._lock:
            start = sum(count for asked, count in self.requests if asked == prompts)
            self.requests.append((prompts, n))
        texts = [COMPLETIONS[place % len(COMPLETIONS)] for _ in prompts for place in range(start, start + n)]
        return {"prompt_ids": prompts, "completion_ids": [_encode(text) for text in texts], "logprobs": None}


@pytest.fixture
def judge(url: str) -> Iterator[RewardProcess]:
    judge = RewardProcess(url, OPTIONS)
    yield judge
    judge.close()


@pytest.fixture
def late(url: str) -> Iterator[tuple[Reward, list[str]]]:
    """The normal reward function, and a list of the completions that it was called with."""
    asked: list[str] = []
    with Client(url) as client:
        reward = trl_reward(client=client, **OPTIONS)

        def counted(completions: Sequence[Any], **columns: Any) -> list[float | None]:
            asked.extend(completion[0]["content"] for completion in completions)
            return reward(completions=completions, **columns)

        yield counted, asked


def _encode(text: str) -> list[int]:
    return [ord(letter) for letter in text]


def _decode(tokens: Sequence[int]) -> str:
    return "".join(map(chr, tokens))


def _build_output(prompt: list[int], text: str) -> Any:
    return SimpleNamespace(
        finished=True, prompt_token_ids=prompt, outputs=[SimpleNamespace(token_ids=tuple(_encode(text)))]
    )


def _build_batch(tests: Sequence[str]) -> dict[str, Any]:
    """Return what TRL passes to a reward function: every completion for each of the tests."""
    texts = [text for _ in tests for text in COMPLETIONS]
    return {
        "prompts": [[{"role": "user", "content": "?"}]] * len(texts),
        "completions": [[{"role": "assistant", "content": text}] for text in texts],
        "completion_ids": [_encode(text) for text in texts],
        "tests": [one for one in tests for _ in COMPLETIONS],
    }


def _run_steps(prefetch: RewardPrefetch, engine: FakeEngine, steps: int) -> None:
    prefetch.begin_batch([[1, 2], [3]], [DOUBLE, SQUARE])
    prefetch.watch_engine(engine)
    for _ in range(steps):
        engine.step()


def test_what_ends_early_is_judged_early_and_the_rest_in_its_time(judge: RewardProcess, late: Any) -> None:
    reward, asked = late
    prefetch = RewardPrefetch(judge, _decode)
    outputs = [_build_output(prompt, text) for prompt in ([1, 2], [3]) for text in COMPLETIONS]
    _run_steps(prefetch, FakeEngine(outputs), len(outputs) - 2)
    given = wrap_with_prefetch(prefetch, reward)(**_build_batch([DOUBLE, SQUARE]))
    assert given == EXPECTED[DOUBLE] + EXPECTED[SQUARE]
    assert asked == COMPLETIONS[-2:], "only what the engine had not handed out is asked for again"
    shares = prefetch.take_shares()
    assert shares is not None
    assert shares.answered <= shares.asked == 6 / 8
    assert prefetch.take_shares() is None


def test_the_verdicts_are_there_when_the_last_completion_is(judge: RewardProcess, late: Any) -> None:
    prefetch = RewardPrefetch(judge, _decode)
    outputs = [_build_output(prompt, text) for prompt in ([1, 2], [3]) for text in COMPLETIONS]
    _run_steps(prefetch, FakeEngine(outputs), len(outputs))
    for pending, _ in prefetch._requested.values():
        pending.result(60)
    began = time.perf_counter()
    given = wrap_with_prefetch(prefetch, late[0])(**_build_batch([DOUBLE, SQUARE]))
    assert time.perf_counter() - began < 0.05
    assert given == EXPECTED[DOUBLE] + EXPECTED[SQUARE]
    assert late[1] == []
    assert prefetch.take_shares() == EarlyShares(answered=1.0, asked=1.0)


class PendingSource:
    """A source whose answers have not arrived yet."""

    def request_rewards(self, samples: Sequence[SampledCompletion]) -> PendingRewards:
        return Future()


def test_a_verdict_that_was_only_asked_for_is_not_early() -> None:
    prefetch = RewardPrefetch(PendingSource(), _decode)
    _run_steps(prefetch, FakeEngine([_build_output([1, 2], COMPLETIONS[0])]), 1)
    samples = [SampledCompletion(DOUBLE, text, len(text)) for text in COMPLETIONS[:2]]
    assert [found is None for found in prefetch.find_answers(samples)] == [False, True]
    assert prefetch.take_shares() == EarlyShares(answered=0.0, asked=0.5)


@pytest.mark.parametrize(("options", "count", "size"), [({}, 4, 1), ({"generation_kwargs": {"seed": 1}}, 1, 4)])
def test_a_server_is_asked_for_each_completion_and_its_answers_keep_their_order(
    judge: RewardProcess, late: Any, options: dict[str, Any], count: int, size: int
) -> None:
    reward, asked = late
    prefetch, client = RewardPrefetch(judge, _decode), FakeServerClient()
    number = len(COMPLETIONS)
    prefetch.begin_batch([[1, 2], [3]], [DOUBLE, SQUARE])
    prefetch.watch_server(client)
    answer = client.generate(prompts=[[1, 2], [3]], n=number, features=None, **options)
    assert (answer["prompt_ids"], answer["logprobs"]) == ([[1, 2], [3]], None)
    drawn = ["".join(map(chr, tokens)) for tokens in answer["completion_ids"]]
    assert [sorted(drawn[:number]), sorted(drawn[number:])] == [sorted(COMPLETIONS)] * 2
    assert sorted(client.requests) == [([[1, 2]], size)] * count + [([[3]], size)] * count
    rewards = wrap_with_prefetch(prefetch, reward)(**_build_batch([DOUBLE, SQUARE]))
    assert rewards == EXPECTED[DOUBLE] + EXPECTED[SQUARE]
    assert asked == []
    shares = prefetch.take_shares()
    assert shares is not None
    assert shares.asked == 1.0


def test_equal_completions_are_asked_for_once_and_prompts_of_others_not_at_all(judge: RewardProcess) -> None:
    prefetch = RewardPrefetch(judge, _decode)
    prefetch.begin_batch([[1, 2]], [DOUBLE])
    prefetch.prefetch_outputs(
        [
            _build_output([1, 2], COMPLETIONS[0]),
            _build_output([1, 2], COMPLETIONS[0]),
            _build_output([7], COMPLETIONS[0]),
        ]
    )
    prefetch.prefetch_outputs([_build_output([1, 2], COMPLETIONS[0])])
    assert len(prefetch._requested) == 1
    prefetch.begin_batch([[1, 2]], [SQUARE])
    assert prefetch._requested == {}, "a new batch begins with nothing asked"


def test_a_helper_that_died_costs_no_reward(judge: RewardProcess, late: Any) -> None:
    reward, asked = late
    prefetch = RewardPrefetch(judge, _decode)
    os.kill(judge._process.pid, signal.SIGKILL)
    judge._process.wait()
    outputs = [_build_output([1, 2], text) for text in COMPLETIONS]
    prefetch.begin_batch([[1, 2]], [DOUBLE])
    prefetch.prefetch_outputs(outputs)
    assert wrap_with_prefetch(prefetch, reward)(**_build_batch([DOUBLE])) == EXPECTED[DOUBLE]
    assert asked == COMPLETIONS


def test_tests_that_cannot_be_are_heard_of_from_the_trainers_own_question(judge: RewardProcess, late: Any) -> None:
    prefetch = RewardPrefetch(judge, _decode)
    prefetch.begin_batch([[1, 2]], ["[]"])
    prefetch.prefetch_outputs([_build_output([1, 2], COMPLETIONS[0])])
    batch = {name: values[:1] for name, values in _build_batch(["[]"]).items()}
    with pytest.raises(Exception, match="no tests"):
        wrap_with_prefetch(prefetch, late[0])(**batch)
