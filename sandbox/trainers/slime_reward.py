"""Rewards for slime: `custom_rm` for a sample or a group, and the request and response of `remote_rm`.

    # my_reward.py, for --custom-rm-path my_reward.custom_rm
    from sandbox.trainers.slime_reward import slime_reward
    custom_rm = slime_reward(policy="fraction")

A sample without a reward is marked `remove_sample`, which keeps it out of slime's loss. In a group (`--group-rm`) it
gets the mean of the others, so their baseline does not change. A single sample without a reward raises, unless
`missing` sets the value to use instead.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol, Unpack

from sandbox.schema.reward import RewardRequest, RewardResult
from sandbox.trainers.function import (
    AsyncRewardFunction,
    AsyncVerifier,
    RewardOptions,
    build_reward_request,
    require_result_rewards,
)
from sandbox.trainers.group import fill_with_mean
from sandbox.trainers.lazy_clients import LazyAsyncClient


class Sample(Protocol):
    """The fields of slime's Sample that this module uses. `label` holds the tests; `prompt` is read if present."""

    response: str
    label: Any
    remove_sample: bool


def slime_reward(
    url: str | None = None,
    *,
    missing: float | None = None,
    client: AsyncVerifier | None = None,
    **options: Unpack[RewardOptions],
) -> Callable[..., Coroutine[Any, Any, float | list[float]]]:
    """Return a `custom_rm(args, sample)` that also accepts a list of samples, and then returns a list."""
    reward = AsyncRewardFunction(client or LazyAsyncClient(url), options)

    async def custom_rm(args: object, samples: Sample | Sequence[Sample], **_: object) -> float | list[float]:
        group = list(samples) if isinstance(samples, Sequence) else [samples]
        prompts = [getattr(sample, "prompt", None) for sample in group]
        responses, labels = [sample.response for sample in group], [sample.label for sample in group]
        result = await reward.judge(responses, labels, prompts=prompts)
        for sample, value in zip(group, result.rewards, strict=True):
            if value is None:
                sample.remove_sample = True
        if isinstance(samples, Sequence):
            return fill_with_mean(result.rewards) if missing is None else require_result_rewards(result, missing)
        return require_result_rewards(result, missing)[0]

    return custom_rm


def slime_request(body: Mapping[str, Any], options: RewardOptions | None = None) -> RewardRequest:
    """Build a reward request from slime's HTTP body {prompt, response, label}. Raises BadRequest."""
    return build_reward_request(
        [body.get("response")], [body.get("label")], options or {}, prompts=[body.get("prompt")]
    )


def slime_answer(result: RewardResult, missing: float | None = None) -> float:
    """Return the HTTP response for slime. Raises InfrastructureError, which makes the client retry."""
    return require_result_rewards(result, missing)[0]
