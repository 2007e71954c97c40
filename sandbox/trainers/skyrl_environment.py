"""Rewards for SkyRL: an environment with one turn, whose reward is that of the program in the answer.

    class CodeEnvironment(SandboxEnvironment, BaseTextEnv):
        options = {"policy": "fraction"}

    skyrl_gym.register(id="sandbox", entry_point=CodeEnvironment)

SkyRL cannot drop a sample, so a missing reward raises unless `missing` sets the value to use instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

from sandbox.errors import BadRequest
from sandbox.trainers.function import RewardFunction, RewardOptions, Verifier, require_result_rewards
from sandbox.trainers.lazy_clients import LazyClient
from sandbox.trainers.reward_metrics import measure_sample

_get_lazy_client = cache(LazyClient)


class SandboxEnvironment:
    """The methods of SkyRL's BaseTextEnv. Derive a class from this one and from BaseTextEnv, in this order."""

    url: ClassVar[str | None] = None
    missing: ClassVar[float | None] = None
    options: ClassVar[RewardOptions] = {}
    client: ClassVar[Verifier | None] = None

    def __init__(self, env_config: object = None, extras: Mapping[str, Any] | None = None) -> None:
        """Take the tests from `reward_spec.ground_truth`, as SkyRL's data sets have it. Raises BadRequest."""
        super().__init__()
        spec = (extras or {}).get("reward_spec") or {}
        if "ground_truth" not in spec:
            raise BadRequest("the row has no reward_spec.ground_truth, which holds the tests", "reward_spec")
        self._tests = spec["ground_truth"]
        self._prompt: Any = None
        self._metrics: dict[str, float] = {}
        client = self.client or _get_lazy_client(self.url)
        self._reward = RewardFunction(client, {"check_service": False, **self.options})

    def init(self, prompt: Any) -> tuple[Any, dict[str, Any]]:
        """Return the conversation unchanged."""
        self._prompt = prompt
        return prompt, {}

    def step(self, action: str) -> dict[str, Any]:
        """Return SkyRL's step output for the model's answer, which ends the episode. Raises InfrastructureError."""
        result = self._reward.judge([action], [self._tests], prompts=[self._prompt])
        self._metrics = measure_sample(result.rewards[0], result.details[0])
        reward = require_result_rewards(result, self.missing)[0]
        return {"observations": [], "reward": reward, "done": True, "metadata": dict(self._metrics)}

    def get_metrics(self) -> dict[str, float]:
        """Return the numbers of `reward_metrics`, whose means SkyRL logs."""
        return self._metrics
