"""The state of one batch of completions across the requests for its rewards."""

from __future__ import annotations

import logging

from sandbox.errors import InfrastructureError
from sandbox.runner.contract import Verdict
from sandbox.schema.reward import RewardDetail, RewardRequest, RewardResult
from sandbox.trainers.missing_rewards import is_unusable

logger = logging.getLogger(__name__)

ATTEMPTS = 3
_NO_ANSWER = RewardDetail(answered=False, verdict=Verdict.INTERNAL_ERROR, message="the service did not answer")


class RewardBatch:
    """Collects rewards. A completion whose reward is missing because the service failed is requested again."""

    def __init__(self, request: RewardRequest) -> None:
        self._request = request
        count = len(request.completions)
        self._rewards: list[float | None] = [None] * count
        self._details = [_NO_ANSWER] * count
        self._left = list(range(count))
        self._attempts = 0

    def select_next(self) -> RewardRequest | None:
        """Return a request for the missing rewards, or None if no rewards are missing or no attempts are left."""
        if not self._left or self._attempts == ATTEMPTS:
            return None
        return self._request if len(self._left) == len(self._rewards) else self._request.select(self._left)

    def record_answer(self, result: RewardResult) -> None:
        """Record the answer to the last request. Raises InfrastructureError if it is not for that request."""
        if len(result.rewards) != len(self._left):
            raise InfrastructureError(f"{len(result.rewards)} rewards for {len(self._left)} completions")
        self._attempts += 1
        for index, reward, detail in zip(self._left, result.rewards, result.details, strict=True):
            self._rewards[index], self._details[index] = reward, detail
        self._left = [
            index
            for index in self._left
            if self._rewards[index] is None and not is_unusable(None, self._details[index])
        ]

    def give_up(self, error: Exception) -> None:
        """Stop asking for the missing rewards, which stay None."""
        logger.warning("%d completions have no reward: %s", len(self._left), error)

    def build_result(self) -> RewardResult:
        if self._left:
            logger.warning("%d of %d rewards are None: infrastructure failure", len(self._left), len(self._rewards))
        return RewardResult(rewards=self._rewards, details=self._details)
