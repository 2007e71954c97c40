"""How a GRPO job's completions are judged, as plain values: they go to another process as JSON, or in its settings."""

from __future__ import annotations

import dataclasses
from typing import Any

from sandbox.schema.gpu import GrpoRequest


def build_reward_options(request: GrpoRequest) -> dict[str, Any]:
    """Options of the reward functions (`sandbox.trainers.function.Options`)."""
    policy = dataclasses.asdict(request.policy)
    return {
        "policy": {name: value for name, value in policy.items() if value is not None},
        "checker": request.checker.model_dump(mode="json", exclude_none=True),
        "language": request.language,
        "limits": request.limits.model_dump(mode="json", exclude_none=True),
    }
