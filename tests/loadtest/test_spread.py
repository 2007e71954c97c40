"""Medians, ratios and growth exponents are computed correctly."""

from __future__ import annotations

import math

import pytest

from loadtest.spread import Spread, compute_percentile, compute_ratios, fit_growth_exponent


def test_a_percentile_lies_between_the_two_nearest_values() -> None:
    assert compute_percentile([4.0, 1.0, 3.0, 2.0], 50) == 2.5
    assert compute_percentile([10.0, 20.0], 90) == pytest.approx(19.0)
    assert compute_percentile([7.0], 99) == 7.0


def test_a_percentile_of_nothing_is_no_number() -> None:
    assert math.isnan(compute_percentile([], 50))


def test_a_spread_is_the_median_and_the_deciles() -> None:
    assert Spread.from_values([float(value) for value in range(11)]) == Spread(5.0, 1.0, 9.0)


def test_ratios_are_taken_round_by_round() -> None:
    """A round in which everything runs at half speed does not change the ratio."""
    assert compute_ratios([300.0, 150.0], [100.0, 50.0]) == [3.0, 3.0]


def test_a_round_in_which_the_other_side_did_nothing_has_no_ratio() -> None:
    assert compute_ratios([300.0, 150.0], [0.0, 50.0]) == [3.0]


@pytest.mark.parametrize(("power", "sizes"), [(1.0, [1, 10, 100]), (2.0, [2, 4, 8]), (0.0, [1, 2, 3])])
def test_growth_is_the_power_of_the_size(power: float, sizes: list[int]) -> None:
    assert fit_growth_exponent(sizes, [3.0 * size**power for size in sizes]) == pytest.approx(power)


def test_one_point_does_not_grow() -> None:
    assert math.isnan(fit_growth_exponent([5], [1.0]))
