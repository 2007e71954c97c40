"""Weigh tests by how well they agree with all other tests about which candidates are better.

Theory of operation. The labels themselves may be wrong, and a test is not good because many candidates pass it.
For each test, rank the candidates by the number of the other tests that they pass. The leave-one-out AUC is the chance
that a candidate that passes the test ranks above one that fails it; equal ranks count half. It is 1/2 for a test that
tells nothing, and below 1/2 for one that contradicts the others, as a test with a wrong label does (ACES: Sun et al.,
arXiv 2604.03922). The weight is the part above chance, `max(0, 2 * AUC - 1)`. ACES-C has another closed form on top of
the same AUC, and ACES-O optimizes the weights; neither is reproduced here.

A test that all candidates pass, or all fail, has the weight 0, because it does not rank them.
"""

from __future__ import annotations

from collections.abc import Sequence


def weigh_by_loo_auc(passes: Sequence[Sequence[bool]], ranking: Sequence[int]) -> list[float]:
    """Return a weight from 0 to 1 for each test.

    `passes[candidate][test]` is the matrix. `ranking` are the tests that rank the candidates; a test never ranks for
    itself.
    """
    totals = [sum(row[test] for test in ranking) for row in passes]
    own = set(ranking)
    tests = len(passes[0]) if passes else 0
    weights = []
    for test in range(tests):
        ranks = [total - (row[test] and test in own) for total, row in zip(totals, passes, strict=True)]
        passing = [rank for rank, row in zip(ranks, passes, strict=True) if row[test]]
        failing = [rank for rank, row in zip(ranks, passes, strict=True) if not row[test]]
        weights.append(max(0.0, 2 * compute_auc(passing, failing) - 1))
    return weights


def compute_auc(passing: Sequence[int], failing: Sequence[int]) -> float:
    """Return the chance that one of `passing` exceeds one of `failing`; equal numbers count half. 1/2 without pairs."""
    pairs = len(passing) * len(failing)
    if not pairs:
        return 0.5
    return sum((one > other) + 0.5 * (one == other) for one in passing for other in failing) / pairs
