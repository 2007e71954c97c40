"""The plan of a reward request: what happens with each completion, and the programs to run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sandbox.schema import VerifyRequest
from sandbox.schema.hack import HackRequest
from sandbox.schema.reward import RewardRequest


@dataclass(frozen=True, slots=True)
class PlannedCompletion:
    """One completion in the plan. `program_index` is the index of its program, or None if there is nothing to run.

    If `usable` is False, the row gets no reward, regardless of the completion, and `message` says why.
    """

    language: str
    test_count: int
    weights: Sequence[float]
    length: int
    fence_closed: bool = False
    program_index: int | None = None
    message: str = ""
    usable: bool = True


@dataclass(frozen=True, slots=True)
class RewardPlan:
    """The programs to verify, and what is needed to turn their verdicts into rewards."""

    request: RewardRequest
    completions: list[PlannedCompletion]
    programs: Sequence[VerifyRequest | HackRequest]

    @property
    def kind(self) -> Literal["verify", "hack"]:
        """Return the kind of the submission that runs the programs."""
        return "verify" if self.request.hacks is None else "hack"
