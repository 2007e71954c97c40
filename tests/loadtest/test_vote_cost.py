"""The benchmark of a vote's cost compares votes of the same matrix."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from loadtest.vote_cost import CANDIDATES, INPUTS, Round, VoteCost, build_generated_vote, build_plain_vote, show


def test_both_votes_have_the_same_candidates_and_number_of_inputs() -> None:
    generated, plain = build_generated_vote(), build_plain_vote(["1\n5\n"] * INPUTS)
    assert generated.candidates == plain.candidates
    assert len(plain.candidates) == CANDIDATES
    assert sum(generator.count_runs() for generator in generated.generators) == len(plain.inputs) == INPUTS
    assert not generated.inputs
    assert generated.validators
    assert generated.policy == plain.policy


def test_the_ratio_is_that_of_the_medians_of_all_processes_together() -> None:
    cost = VoteCost([Round({"api": 1.0, "boxes": 3.0}, {"api": 1.0, "boxes": 4.0 + extra}) for extra in (0, 1, 9)])
    assert cost.ratio == pytest.approx(6 / 4)
    assert cost.missed
    assert [each["ratio"] for each in cost.to_json()["rounds"]] == [1.25, 1.5, 3.5]
    console = Console(file=io.StringIO(), width=120)
    show(cost, console)
    assert "1.500 (rounds 1.250 to 3.500); goal 1.3" in console.file.getvalue()  # type: ignore[attr-defined]
