"""Rewards for a trainer that does not accept None."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.errors import InfrastructureError
from sandbox.schema.reward import RewardDetail, RewardResult


def require_result_rewards(result: RewardResult, missing: float | None) -> list[float]:
    """Return a result's rewards for a trainer that does not accept None: `missing` replaces it.

    Without `missing`, a row with unusable tests gets 0, which gives its group no advantage; a failure of the service
    raises InfrastructureError.
    """
    return [
        0.0 if missing is None and is_unusable(reward, detail) else _require_reward(reward, missing)
        for reward, detail in zip(result.rewards, result.details, strict=True)
    ]


def is_unusable(reward: float | None, detail: RewardDetail) -> bool:
    """Return whether a reward is missing because the row is unusable, rather than because the service failed."""
    return reward is None and detail.verdict is None


def require_rewards(rewards: Sequence[float | None], missing: float | None) -> list[float]:
    """Return rewards for a trainer that does not accept None. Raises InfrastructureError if one is missing."""
    return [_require_reward(reward, missing) for reward in rewards]


def _require_reward(reward: float | None, missing: float | None) -> float:
    if reward is not None:
        return reward
    if missing is not None:
        return missing
    raise InfrastructureError(
        "a reward is missing because the service failed, and this trainer cannot drop the sample: check "
        "/health/ready, or set `missing=` to the reward to use instead"
    )
