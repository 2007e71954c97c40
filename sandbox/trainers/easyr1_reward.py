"""Rewards for EasyR1: `compute_score` for both of its reward types.

    worker.reward.reward_function=./reward.py:compute_score    # a file that imports it from here
    worker.reward.reward_function_kwargs={policy: fraction}

EasyR1 trains on `overall` and logs the mean of every other number. It cannot drop a sample, so a missing reward raises
unless `missing` sets the value to use instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Unpack

from sandbox.trainers.function import RewardFunction, RewardOptions, Verifier, require_result_rewards
from sandbox.trainers.lazy_clients import LazyClient
from sandbox.trainers.reward_metrics import measure_sample

Score = dict[str, float]

_get_lazy_client = cache(LazyClient)


def compute_score(
    reward_inputs: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    url: str | None = None,
    missing: float | None = None,
    client: Verifier | None = None,
    **options: Unpack[RewardOptions],
) -> Score | list[Score]:
    """Return {overall, accuracy, format, ...} for an input {response, response_length, ground_truth}, or for a list.

    The ground truth holds the tests. `accuracy` is 1 if all of them passed, and `format` is 1 for an answer with code.
    Raises InfrastructureError.
    """
    inputs = [reward_inputs] if isinstance(reward_inputs, Mapping) else reward_inputs
    reward = RewardFunction(client or _get_lazy_client(url), {"check_service": False, **options})
    result = reward.judge(
        [each["response"] for each in inputs],
        [each["ground_truth"] for each in inputs],
        lengths=[each["response_length"] for each in inputs]
        if all("response_length" in each for each in inputs)
        else None,
    )
    scores = [
        {
            "overall": overall,
            "accuracy": float(detail.accepted),
            "format": float(detail.answered),
            **measure_sample(value, detail),
        }
        for overall, value, detail in zip(
            require_result_rewards(result, missing), result.rewards, result.details, strict=True
        )
    ]
    return scores[0] if isinstance(reward_inputs, Mapping) else scores
