"""The policy of a vote: a preset by name, with overrides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from sandbox.schema.wire import WireModel
from sandbox.verify import voting

MAX_CANDIDATES = 256


def expand_policy_name(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class VotePolicy(WireModel):
    """A preset by name, with overrides. `"x-coder"` is short for `{"name": "x-coder"}`."""

    name: Literal["default", "x-coder"] = "default"
    quorum: float | None = Field(
        None, ge=0, le=1, description="share of the cast votes that a label needs; default 0.5"
    )
    min_votes: int | None = Field(None, ge=1, le=MAX_CANDIDATES, description="votes that a label needs; default 2")
    margin: int | None = Field(
        None, ge=0, le=MAX_CANDIDATES, description="lead in votes that a label needs over the next output; default 1"
    )
    tie: voting.TieBreak | None = Field(
        None, description="which of several equally large groups gives the label; default none"
    )
    weights: voting.Weighting | None = Field(
        None, description="weights of tests in the scores of candidates; default uniform"
    )
    holdout_fraction: float | None = Field(
        None,
        ge=0,
        le=0.9,
        description="share of the labelled inputs that is held out when the golden candidate is chosen; default 0.3",
    )
    seed: int | None = Field(None, ge=0, lt=1 << 63, description="seed for the split and for random ties; default 0")
    one_vote_per_program: bool | None = Field(None, description="identical programs share a single vote; default false")
    golden_tie: Literal["fastest", "first"] | None = Field(
        None,
        description="among equal candidates: fastest (then the shortest, then the first), or first; default fastest",
    )

    brute_disqualifies: bool | None = Field(
        None,
        description="a candidate that disagrees with a brute program on any input loses its vote on all inputs; default"
        " false",
    )
    brute_labels: bool | None = Field(
        None,
        description="the output of the brute programs is the label of each input that they finish, unless they disagree"
        " with each other; default false",
    )
    proven_after: int | None = Field(
        None,
        ge=0,
        description="if a candidate is right on every input that a brute program finishes, and there are at least this"
        " many, its vote suffices where nobody disagrees; 0 means never; default 0",
    )

    def resolve(self) -> voting.Policy:
        return replace(voting.PRESETS[self.name], **self.model_dump(exclude={"name"}, exclude_none=True))
