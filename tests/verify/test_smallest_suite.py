"""The smallest suite keeps every kill, costs no more than any other, and is the same each time."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.verify import smallest_suite
from sandbox.verify.smallest_suite import find_smallest_suite

SUITES = st.lists(st.tuples(st.integers(0, 255), st.integers(1, 9)), max_size=9)


def unite(kills: list[int], tests: tuple[int, ...]) -> int:
    united = 0
    for test in tests:
        united |= kills[test]
    return united


@given(SUITES)
def test_no_suite_with_the_same_kills_is_cheaper(tests: list[tuple[int, int]]) -> None:
    kills, costs = [mask for mask, _ in tests], [float(cost) for _, cost in tests]
    suite = find_smallest_suite(kills, costs)
    everything = tuple(range(len(kills)))
    covers = [
        chosen
        for size in range(len(kills) + 1)
        for chosen in combinations(everything, size)
        if unite(kills, chosen) == unite(kills, everything)
    ]
    assert suite.exact
    assert suite.tests in covers
    assert suite.cost == sum(costs[test] for test in suite.tests)
    assert suite.cost == min(sum(costs[test] for test in chosen) for chosen in covers)


def test_the_cheapest_of_equal_tests_is_taken() -> None:
    assert find_smallest_suite([0b11, 0b11, 0], [2.0, 1.0, 0.1]).tests == (1,)


def test_greedy_alone_would_be_wrong() -> None:
    # The first test kills the most, but the other two are needed anyway.
    assert find_smallest_suite([0b011110, 0b000111, 0b111000], [1.0, 1.0, 1.0]).tests == (1, 2)


def test_a_large_matrix_ends_with_a_cover(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smallest_suite, "MAX_STEPS", 40_000)
    chance = random.Random(4)
    kills = [sum(1 << bit for bit in range(300) if chance.random() < 0.1) for _ in range(400)]
    costs = [chance.uniform(0.01, 1.0) for _ in kills]
    suite = find_smallest_suite(kills, costs)
    assert not suite.exact
    assert unite(kills, suite.tests) == unite(kills, tuple(range(len(kills))))
    assert suite == find_smallest_suite(kills, costs)
    assert suite.cost < sum(costs) / 4
