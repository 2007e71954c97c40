"""The reward options of a GRPO job as plain values, to pass to another process as JSON or as settings."""

from __future__ import annotations

import dataclasses
from typing import Any

from sandbox.schema.gpu import GrpoRequest


def build_reward_options(request: GrpoRequest) -> dict[str, Any]:
    """Return the options of the reward functions (`sandbox.trainers.function.RewardOptions`)."""
    policy = dataclasses.asdict(request.policy)
    return {
        "policy": {name: value for name, value in policy.items() if value is not None},
        "checker": request.checker.model_dump(mode="json", exclude_none=True),
        "language": request.language,
        "limits": request.limits.model_dump(mode="json", exclude_none=True),
        **({} if request.stop_after_timeouts is None else {"stop_after_timeouts": request.stop_after_timeouts}),
        **({"environment": request.environment} if request.environment else {}),
    }
