"""Medians, percentiles and ratios over rounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


def compute_percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile, interpolated linearly; NaN if there are no values."""
    if not values:
        return math.nan
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of a few rounds, and their spread."""

    median: float
    p10: float
    p90: float

    @classmethod
    def from_values(cls, values: Sequence[float]) -> Spread:
        return cls(compute_percentile(values, 50), compute_percentile(values, 10), compute_percentile(values, 90))


def compute_ratios(values: Sequence[float], baseline: Sequence[float]) -> list[float]:
    """Return the ratio of each round. A slow round affects both sides alike."""
    return [mine / other for mine, other in zip(values, baseline, strict=True) if other > 0]


def fit_growth_exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return the exponent of cost over size by least squares on logarithms: 1 is linear, 0 flat, NaN for one point."""
    points = [(math.log(size), math.log(cost)) for size, cost in zip(sizes, costs, strict=True) if size > 0 < cost]
    if len(points) < 2:
        return math.nan
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    below = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / below if below else math.nan
