"""Request verdicts on completions while others are still being generated."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.client import AsyncClient
from sandbox.errors import BadRequest, InfrastructureError, Refused
from sandbox.rewards.extraction import extract
from sandbox.rewards.policy import X_CODER_SCALE
from sandbox.schema.gpu import Verification
from sandbox.trainers.function import AsyncRewardFunction


@dataclass(frozen=True, slots=True)
class GroupVerdict:
    """The verdicts on one prompt's completions. `correct` is None for a completion without a verdict."""

    rewards: list[float | None]
    correct: list[bool | None]
    vote: dict[str, Any] | None
    judged_at: float


class CompletionJudge:
    """Judges completion groups according to the request's `verify` field."""

    def __init__(self, client: AsyncClient, verification: Verification) -> None:
        self._client = client
        self._verification = verification
        self._reward = AsyncRewardFunction(
            client,
            {
                "policy": verification.policy,
                "extract": verification.extract,
                "language": verification.language,
                "checker": verification.checker,
                "limits": verification.limits,
                "environment": verification.environment,
                "on_outage": "none",
                "most_lost_batches": 0,
            },
        )
        self._max_reward = X_CODER_SCALE if verification.policy.name == "x-coder" else 1.0

    async def judge(self, prompt: int, completions: Sequence[str]) -> GroupVerdict:
        """Judge a group. If the service fails, the verdicts are None, and no exception is raised."""
        if self._verification.vote is not None:
            return await self._vote(_select_entry(self._verification.vote, prompt), completions)
        tests = _select_entry(self._verification.tests or [], prompt)
        rewards = await self._reward(completions, [tests] * len(completions))
        right = [None if reward is None else reward >= self._max_reward for reward in rewards]
        return GroupVerdict(rewards, right, None, time.monotonic())

    def restore_verdict(self, prompt: int, verdict: GroupVerdict) -> None:
        """Do nothing: this judge keeps no state."""

    async def _vote(self, inputs: Sequence[str], completions: Sequence[str]) -> GroupVerdict:
        """Vote among the completions that contain code. The golden one's index counts all completions."""
        answers = [extract(text, self._verification.language, self._verification.extract) for text in completions]
        places = [place for place, answer in enumerate(answers) if answer is not None]
        request = {
            "candidates": [
                {"language": answer.language, "code": answer.code} for answer in answers if answer is not None
            ],
            "inputs": list(inputs),
            "limits": self._verification.limits.model_dump(exclude_none=True),
            "environment": self._verification.environment,
        }
        nothing: list[bool | None] = [None] * len(completions)
        if not places:
            return GroupVerdict([None] * len(completions), nothing, {"golden": None, "labels": []}, time.monotonic())
        try:
            vote_result = await self._client.vote(request)
        except (BadRequest, Refused, InfrastructureError) as error:
            return GroupVerdict([None] * len(completions), nothing, {"problem": str(error)}, time.monotonic())
        vote = vote_result.model_dump(mode="json", include={"labels", "golden", "test_set"})
        golden = vote["golden"]["index"]
        vote["golden"]["completion"] = None if golden is None else places[golden]
        scores: list[float | None] = [None] * len(completions)
        for place, candidate in zip(places, vote_result.candidates, strict=True):
            scores[place] = candidate.score
        return GroupVerdict(scores, nothing, vote, time.monotonic())


def _select_entry(entries: Sequence[Any], prompt: int) -> Any:
    return entries[0] if len(entries) == 1 else entries[prompt]
