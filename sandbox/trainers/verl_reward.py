"""Rewards for verl: `compute_score` for its reward loop, `compute_score_batch` for batch managers up to verl 0.7.

    reward.custom_reward_function.path=pkg://sandbox.trainers.verl_reward
    reward.custom_reward_function.name=compute_score
    +reward.custom_reward_function.reward_kwargs.url=http://127.0.0.1:8080
    +reward.custom_reward_function.reward_kwargs.policy=x-coder

A missing reward raises, unless `missing` sets the value to use instead. After the error, verl 0.9 trains without that
completion; older versions stop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Unpack

from sandbox.schema.reward import RewardResult
from sandbox.trainers.function import (
    AsyncRewardFunction,
    AsyncVerifier,
    RewardFunction,
    RewardOptions,
    Verifier,
    require_result_rewards,
)
from sandbox.trainers.lazy_clients import LazyAsyncClient, LazyClient
from sandbox.trainers.reward_metrics import measure_sample

_get_lazy_client = cache(LazyClient)
_get_lazy_async_client = cache(LazyAsyncClient)


async def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    *,
    url: str | None = None,
    missing: float | None = None,
    client: AsyncVerifier | None = None,
    reward_router_address: object = None,
    reward_model_tokenizer: object = None,
    **options: Unpack[RewardOptions],
) -> dict[str, float]:
    """Return the score of one solution: {score, acc, passed, total, answered}, and its numbers from `reward_metrics`.

    verl keeps all of them as extra information about the sample, and reports their means in validation. Raises
    InfrastructureError.
    """
    reward = AsyncRewardFunction(client or _get_lazy_async_client(url), {"check_service": False, **options})
    return _build_scores(
        await reward.judge([solution_str], [ground_truth], prompts=_find_prompts([extra_info])), missing
    )[0]


def compute_score_batch(
    data_sources: Sequence[str],
    solution_strs: Sequence[str],
    ground_truths: Sequence[Any],
    extra_infos: Sequence[Mapping[str, Any] | None] | None = None,
    *,
    url: str | None = None,
    missing: float | None = None,
    client: Verifier | None = None,
    **options: Unpack[RewardOptions],
) -> list[dict[str, float]]:
    """Return the scores of a batch in order, from a single request. Raises InfrastructureError."""
    reward = RewardFunction(client or _get_lazy_client(url), {"check_service": False, **options})
    prompts = None if extra_infos is None else _find_prompts(extra_infos)
    return _build_scores(reward.judge(solution_strs, ground_truths, prompts=prompts), missing)


def _find_prompts(extra_infos: Sequence[Mapping[str, Any] | None]) -> list[Any]:
    """Return the prompts if the data set keeps them in `extra_info`; verl does not pass them on."""
    return [(info.get("prompt") or info.get("question")) if info else None for info in extra_infos]


def _build_scores(result: RewardResult, missing: float | None) -> list[dict[str, float]]:
    return [
        {
            "score": score,
            "acc": float(0 < detail.total == detail.passed),
            "passed": float(detail.passed),
            "total": float(detail.total),
            "answered": float(detail.answered),
            **measure_sample(reward, detail),
        }
        for score, reward, detail in zip(
            require_result_rewards(result, missing), result.rewards, result.details, strict=True
        )
    ]
