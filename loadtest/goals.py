"""The performance goals: floors that must hold and goals to aim for. They are defined only here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Measure = Literal["ratio", "ratio_to_judges", "p50_ms", "tail_ms", "overhead_ms"]
Mark = Literal["missed", "floor", "goal"]

HIGHER_IS_BETTER = {"ratio", "ratio_to_judges"}
GOAL_FORMATS = {
    "ratio": "{}x bare",
    "ratio_to_judges": "{}x judges",
    "p50_ms": "{} ms p50",
    "tail_ms": "{} ms tail",
    "overhead_ms": "{} ms overhead",
}


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal for one workload. Without a `goal`, the floor is the goal. `judges` compile once per test."""

    workload: str
    measure: Measure
    floor: float
    goal: float | None = None

    def is_met_by(self, value: float, limit: float) -> bool:
        return value >= limit if self.measure in HIGHER_IS_BETTER else value <= limit

    def mark(self, value: float) -> Mark:
        """Return what a measured value reaches. NaN counts as missed."""
        if not self.is_met_by(value, self.floor):
            return "missed"
        return "goal" if self.goal is None or self.is_met_by(value, self.goal) else "floor"

    def format_limit(self, limit: float) -> str:
        sign = ">=" if self.measure in HIGHER_IS_BETTER else "<="
        return f"{sign} " + GOAL_FORMATS[self.measure].format(f"{limit:g}")


# The rate per slot at the most slots, relative to the fewest.
EFFICIENCY_FLOOR = 0.85

GOALS = (
    Goal("W1 single", "ratio", 2.0, 3.0),
    Goal("W1 batch64", "ratio", 3.5, 5.0),
    Goal("W1 idle", "p50_ms", 10.0),
    Goal("W2 py-20", "ratio", 1.7, 2.5),
    Goal("W2 py-20", "overhead_ms", 3.0),
    Goal("W3 cpp-10", "ratio", 2.5, 4.0),
    Goal("W3 cpp-10", "ratio_to_judges", 25.0),
    Goal("W3 idle", "p50_ms", 600.0),
    Goal("W4 mixed", "ratio", 1.5, 2.0),
    Goal("W5 rl-step", "ratio", 2.5, 4.0),
    Goal("W5 rl-step", "tail_ms", 300.0),
    Goal("W6 imports", "ratio", 10.0, 20.0),
    Goal("W7 big-io", "ratio", 1.0, 2.0),
)


@dataclass(frozen=True, slots=True)
class MeasuredGoal:
    """A goal and the measured value."""

    goal: Goal
    value: float

    @property
    def mark(self) -> Mark:
        return self.goal.mark(self.value)


def evaluate_goals(workload: str, measured: Mapping[str, float]) -> list[MeasuredGoal]:
    """Return the goals of a workload for which there is a measured value."""
    return [
        MeasuredGoal(goal, measured[goal.measure])
        for goal in GOALS
        if goal.workload == workload and goal.measure in measured
    ]
