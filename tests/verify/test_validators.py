"""Validators: their accuracy on probes, which of them decide, and what they decide."""

from __future__ import annotations

import pytest

from sandbox.runner.contract import Outcome, Status
from sandbox.verify.validators import (
    Decision,
    ValidatorScore,
    choose_filters,
    decide_input,
    read_decision,
    score_validator,
)

ACCEPTS = Outcome(Status.OK, exit_code=0)
KATTIS_ACCEPTS = Outcome(Status.RUNTIME_ERROR, exit_code=42)
REJECTS = Outcome(Status.RUNTIME_ERROR, exit_code=1, stderr=b"n is too large\n")
LOST = Outcome(Status.INTERNAL_ERROR, message="no box starts")

YES, NO, UNKNOWN = Decision(True), Decision(False, "no"), Decision(None, "lost")


def test_an_decision_has_the_reason() -> None:
    assert read_decision(0, KATTIS_ACCEPTS).accepts is True
    assert read_decision(1, REJECTS) == Decision(False, "validators.1: exit code 1: n is too large")
    assert read_decision(1, LOST).accepts is None


def test_accuracy_is_the_mean_of_both_shares() -> None:
    score = score_validator(
        [ACCEPTS, ACCEPTS, REJECTS, ACCEPTS, REJECTS, REJECTS], [True, True, False, False, False, False]
    )
    assert score == ValidatorScore(0.875, 2, 2, 3, 4)
    rejects_all = score_validator([REJECTS] * 4, [True, False, False, False])
    assert rejects_all.accuracy == 0.5, "although it is right on three of four probes"


def test_a_probe_that_the_service_lost_counts_for_nothing() -> None:
    assert score_validator([ACCEPTS, LOST], [True, False]) == ValidatorScore(1.0, 1, 1, 0, 0)
    assert score_validator([LOST], [True]).accuracy is None
    assert score_validator([], []).accuracy is None


def test_the_most_accurate_validator_decides_and_the_first_of_equals() -> None:
    scores = [ValidatorScore(0.8), ValidatorScore(0.9), ValidatorScore(0.9)]
    assert choose_filters(scores, [True, True, True], has_probes=True) == [1]
    assert choose_filters(scores, [True, False, False], has_probes=True) == [0]


@pytest.mark.parametrize("accuracy", [0.5, 0.2, None])
def test_a_validator_that_is_not_better_than_chance_decides_nothing(accuracy: float | None) -> None:
    assert choose_filters([ValidatorScore(accuracy)], [True], has_probes=True) == []


def test_without_probes_all_that_compile_vote() -> None:
    assert choose_filters([ValidatorScore(None)] * 3, [True, False, True], has_probes=False) == [0, 2]


@pytest.mark.parametrize(
    ("decisions", "accepts"),
    [
        ([YES], True),
        ([NO], False),
        ([UNKNOWN], None),
        ([YES, YES, NO], True),
        ([YES, NO, NO], False),
        ([YES, NO], False),
        ([YES, YES, UNKNOWN], True),
        ([YES, NO, UNKNOWN], None),
        ([NO, NO, UNKNOWN], False),
        ([YES, UNKNOWN], None),
    ],
)
def test_a_majority_accepts_and_missing_decisions_never_decide(decisions: list[Decision], accepts: bool | None) -> None:
    decision = decide_input(decisions)
    assert decision.accepts is accepts
    assert bool(decision.reason) is not (accepts is True)
