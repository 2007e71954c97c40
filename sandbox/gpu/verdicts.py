"""Verdicts on completions from the service, asked for while more completions are generated."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.client import AsyncClient
from sandbox.errors import BadRequest, InfrastructureError, Refused
from sandbox.rewards.extract import extract
from sandbox.rewards.function import AsyncRewardFunction
from sandbox.rewards.score import X_CODER_SCALE
from sandbox.schema.gpu import Verification


@dataclass(frozen=True, slots=True)
class Judged:
    """What the service said of one prompt's completions; `right` is None where a completion has no verdict."""

    rewards: list[float | None]
    right: list[bool | None]
    vote: dict[str, Any] | None
    at: float


class Judge:
    """Judges groups as the request's `verify` says."""

    def __init__(self, client: AsyncClient, how: Verification) -> None:
        self._client = client
        self._how = how
        self._reward = AsyncRewardFunction(
            client,
            {
                "policy": how.policy,
                "extract": how.extract,
                "language": how.language,
                "checker": how.checker,
                "limits": how.limits,
                "on_outage": "none",
                "most_lost_batches": 0,
            },
        )
        self._full_marks = X_CODER_SCALE if how.policy.name == "x-coder" else 1.0

    async def judge(self, prompt: int, completions: Sequence[str]) -> Judged:
        """Never raises for what the service fails at: such verdicts are None."""
        if self._how.vote is not None:
            return await self._voted(_each(self._how.vote, prompt), completions)
        tests = _each(self._how.tests or [], prompt)
        rewards = await self._reward(completions, [tests] * len(completions))
        right = [None if reward is None else reward >= self._full_marks for reward in rewards]
        return Judged(rewards, right, None, time.monotonic())

    def judged_before(self, prompt: int, judged: Judged) -> None:
        """Nothing of it is needed here."""

    async def _voted(self, inputs: Sequence[str], completions: Sequence[str]) -> Judged:
        """Candidates are the completions with code; the golden one is named by its place among the completions."""
        answers = [extract(text, self._how.language, self._how.extract) for text in completions]
        places = [place for place, answer in enumerate(answers) if answer is not None]
        request = {
            "candidates": [
                {"language": answer.language, "code": answer.code} for answer in answers if answer is not None
            ],
            "inputs": list(inputs),
            "limits": self._how.limits.model_dump(exclude_none=True),
        }
        nothing: list[bool | None] = [None] * len(completions)
        if not places:
            return Judged([None] * len(completions), nothing, {"golden": None, "labels": []}, time.monotonic())
        try:
            told = await self._client.vote(request)
        except (BadRequest, Refused, InfrastructureError) as error:
            return Judged([None] * len(completions), nothing, {"problem": str(error)}, time.monotonic())
        vote = told.model_dump(mode="json", include={"labels", "golden", "test_set"})
        if vote.get("golden"):
            vote["golden"]["completion"] = places[vote["golden"]["index"]]
        scores: list[float | None] = [None] * len(completions)
        for place, standing in zip(places, told.candidates, strict=True):
            scores[place] = standing.score
        return Judged(scores, nothing, vote, time.monotonic())


def _each(entries: Sequence[Any], prompt: int) -> Any:
    return entries[0] if len(entries) == 1 else entries[prompt]
