"""Rewards for rLLM: a reward function for its environments and workflows.

    reward_fn = rllm_reward(policy="fraction")    # reward_fn(task_info, action) -> RewardOutput

rLLM cannot drop a sample, so a missing reward raises unless `missing` sets the value to use instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Unpack

from sandbox.errors import BadRequest
from sandbox.trainers.function import RewardFunction, RewardOptions, Verifier, require_result_rewards
from sandbox.trainers.lazy_clients import LazyClient
from sandbox.trainers.reward_metrics import measure_sample


def rllm_reward(
    url: str | None = None,
    *,
    column: str = "ground_truth",
    missing: float | None = None,
    client: Verifier | None = None,
    **options: Unpack[RewardOptions],
) -> Callable[[Mapping[str, Any], Any], Any]:
    """Return a function that builds rLLM's RewardOutput. The task's `column` holds the tests, `question` the prompt.

    The metadata of the output are the numbers of `reward_metrics`. The function raises InfrastructureError.
    """
    reward = RewardFunction(client or LazyClient(url), options)
    reward_output = import_module("rllm.rewards.reward_types").RewardOutput

    def reward_fn(task_info: Mapping[str, Any], action: Any) -> Any:
        if column not in task_info:
            raise BadRequest(f"the task has no field {column!r}; set column= to one of {sorted(task_info)}", column)
        completion = getattr(action, "action", action)  # an Action of rLLM, or its text
        result = reward.judge([completion], [task_info[column]], prompts=[task_info.get("question")])
        return reward_output(
            reward=require_result_rewards(result, missing)[0],
            is_correct=result.details[0].accepted,
            metadata=measure_sample(result.rewards[0], result.details[0]),
        )

    return reward_fn
