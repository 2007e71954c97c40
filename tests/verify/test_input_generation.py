"""Runs of generators: sweeps of sizes, combinations, and arguments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.verify.input_generation import plan_runs, sweep_sizes


@pytest.mark.parametrize(
    ("smallest", "largest", "count", "sizes"),
    [
        (1, 100_000, 6, [1, 10, 100, 1_000, 10_000, 100_000]),
        (0, 1_000, 5, [0, 1, 10, 100, 1_000]),
        (3, 3, 5, [3]),
        (0, 0, 4, [0]),
        (0, 5, 2, [0, 5]),
        (1, 4, 10, [1, 2, 3, 4]),
    ],
)
def test_a_sweep_rises_by_a_factor_and_contains_both_ends(
    smallest: int, largest: int, count: int, sizes: list[int]
) -> None:
    found = sweep_sizes(smallest, largest, count)
    assert found[0] == smallest
    assert found[-1] == largest
    assert found == sizes


@given(st.integers(0, 1 << 40), st.integers(0, 1 << 40), st.integers(2, 64))
def test_every_sweep_is_sorted_distinct_and_within_its_ends(one: int, other: int, count: int) -> None:
    smallest, largest = sorted((one, other))
    found = sweep_sizes(smallest, largest, count)
    assert found == sorted(set(found))
    assert (found[0], found[-1]) == (smallest, largest)
    assert len(found) <= count


def test_a_generator_runs_once_for_each_combination() -> None:
    runs = plan_runs(2, [["line"], ["star", "-n={size}"]], [7, 8], [10])
    assert [run.arguments for run in runs] == [
        ("line", "10", "7"),
        ("line", "10", "8"),
        ("star", "-n=10", "7"),
        ("star", "-n=10", "8"),
    ]
    assert {(run.generator, run.size) for run in runs} == {(2, 10)}
    assert [run.seed for run in runs] == [7, 8, 7, 8]


def test_a_seed_that_an_argument_mentions_is_not_appended() -> None:
    assert plan_runs(0, [["{seed}", "{size}"]], [5], [9])[0].arguments == ("5", "9")
    assert plan_runs(0, [], [], [])[0].arguments == ()
    assert plan_runs(0, [["{seed}"]], [], [])[0].arguments == ("{seed}",), "nothing to replace it with"
