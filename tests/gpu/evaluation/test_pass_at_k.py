"""The pass@k estimate equals the exact probability."""

from __future__ import annotations

from itertools import combinations

import pytest

from sandbox.gpu.evaluation.pass_at_k import compute_mean, estimate_pass_at_k


@pytest.mark.parametrize("n", [1, 2, 5, 7])
def test_it_is_the_share_of_all_choices_of_k_that_hold_a_right_one(n: int) -> None:
    for right in range(n + 1):
        for k in range(1, n + 1):
            choices = list(combinations([True] * right + [False] * (n - right), k))
            share = sum(any(choice) for choice in choices) / len(choices)
            assert estimate_pass_at_k(n, right, k) == pytest.approx(share)


def test_it_stays_exact_where_binomials_would_overflow() -> None:
    assert estimate_pass_at_k(100_000, 1, 1) == pytest.approx(1e-5)
    assert estimate_pass_at_k(100_000, 99_999, 50_000) == 1.0


@pytest.mark.parametrize(("n", "right", "k"), [(4, 1, 5), (4, 5, 1), (4, 1, 0), (4, -1, 1)])
def test_what_cannot_be_is_refused(n: int, right: int, k: int) -> None:
    with pytest.raises(ValueError, match="right among"):
        estimate_pass_at_k(n, right, k)


def test_the_mean_of_nothing_is_none() -> None:
    assert compute_mean([]) is None
    assert compute_mean([1.0, 0.0]) == 0.5
