"""Verdicts asked for while the engine still draws the rest of a batch.

Theory of operation. vLLM's engine hands out a completion in the step that ends it, and its server those of a prompt
when they have ended; a trainer takes all of them when the last has ended, and only then asks for rewards. The service
can judge the first in the meantime. So each completion that ends goes to a process beside the trainer, which asks the
service (the trainer's own interpreter has kernels to start), and the reward function finds the answer here by the
tests, the text and its length. What it does not find it asks for itself: an engine that shows no steps, or a helper
that died, costs the overlap and nothing else.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

from sandbox.rewards.extraction import get_completion_text

REWARD_PROCESS_MODULE = "sandbox.gpu.training.reward_process"
STOP_TIMEOUT_S = 5.0

Tokens = Sequence[int]
PendingRewards = Future[list[float | None]]


@dataclass(frozen=True, slots=True)
class SampledCompletion:
    """A completion and what it is judged by: all that its reward depends on. `tests` is the data set's column."""

    tests: str
    text: str
    tokens: int


class RewardSource(Protocol):
    """Whatever answers later with rewards, in the order of what was drawn."""

    def request_rewards(self, samples: Sequence[SampledCompletion]) -> PendingRewards: ...


class RewardProcess:
    """The process that asks the service at `url`, and its answers; `options` are those of a reward function."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self._request_ids = count()
        self._pending: dict[int, PendingRewards] = {}
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", REWARD_PROCESS_MODULE, url, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._reader = threading.Thread(target=self._read_responses, name="judge-beside", daemon=True)
        self._reader.start()

    def request_rewards(self, samples: Sequence[SampledCompletion]) -> PendingRewards:
        """Rewards of these; a BrokenPipeError in place of them where the process is gone."""
        answers: PendingRewards = Future()
        number = next(self._request_ids)
        places = {tests: place for place, tests in enumerate(dict.fromkeys(one.tests for one in samples))}
        query = {
            "number": number,
            "tests": list(places),
            "drawn": [[places[one.tests], one.text, one.tokens] for one in samples],
        }
        with self._lock:
            self._pending[number] = answers
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(query).encode() + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError):
            self._fail_all()
        return answers

    def close(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()

    def _read_responses(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._resolve(json.loads(line))
        self._fail_all()

    def _resolve(self, response: dict[str, Any]) -> None:
        with self._lock:
            answers = self._pending.pop(response["number"], None)
        if answers is not None and "rewards" in response:
            answers.set_result(response["rewards"])
        elif answers is not None:
            answers.set_exception(RuntimeError(response["problem"]))

    def _fail_all(self) -> None:
        with self._lock:
            waiting, self._pending = self._pending, {}
        for answers in waiting.values():
            answers.set_exception(BrokenPipeError("the process that asks for early verdicts has ended"))


class RewardPrefetch:
    """What has been asked for of the batch that is being drawn."""

    def __init__(self, asker: RewardSource, decode: Callable[[Tokens], str]) -> None:
        self._source = asker
        self._decode = decode
        self._tests: dict[tuple[int, ...], str] = {}
        self._requested: dict[SampledCompletion, tuple[PendingRewards, int]] = {}
        self.hit_count = 0
        self.lookup_count = 0

    def begin_batch(self, prompts: Sequence[Tokens], tests: Sequence[str]) -> None:
        """A batch begins: the tests of each prompt's completions. Answers for the last batch are forgotten."""
        # Pairs that do not fit cost verdicts that nobody asks for: what is found later is found by its tests.
        self._tests = {tuple(prompt): text for prompt, text in zip(prompts, tests, strict=False)}
        self._requested.clear()

    def watch_engine(self, engine: Any) -> None:
        """From now on, look at what each step of a vLLM engine hands out."""
        step = engine.step

        def step_and_prefetch() -> Any:
            outputs = step()
            self.prefetch_outputs(output for output in outputs if output.finished)
            return outputs

        engine.step = step_and_prefetch

    def watch_server(self, client: Any) -> None:
        """From now on, TRL's client asks its server for each prompt by itself, and what comes is looked at at once."""
        generate = client.generate

        def generate_and_prefetch(prompts: Sequence[Tokens], features: Any = None, **options: Any) -> dict[str, Any]:
            if features is not None:
                return generate(prompts=prompts, features=features, **options)  # type: ignore[no-any-return]
            with ThreadPoolExecutor(max(1, len(prompts))) as threads:
                asked = {threads.submit(generate, prompts=[prompt], **options): prompt for prompt in prompts}
                for answer in as_completed(asked):
                    self._prefetch((asked[answer], tokens) for tokens in answer.result()["completion_ids"])
            return _merge_responses([answer.result() for answer in asked])

        client.generate = generate_and_prefetch

    def prefetch_outputs(self, outputs: Iterable[Any]) -> None:
        """Ask for verdicts on vLLM's finished request outputs, but on none twice."""
        self._prefetch((output.prompt_token_ids, sample.token_ids) for output in outputs for sample in output.outputs)

    def _prefetch(self, completions: Iterable[tuple[Tokens, Tokens]]) -> None:
        """Of completions with their prompts."""
        new: dict[SampledCompletion, None] = {}
        for prompt, tokens in completions:
            tests = self._tests.get(tuple(prompt))
            if tests is not None:
                new[SampledCompletion(tests, self._decode(tokens), len(tokens))] = None
        samples = [one for one in new if one not in self._requested]
        if samples:
            answers = self._source.request_rewards(samples)
            self._requested |= {one: (answers, place) for place, one in enumerate(samples)}

    def find_answers(self, samples: Sequence[SampledCompletion]) -> list[tuple[PendingRewards, int] | None]:
        """For each the answers it is among and its place there; None for one that was not asked for."""
        found = [self._requested.get(one) for one in samples]
        self.lookup_count += len(found)
        self.hit_count += sum(one is not None for one in found)
        return found

    def take_share(self) -> float | None:
        """The part of the verdicts sought since the last time this was asked that had been asked for early."""
        share = self.hit_count / self.lookup_count if self.lookup_count else None
        self.hit_count = self.lookup_count = 0
        return share


def _merge_responses(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The server's answers to single prompts as the one to all of them; what it does not tell is None."""
    return {
        name: None if first is None else [each for answer in answers for each in answer[name]]
        for name, first in answers[0].items()
    }


def wrap_with_prefetch(
    prefetch: RewardPrefetch, reward_function: Callable[..., list[float | None]]
) -> Callable[..., list[float | None]]:
    """TRL's reward function `late`, asked only for what has no early verdict."""

    def reward(
        completions: Sequence[Any], completion_ids: Sequence[Tokens], tests: Sequence[str], **columns: Any
    ) -> list[float | None]:
        del columns  # the tests say it all
        samples = [
            SampledCompletion(text, get_completion_text(completion), len(ids))
            for completion, ids, text in zip(completions, completion_ids, tests, strict=True)
        ]
        rewards: list[float | None] = [None] * len(samples)
        found = prefetch.find_answers(samples)

        def ask_now(places: Sequence[int]) -> None:
            if places:
                requested = reward_function(
                    completions=[completions[place] for place in places],
                    completion_ids=[completion_ids[place] for place in places],
                    tests=[tests[place] for place in places],
                )
                for place, value in zip(places, requested, strict=True):
                    rewards[place] = value

        ask_now([place for place, one in enumerate(found) if one is None])
        lost = []
        for place, one in enumerate(found):
            if one is not None:
                try:
                    rewards[place] = one[0].result()[one[1]]
                except (RuntimeError, OSError):
                    lost.append(place)
        ask_now(lost)
        return rewards

    return reward
