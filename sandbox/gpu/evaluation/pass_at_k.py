"""Compute pass@k and avg@n."""

from __future__ import annotations

from collections.abc import Iterable


def estimate_pass_at_k(n: int, correct: int, k: int) -> float:
    """Return the unbiased estimate that at least one of k completions is correct, given `correct` out of n.

    Computes 1 - C(n - correct, k) / C(n, k) as a product, which cannot overflow (Chen et al. 2021, arXiv 2107.03374,
    eq. 1). Raises ValueError if k is greater than n.
    """
    if not 0 <= correct <= n or not 1 <= k <= n:
        raise ValueError(f"pass@{k} of {correct} right among {n}")
    if n - correct < k:
        return 1.0
    missed = 1.0
    for drawn in range(n - correct + 1, n + 1):
        missed *= 1.0 - k / drawn
    return 1.0 - missed


def compute_mean(values: Iterable[float]) -> float | None:
    """Return the mean, or None if there are no values."""
    found = list(values)
    return sum(found) / len(found) if found else None
