"""Request verdicts while the engine still generates the rest of a batch.

Theory of operation. vLLM's engine returns a completion in the step that finishes it, and vLLM's server returns those of
a request when all of them are finished, so each completion is requested by itself. A trainer, however, waits for the
whole batch before it asks for rewards. The service could judge the first completions in the meantime. So each finished
completion goes to a separate process, which requests its reward; the trainer's own interpreter is busy launching
kernels. The reward function then finds the answer here by the tests, the text and its length, and requests whatever is
missing itself. If the engine's steps cannot be observed, or the process dies, rewards still arrive, only later.
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
MAX_REQUESTS = 256

Tokens = Sequence[int]
PendingRewards = Future[list[float | None]]


@dataclass(frozen=True, slots=True)
class SampledCompletion:
    """A completion and its tests, which together determine its reward. `tests` is the data set's column."""

    tests: str
    text: str
    tokens: int


class RewardSource(Protocol):
    """Returns futures of rewards, in the order of the samples."""

    def request_rewards(self, samples: Sequence[SampledCompletion]) -> PendingRewards: ...


class RewardProcess:
    """A process that requests rewards from the service at `url`; `options` are those of a reward function."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self._request_ids = count()
        self._pending: dict[int, PendingRewards] = {}
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", REWARD_PROCESS_MODULE, url, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._reader = threading.Thread(target=self._read_responses, name="reward-process", daemon=True)
        self._reader.start()

    def request_rewards(self, samples: Sequence[SampledCompletion]) -> PendingRewards:
        """Request rewards. The future raises BrokenPipeError if the process is gone."""
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
            answers.set_exception(BrokenPipeError("the reward process has ended"))


@dataclass(frozen=True, slots=True)
class EarlyShares:
    """The shares of a step's verdicts that had arrived, and that were under way, when its last completion ended."""

    answered: float
    asked: float


class RewardPrefetch:
    """The rewards requested so far for the batch that is being generated."""

    def __init__(self, asker: RewardSource, decode: Callable[[Tokens], str]) -> None:
        self._source = asker
        self._decode = decode
        self._tests: dict[tuple[int, ...], str] = {}
        self._requested: dict[SampledCompletion, tuple[PendingRewards, int]] = {}
        self._lookup_count = 0
        self._asked_count = 0
        self._answered_count = 0

    def begin_batch(self, prompts: Sequence[Tokens], tests: Sequence[str]) -> None:
        """Begin a batch: set the tests of each prompt's completions, and forget the answers for the last batch."""
        # A wrong pairing only costs unused verdicts, because answers are looked up by their tests.
        self._tests = {tuple(prompt): text for prompt, text in zip(prompts, tests, strict=False)}
        self._requested.clear()

    def watch_engine(self, engine: Any) -> None:
        """Wrap the step function of a vLLM engine, to request rewards for the completions that each step finishes."""
        step = engine.step

        def step_and_prefetch() -> Any:
            outputs = step()
            self.prefetch_outputs(output for output in outputs if output.finished)
            return outputs

        engine.step = step_and_prefetch

    def watch_server(self, client: Any) -> None:
        """Wrap TRL's client, to request each completion separately and its reward as soon as it arrives.

        With a seed, all completions of a prompt come from one request, because they would be equal otherwise.
        """
        generate = client.generate

        def generate_and_prefetch(
            prompts: Sequence[Tokens], features: Any = None, n: int = 1, **options: Any
        ) -> dict[str, Any]:
            if features is not None:
                return generate(prompts=prompts, features=features, n=n, **options)  # type: ignore[no-any-return]
            times, size = (1, n) if "seed" in (options.get("generation_kwargs") or {}) else (n, 1)
            with ThreadPoolExecutor(max(1, min(MAX_REQUESTS, len(prompts) * times))) as threads:
                asked = {
                    threads.submit(generate, prompts=[prompt], n=size, **options): prompt
                    for prompt in prompts
                    for _ in range(times)
                }
                for answer in as_completed(asked):
                    self._prefetch((asked[answer], tokens) for tokens in answer.result()["completion_ids"])
            merged = _merge_responses([answer.result() for answer in asked])
            return {**merged, "prompt_ids": merged["prompt_ids"][::times]}

        client.generate = generate_and_prefetch

    def prefetch_outputs(self, outputs: Iterable[Any]) -> None:
        """Request verdicts on vLLM's finished outputs, each only once."""
        self._prefetch((output.prompt_token_ids, sample.token_ids) for output in outputs for sample in output.outputs)

    def _prefetch(self, completions: Iterable[tuple[Tokens, Tokens]]) -> None:
        """Request verdicts on pairs of prompt and completion."""
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
        """Return each sample's future and the sample's index in it, or None for a sample that was not requested."""
        found = [self._requested.get(one) for one in samples]
        self._lookup_count += len(found)
        self._asked_count += sum(one is not None for one in found)
        self._answered_count += sum(one is not None and one[0].done() for one in found)
        return found

    def take_shares(self) -> EarlyShares | None:
        """Return the shares among the samples looked up since the last call, None without any."""
        if not self._lookup_count:
            return None
        shares = EarlyShares(self._answered_count / self._lookup_count, self._asked_count / self._lookup_count)
        self._lookup_count = self._asked_count = self._answered_count = 0
        return shares


def _merge_responses(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Merge the responses to single prompts into one response. A field that is None stays None."""
    return {
        name: None if first is None else [each for answer in answers for each in answer[name]]
        for name, first in answers[0].items()
    }


def wrap_with_prefetch(
    prefetch: RewardPrefetch, reward_function: Callable[..., list[float | None]]
) -> Callable[..., list[float | None]]:
    """Return a TRL reward function that calls `reward_function` only for samples without an early verdict."""

    def reward(
        completions: Sequence[Any], completion_ids: Sequence[Tokens], tests: Sequence[str], **columns: Any
    ) -> list[float | None]:
        del columns  # the tests are sufficient
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
