"""Floors and goals are evaluated, and a missed floor is reported."""

from __future__ import annotations

import math

import pytest

from loadtest.goals import GOALS, Goal, evaluate_goals
from loadtest.result import Result, Row, build_rows
from loadtest.sample import Sample
from loadtest.sides import BARE, SANDBOX
from loadtest.workloads import ALL_WORKLOADS


@pytest.mark.parametrize(("value", "mark"), [(1.99, "missed"), (2.0, "floor"), (2.9, "floor"), (3.0, "goal")])
def test_a_ratio_is_better_when_it_is_higher(value: float, mark: str) -> None:
    assert Goal("W", "ratio", 2.0, 3.0).mark(value) == mark


@pytest.mark.parametrize(("value", "mark"), [(10.1, "missed"), (10.0, "goal"), (1.0, "goal")])
def test_a_latency_is_better_when_it_is_lower(value: float, mark: str) -> None:
    assert Goal("W", "p50_ms", 10.0).mark(value) == mark


@pytest.mark.parametrize("measure", ["ratio", "p50_ms"])
def test_no_number_meets_nothing(measure: str) -> None:
    assert Goal("W", measure, 1.0).mark(math.nan) == "missed"  # type: ignore[arg-type]


def test_every_promise_is_for_a_workload_there_is() -> None:
    assert {goal.workload for goal in GOALS} <= {workload.name for workload in ALL_WORKLOADS}


def test_what_was_not_measured_is_not_promised() -> None:
    assert [promise.goal.measure for promise in evaluate_goals("W3 cpp-10", {"ratio": 3.0})] == ["ratio"]


def make_sample(rate: float, **cpu_s: float) -> Sample:
    return Sample(verdicts=round(rate), elapsed_s=1.0, latencies_s=[0.005], cpu_s=cpu_s, program_cpu_s=0.2)


def test_our_row_has_the_promises_and_the_others_only_the_ratio() -> None:
    rows = build_rows({("W1 single", BARE): [make_sample(100)] * 3, ("W1 single", SANDBOX): [make_sample(250)] * 3})
    sandbox_row, bare = rows
    assert (sandbox_row.side, bare.side) == (SANDBOX, BARE)
    assert sandbox_row.ratio == [2.5] * 3
    assert [promise.mark for promise in sandbox_row.measured_goals] == ["floor"]
    assert bare.measured_goals == []


def test_judges_are_compared_with_the_fastest_of_them() -> None:
    rows = build_rows(
        {
            ("W3 cpp-10", SANDBOX): [make_sample(60)],
            ("W3 cpp-10", "code-judge"): [make_sample(2)],
            ("W3 cpp-10", "sandbox-fusion"): [make_sample(1)],
        }
    )
    assert {promise.goal.measure: promise.value for promise in rows[0].measured_goals} == {"ratio_to_judges": 30.0}


def test_overhead_is_all_our_processes_less_the_programs() -> None:
    row = Row("W2 py-20", SANDBOX, [make_sample(100, api=0.1, redis=0.02, workers=0.1, boxes=0.3, generator=9.0)])
    assert row.overhead_ms == pytest.approx(3.2)


def test_overhead_is_unknown_where_processes_were_not_seen() -> None:
    assert math.isnan(Row("W2 py-20", SANDBOX, [make_sample(100, generator=1.0)]).overhead_ms)


def test_a_missed_floor_is_told_with_its_row() -> None:
    rows = build_rows({("W1 single", BARE): [make_sample(100)], ("W1 single", SANDBOX): [make_sample(150)]})
    ((row, promise),) = Result({}, rows, []).missed
    assert (row.workload, promise.goal.measure, promise.value) == ("W1 single", "ratio", 1.5)
