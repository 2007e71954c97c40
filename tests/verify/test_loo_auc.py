"""Weights by leave-one-out AUC: tests that contradict the others count nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.verify import golden
from sandbox.verify.judge import CheckerChoice
from sandbox.verify.loo_auc import compute_auc, weigh_by_loo_auc
from sandbox.verify.voting import Label, Policy
from tests.verify.outcome_matrices import build_matrix

MATRICES = st.integers(1, 6).flatmap(
    lambda tests: st.lists(st.lists(st.booleans(), min_size=tests, max_size=tests), min_size=1, max_size=6)
)


def read(*rows: str) -> list[list[bool]]:
    return [[letter == "+" for letter in row] for row in rows]


def test_auc_counts_pairs() -> None:
    assert compute_auc([3, 2], [1, 2]) == 0.875
    assert compute_auc([], [1]) == compute_auc([1], []) == compute_auc([1], [1]) == 0.5


def test_a_test_that_contradicts_the_others_or_tells_nothing_has_no_weight() -> None:
    passes = read("+++-+", "+++-+", "---++", "---++")
    assert weigh_by_loo_auc(passes, range(5)) == [1.0, 1.0, 1.0, 0.0, 0.0]


def test_a_test_that_does_not_rank_is_weighed_by_those_that_do() -> None:
    passes = read("++-+", "++-+", "--+-")
    assert weigh_by_loo_auc(passes, [0, 1]) == [1.0, 1.0, 0.0, 1.0]


@given(MATRICES, st.randoms(use_true_random=False))
def test_weights_are_shares_and_do_not_depend_on_the_order_of_candidates(
    passes: list[list[bool]], random: object
) -> None:
    tests = range(len(passes[0]))
    weights = weigh_by_loo_auc(passes, tests)
    assert all(0 <= weight <= 1 for weight in weights)
    assert weigh_by_loo_auc(list(reversed(passes)), tests) == pytest.approx(weights)


def test_labels_of_a_shared_wrong_idea_that_other_tests_contradict_have_no_weight() -> None:
    right, wrong = ["a", "b", "c", "d", "x", "x"], ["a", "b", "z", "z", "1", "2"]
    matrix = build_matrix(right, right, wrong, wrong)
    labels = [Label(expected=text.encode(), votes=2, cast=4) for text in ["a", "b", "c", "d", "1", "x"]]
    policy = Policy(holdout_fraction=0.0, golden_tie="first")

    def choose(policy: Policy) -> tuple[int | None, list[float]]:
        outcome = golden.decide_vote(
            matrix, [b""] * 6, ["", "", "", ""], CheckerChoice("tokens", {}), policy, labels=labels
        )
        return outcome.golden.index, outcome.weights

    index, weights = choose(replace(policy, weights="loo_auc"))
    assert index == 0
    assert weights == [0.0, 0.0, 1.0, 1.0, 0.0, 1.0]
