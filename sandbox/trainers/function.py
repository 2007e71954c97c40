"""Request the rewards of a batch of completions through a client. All trainer adapters use this module.

reward = RewardFunction(Client(), {"policy": "fraction"})
reward(["```python\\nprint(42)\\n```"], [[{"input": "", "output": "42\\n"}]])  # [1.0]
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Protocol, cast

from sandbox.errors import InfrastructureError, Refused
from sandbox.rewards.extraction import Completion
from sandbox.schema.reward import RewardRequest, RewardResult
from sandbox.trainers.lazy_clients import LazyAsyncClient, LazyClient
from sandbox.trainers.missing_rewards import is_unusable as is_unusable
from sandbox.trainers.missing_rewards import require_result_rewards as require_result_rewards
from sandbox.trainers.missing_rewards import require_rewards as require_rewards
from sandbox.trainers.outage import OutagePolicy, OutageTracker, probe_service
from sandbox.trainers.reward_batch import RewardBatch
from sandbox.trainers.reward_request import RewardOptions as RewardOptions
from sandbox.trainers.reward_request import build_reward_request as build_reward_request

_SAMPLE_TEST = {"input": "", "output": ""}


class Verifier(Protocol):
    """The method of `sandbox.client.Client` that a reward function needs."""

    def reward(self, request: RewardRequest) -> RewardResult: ...


class AsyncVerifier(Protocol):
    """The method of `sandbox.client.AsyncClient` that a reward function needs."""

    async def reward(self, request: RewardRequest) -> RewardResult: ...


class _RewardFunctionBase:
    """Checks the options and tracks outages for both reward functions."""

    def __init__(self, client: object, options: RewardOptions | None) -> None:
        """Check the options. Raises BadRequest for invalid ones, and InfrastructureError if no service answers."""
        policy, fields = OutagePolicy.split_options(options or {})
        self._options = cast(RewardOptions, fields)
        build_reward_request(["-"], [[_SAMPLE_TEST]], self._options)
        url = str(getattr(client, "url", "its URL"))
        self._outages = OutageTracker(policy, url)
        if policy.check_service and isinstance(client, LazyClient | LazyAsyncClient):
            probe_service(url)


class RewardFunction(_RewardFunctionBase):
    """Returns rewards in the order of the completions, with None where the infrastructure failed.

    Each entry of `tests` may have any format that `case_formats.read_tests` reads. An entry in an unknown format gets
    the reward None and a detail that says why. Raises BadRequest for invalid options, or if none of the tests can be
    read.
    """

    def __init__(self, client: Verifier, options: RewardOptions | None = None) -> None:
        super().__init__(client, options)
        self._client = client

    def __call__(self, completions: Sequence[Completion], tests: Sequence[Any], **given: Any) -> list[float | None]:
        return self.judge(completions, tests, **given).rewards

    def judge(self, completions: Sequence[Completion], tests: Sequence[Any], **given: Any) -> RewardResult:
        """Return rewards with their details; `given` holds more `RewardRequest` fields, such as weights or lengths."""
        result = self._fetch_result(build_reward_request(completions, tests, self._options, **given))
        self._outages.record_rewards(result.rewards)
        return result

    def _fetch_result(self, request: RewardRequest) -> RewardResult:
        batch, patience = RewardBatch(request), self._outages.start_batch()
        while part := batch.select_next():
            try:
                batch.record_answer(self._client.reward(part))
            except (Refused, InfrastructureError) as error:
                pause_s = patience.compute_pause_s(error)
                if pause_s is None:
                    batch.give_up(error)
                    break
                time.sleep(pause_s)
            else:
                patience.record_answer()
        return batch.build_result()


class AsyncRewardFunction(_RewardFunctionBase):
    """The asyncio version of `RewardFunction`."""

    def __init__(self, client: AsyncVerifier, options: RewardOptions | None = None) -> None:
        super().__init__(client, options)
        self._client = client

    async def __call__(
        self, completions: Sequence[Completion], tests: Sequence[Any], **given: Any
    ) -> list[float | None]:
        return (await self.judge(completions, tests, **given)).rewards

    async def judge(self, completions: Sequence[Completion], tests: Sequence[Any], **given: Any) -> RewardResult:
        """Return rewards with their details; `given` holds more `RewardRequest` fields, such as weights or lengths."""
        result = await self._fetch_result(build_reward_request(completions, tests, self._options, **given))
        self._outages.record_rewards(result.rewards)
        return result

    async def _fetch_result(self, request: RewardRequest) -> RewardResult:
        batch, patience = RewardBatch(request), self._outages.start_batch()
        while part := batch.select_next():
            try:
                batch.record_answer(await self._client.reward(part))
            except (Refused, InfrastructureError) as error:
                pause_s = patience.compute_pause_s(error)
                if pause_s is None:
                    batch.give_up(error)
                    break
                await asyncio.sleep(pause_s)
            else:
                patience.record_answer()
        return batch.build_result()
