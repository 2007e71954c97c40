"""Rewards for NeMo-RL: an environment with one turn, whose reward is that of the program in the answer.

    @ray.remote
    class CodeEnvironment(SandboxEnvironment, EnvironmentInterface): ...

NeMo-RL cannot drop a sample, so a missing reward raises unless `missing` sets the value to use instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from sandbox.errors import BadRequest
from sandbox.schema.reward import RewardDetail, RewardResult
from sandbox.trainers.function import RewardFunction, Verifier, require_result_rewards
from sandbox.trainers.lazy_clients import LazyClient
from sandbox.trainers.reward_metrics import classify_sample, measure_batch

Message = Mapping[str, Any]


class SandboxEnvironment:
    """The methods of NeMo-RL's EnvironmentInterface. Derive a class from this one and from it, in this order."""

    def __init__(self, cfg: Mapping[str, Any] | None = None, *, client: Verifier | None = None) -> None:
        """Take `url`, `missing` and the options of a reward function from the environment's configuration."""
        options = dict(cfg or {})
        url, self._missing = options.pop("url", None), options.pop("missing", None)
        self._reward = RewardFunction(client or LazyClient(url), options)  # type: ignore[arg-type]  # checked there
        self._rewards: list[float | None] = []
        self._details: list[RewardDetail] = []

    def step(self, message_log_batch: Sequence[Sequence[Message]], metadata: list[Mapping[str, Any]]) -> Any:
        """Return NeMo-RL's EnvironmentReturn for a batch of conversations; all of them end.

        The tests are `ground_truth` in the metadata. Raises BadRequest if it is missing, and InfrastructureError.
        """
        if not all("ground_truth" in each for each in metadata):
            raise BadRequest("the metadata have no ground_truth, which holds the tests", "ground_truth")
        chats = [[_to_plain_message(message) for message in log] for log in message_log_batch]
        result = self._reward.judge(
            chats, [each["ground_truth"] for each in metadata], prompts=[chat[:-1] for chat in chats]
        )
        self._rewards += result.rewards
        self._details += result.details
        values = require_result_rewards(result, self._missing)
        torch, interfaces = import_module("torch"), import_module("nemo_rl.environments.interfaces")
        rewards = torch.tensor(values, dtype=torch.float32)
        return interfaces.EnvironmentReturn(
            observations=[
                {"role": "environment", "content": f"Environment: {classify_sample(reward, detail)}"}
                for reward, detail in zip(result.rewards, result.details, strict=True)
            ],
            metadata=metadata,
            next_stop_strings=[None] * len(chats),
            rewards=rewards,
            terminateds=torch.ones_like(rewards),
        )

    def global_post_process_and_metrics(self, batch: Any) -> tuple[Any, dict[str, float]]:
        """Return the batch unchanged, and the numbers of `reward_metrics` since the last call, for NeMo-RL's log."""
        metrics = measure_batch(RewardResult(rewards=self._rewards, details=self._details))
        self._rewards, self._details = [], []
        return batch, metrics


def _to_plain_message(message: Message) -> dict[str, str]:
    """Keep the text of a message, without its tensors."""
    return {"role": str(message["role"]), "content": str(message["content"])}
