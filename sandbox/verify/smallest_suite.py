"""Find the cheapest set of tests that kills the same programs as all tests: weighted set cover.

Theory of operation. Each test is the bit mask of the programs that it kills, with a cost. Three rules shrink the
problem without losing an optimum, and repeat until none applies: of tests with the same kills, keep the cheapest; drop
a test if another one, of at most the same cost, has all its kills; take a test if it is the only one that kills some
program.

The greedy rule (most new kills per cost) then covers the rest. Its cost is the bound of an exact search, which branches
on the program with the fewest killers. The search examines tests at most `MAX_STEPS` times. This limit is a count and
not a time, so the same matrix always gives the same suite. The result is `exact` if the search ended within the limit.
Otherwise it is the best suite that was found. It costs at most H(n) times the optimum for n programs (Chvatal, 1979).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MAX_STEPS = 2_000_000
# Comparing tests in pairs takes time in the square of their number.
MAX_COMPARED_TESTS = 1_000


@dataclass(frozen=True, slots=True)
class Suite:
    """Positions of tests in order, their total cost, and whether no cheaper suite exists."""

    tests: tuple[int, ...]
    cost: float
    exact: bool


def find_smallest_suite(kills: Sequence[int], costs: Sequence[float]) -> Suite:
    """Return the cheapest tests that together kill what all tests kill.

    `kills[test]` has bit p if the test kills program p. `costs` are positive, in any unit.
    """
    left = _keep_cheapest(kills, costs)
    taken: list[int] = []
    size = -1
    while left and size != len(left):
        size = len(left)
        essential = _find_essential(left)
        taken += essential
        covered = _unite({test: left[test] for test in essential})
        left = {test: mask & ~covered for test, mask in left.items() if mask & ~covered}
        left = _drop_dominated(left, costs)
    exact = True
    if left:
        search = _Search(left, costs)
        search.run()
        taken += search.best
        exact = search.steps <= MAX_STEPS
    return Suite(tuple(sorted(taken)), sum(costs[test] for test in taken), exact)


def _keep_cheapest(kills: Sequence[int], costs: Sequence[float]) -> dict[int, int]:
    """Map tests to their masks, with the cheapest test for each distinct mask that is not empty."""
    cheapest: dict[int, int] = {}
    for test, mask in enumerate(kills):
        if mask and (mask not in cheapest or costs[test] < costs[cheapest[mask]]):
            cheapest[mask] = test
    return {test: mask for mask, test in sorted(cheapest.items(), key=lambda pair: pair[1])}


def _unite(masks: Mapping[int, int]) -> int:
    united = 0
    for mask in masks.values():
        united |= mask
    return united


def _find_essential(left: Mapping[int, int]) -> list[int]:
    once, twice = 0, 0
    for mask in left.values():
        twice |= once & mask
        once |= mask
    alone = once & ~twice
    return [test for test, mask in left.items() if mask & alone]


def _drop_dominated(left: dict[int, int], costs: Sequence[float]) -> dict[int, int]:
    if len(left) > MAX_COMPARED_TESTS:
        return left
    kept: dict[int, int] = {}
    # A test can be dominated only by a cheaper one, or by one of the same cost that kills at least as much.
    for test in sorted(left, key=lambda test: (costs[test], -left[test].bit_count(), test)):
        if not any(left[test] & ~mask == 0 for mask in kept.values()):
            kept[test] = left[test]
    return dict(sorted(kept.items()))


@dataclass
class _Search:
    """A depth-first branch and bound. `steps` counts how often it examined a test."""

    left: dict[int, int]
    costs: Sequence[float]
    best: list[int] = field(default_factory=list)
    best_cost: float = 0.0
    steps: int = 0

    def run(self) -> None:
        self.best = _cover_greedily(self.left, self.costs)
        self.best_cost = sum(self.costs[test] for test in self.best)
        wanted = _unite(self.left)
        killers = {
            bit: [test for test, mask in self.left.items() if mask >> bit & 1]
            for bit in range(wanted.bit_length())
            if wanted >> bit & 1
        }
        # Kept as a stack: a suite can be longer than Python's limit on recursion.
        waiting: list[tuple[int, float, list[int]]] = [(wanted, 0.0, [])]
        while waiting and self.steps <= MAX_STEPS:
            self.steps += len(self.left)
            missing, cost, chosen = waiting.pop()
            if not missing:
                if cost < self.best_cost:
                    self.best, self.best_cost = chosen, cost
                continue
            if cost + self._bound(missing) >= self.best_cost:
                continue
            tightest = min((bit for bit in killers if missing >> bit & 1), key=lambda bit: len(killers[bit]))
            options = sorted(killers[tightest], key=lambda test: self._rate(test, missing))  # the best is popped first
            waiting += [(missing & ~self.left[test], cost + self.costs[test], [*chosen, test]) for test in options]

    def _rate(self, test: int, missing: int) -> float:
        return (self.left[test] & missing).bit_count() / self.costs[test]

    def _bound(self, missing: int) -> float:
        """Return a lower bound on the cost to cover `missing`: each program at the best rate of any test."""
        return missing.bit_count() / max(self._rate(test, missing) for test in self.left)


def _cover_greedily(left: Mapping[int, int], costs: Sequence[float]) -> list[int]:
    missing, chosen = _unite(left), list[int]()
    while missing:
        best = max(left, key=lambda test: ((left[test] & missing).bit_count() / costs[test], -test))
        chosen.append(best)
        missing &= ~left[best]
    # A test that was taken early may be covered by later ones.
    for test in sorted(chosen, key=lambda test: -costs[test]):
        others = _unite({other: left[other] for other in chosen if other != test})
        if left[test] & ~others == 0:
            chosen.remove(test)
    return chosen
