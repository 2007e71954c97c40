"""Rewards for verifiers and prime-rl: functions that a Rubric calls by their parameter names.

    rubric = vf.Rubric(funcs=[verifiers_reward(policy="fraction")])
    for metric in verifiers_metrics():
        rubric.add_metric(metric)

The tests are `info["tests"]`, or else the answer. A Rubric turns an exception or a None into a reward of 0.0 and only
logs it. The group function, which is the one for training, therefore replaces a missing reward with the mean of the
group, so the sample's advantage is 0. The function for single rollouts requires a value for `missing`. Both put the
numbers of `reward_metrics` into the rollout's state, from which the metrics read them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, MutableMapping, Sequence
from typing import Any, Unpack

from sandbox.rewards.extraction import Completion
from sandbox.schema.reward import RewardResult
from sandbox.trainers.function import AsyncRewardFunction, AsyncVerifier, RewardOptions, require_rewards
from sandbox.trainers.group import fill_with_mean
from sandbox.trainers.lazy_clients import LazyAsyncClient
from sandbox.trainers.reward_metrics import METRICS, measure_sample

STATE_KEY = "sandbox_metrics"


def verifiers_reward(
    url: str | None = None, *, client: AsyncVerifier | None = None, **options: Unpack[RewardOptions]
) -> Callable[..., Coroutine[Any, Any, list[float]]]:
    """Return a group reward function. A Rubric recognizes it by the plural names of its parameters."""
    reward = AsyncRewardFunction(client or LazyAsyncClient(url), options)

    async def sandbox_reward(
        completions: Sequence[Completion],
        answers: Sequence[Any],
        infos: Sequence[Mapping[str, Any]],
        prompts: Sequence[Any] | None = None,
        states: Sequence[MutableMapping[str, Any]] = (),
    ) -> list[float]:
        tests = [_select_tests(answer, info) for answer, info in zip(answers, infos, strict=True)]
        known = None if prompts is None else _to_plain_completions(prompts)
        result = await reward.judge(_to_plain_completions(completions), tests, prompts=known)
        _record_metrics(result, states)
        return fill_with_mean(result.rewards)

    return sandbox_reward


def verifiers_rollout_reward(
    url: str | None = None, *, missing: float, client: AsyncVerifier | None = None, **options: Unpack[RewardOptions]
) -> Callable[..., Coroutine[Any, Any, float]]:
    """Return a reward function for single rollouts, such as in an evaluation; `missing` replaces a missing reward."""
    reward = AsyncRewardFunction(client or LazyAsyncClient(url), options)

    async def sandbox_reward(
        completion: Completion,
        answer: Any,
        info: Mapping[str, Any],
        prompt: Any = "",
        state: MutableMapping[str, Any] | None = None,
    ) -> float:
        tests, known = [_select_tests(answer, info)], _to_plain_completions([prompt])
        result = await reward.judge(_to_plain_completions([completion]), tests, prompts=known)
        _record_metrics(result, [] if state is None else [state])
        return require_rewards(result.rewards, missing)[0]

    return sandbox_reward


def verifiers_metrics() -> list[Callable[..., float]]:
    """Return a function for each metric, named `sandbox_<metric>`. Add them to a Rubric after its reward function."""
    return [_build_metric(name) for name in METRICS]


def _build_metric(name: str) -> Callable[..., float]:
    def metric(state: Mapping[str, Any]) -> float:
        value: float = state.get(STATE_KEY, {}).get(name, 0.0)
        return value

    metric.__name__ = f"sandbox_{name}"
    return metric


def _record_metrics(result: RewardResult, states: Sequence[MutableMapping[str, Any]]) -> None:
    for state, reward, detail in zip(states, result.rewards, result.details, strict=False):
        state[STATE_KEY] = measure_sample(reward, detail)


def _select_tests(answer: Any, info: Mapping[str, Any] | None) -> Any:
    return info["tests"] if info and "tests" in info else answer


def _to_plain_completions(completions: Sequence[Any]) -> list[Completion]:
    """Convert messages to plain mappings: newer versions of verifiers use pydantic models."""
    return [
        completion if isinstance(completion, str) else [_to_plain_message(message) for message in completion]
        for completion in completions
    ]


def _to_plain_message(message: Any) -> Mapping[str, Any]:
    plain: Mapping[str, Any] = message if isinstance(message, Mapping) else message.model_dump()
    return plain
