"""The report on a test suite: rates, kills, useless tests, and what stays unknown if the service fails."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.runner.contract import Verdict
from sandbox.verify.mutants.generate import Mutant
from sandbox.verify.quality import Comparison, Row, compute_kill_chance, find_surviving_mutants, measure_quality
from sandbox.verify.quality_report import Fate, ProgramKind

LETTERS = {
    "A": Verdict.ACCEPTED,
    "W": Verdict.WRONG_ANSWER,
    "T": Verdict.TIME_LIMIT_EXCEEDED,
    "C": Verdict.COMPILE_ERROR,
    "?": Verdict.INTERNAL_ERROR,
}
MUTANT = Mutant("boundary", 1, "a < b", "a <= b", "...")


def build_row(kind: ProgramKind, letters: str, costs: tuple[float, ...] = ()) -> Row:
    verdicts = [LETTERS[letter] for letter in letters]
    mutant = MUTANT if kind is ProgramKind.MUTANT else None
    return Row(letters, kind, verdicts, costs or (0.01,) * len(verdicts), mutant)


def right(letters: str, *costs: float) -> Row:
    return build_row(ProgramKind.RIGHT, letters, costs)


def wrong(letters: str) -> Row:
    return build_row(ProgramKind.WRONG, letters)


def mutant(letters: str) -> Row:
    return build_row(ProgramKind.MUTANT, letters)


def test_rates_count_right_and_wrong_programs() -> None:
    report = measure_quality([right("AAA"), right("AWA"), wrong("AAW"), wrong("AAA"), wrong("TAW")])
    assert (report.tpr, report.tnr, report.consistency) == (0.5, 0.666667, 0.6)
    assert report.verifier_accuracy is False
    assert report.mutation_score is None
    assert (report.survivors, report.fail_right, report.kill_nothing) == ([3], [1], [1])
    assert report.tests[1].fails_right == [1]
    assert [test.kills for test in report.tests] == [1, 0, 2]
    assert [test.kills_alone for test in report.tests] == [[], [], [2]]
    assert report.programs[4].killed_by == [0, 2]


def test_the_smallest_suite_leaves_out_tests_that_fail_right_programs() -> None:
    report = measure_quality([right("AAA", 1.0, 0.1, 0.2), right("AWA", 3.0, 0.1, 0.4), wrong("WWA"), wrong("AWW")])
    assert report.smallest_suite.tests == [0, 2]
    assert report.smallest_suite.cpu_time_s == pytest.approx(2.3)
    assert report.smallest_suite.exact
    assert [test.in_smallest_suite for test in report.tests] == [True, False, True]


def test_a_failure_of_the_service_is_no_kill() -> None:
    report = measure_quality([right("AAA"), wrong("A?A"), wrong("W?A"), right("A?A"), wrong("???")])
    assert report.unjudged == [1, 3, 4]
    assert (report.tpr, report.tnr) == (1.0, 1.0)
    assert [test.kills for test in report.tests] == [1, 0, 0]
    assert report.tests[1].unjudged == 4
    assert report.kill_nothing == []


def test_a_program_that_does_not_compile_counts_in_no_rate() -> None:
    report = measure_quality([right("AA"), wrong("CC"), wrong("AW")])
    assert (report.tnr, report.not_compiled) == (1.0, [1])
    assert [test.kills for test in report.tests] == [0, 1]


def test_surviving_mutants_are_equivalent_candidates_without_inputs() -> None:
    rows = [right("AA"), mutant("AW"), mutant("AA")]
    assert find_surviving_mutants(rows) == [2]
    report = measure_quality(rows)
    assert report.equivalent_candidates == [2]
    assert (report.tnr, report.consistency, report.verifier_accuracy) == (None, None, None)
    assert report.mutation_score == 0.5
    assert report.coverage == []


def test_inputs_tell_equivalent_mutants_from_missed_ones() -> None:
    rows = [right("AA"), mutant("AW"), mutant("AA"), mutant("AA"), mutant("AA")]
    report = measure_quality(rows, Comparison({2: [0, 3], 3: []}, {4: "no box starts"}, used=4))
    assert report.survivors == [2]
    assert report.equivalent_candidates == [3]
    assert report.unjudged == [4]
    assert (report.tnr, report.verifier_accuracy, report.mutation_score) == (0.5, False, 0.333333)
    assert (report.programs[2].differs_on, report.programs[4].message) == ([0, 3], "no box starts")


def test_a_test_that_the_golden_program_fails_kills_no_mutant() -> None:
    report = measure_quality([right("AW"), mutant("AW"), mutant("WW"), mutant("A?")])
    assert report.equivalent_candidates == [1, 3]
    assert [test.kills for test in report.tests] == [1, 0]


def test_nothing_is_known_about_mutants_of_a_program_that_fails_every_test() -> None:
    report = measure_quality([right("WW"), mutant("WW")])
    assert report.unjudged == [1]
    assert (report.tpr, report.tnr, report.mutation_score) == (0.0, None, None)


@given(st.integers(1, 7).flatmap(lambda total: st.tuples(st.just(total), st.integers(0, total), st.integers(1, total))))
def test_the_chance_of_a_kill_is_that_of_all_choices(numbers: tuple[int, int, int]) -> None:
    total, killers, chosen = numbers
    choices = list(combinations(range(total), chosen))
    share = sum(min(choice) < killers for choice in choices) / len(choices)
    assert compute_kill_chance(killers, chosen, total) == pytest.approx(share)


def test_coverage_grows_to_the_tnr() -> None:
    rows = [right("A" * 12), *(wrong("A" * place + "W" + "A" * (11 - place)) for place in range(3)), wrong("A" * 12)]
    report = measure_quality(rows)
    assert [point.tests for point in report.coverage] == [1, 2, 5, 10, 12]
    assert report.coverage[0].coverage == 0.0625
    assert report.coverage[-1].coverage == report.tnr == 0.75


VERDICT_LETTERS = st.sampled_from("AAAWT?")


@st.composite
def matrices(draw: st.DrawFn) -> list[Row]:
    width = draw(st.integers(1, 5))
    cells = st.text(VERDICT_LETTERS, min_size=width, max_size=width)
    kinds = st.sampled_from(list(ProgramKind))
    return [right(draw(cells)), *(build_row(draw(kinds), draw(cells)) for _ in range(draw(st.integers(0, 6))))]


@given(matrices())
def test_every_program_has_one_fate_and_the_suite_keeps_every_trusted_kill(rows: list[Row]) -> None:
    report = measure_quality(rows)
    positions = range(len(rows))
    for row in positions:
        fate = report.programs[row].fate
        assert (row in report.unjudged) == (fate is Fate.UNJUDGED)
        assert not (row in report.survivors and row in report.equivalent_candidates)
        if row in report.survivors:
            assert fate is Fate.PASSED
    trusted = [test for test in range(len(rows[0].verdicts)) if test not in report.fail_right]
    for row in positions:
        killers = set(report.programs[row].killed_by) & set(trusted)
        assert bool(killers) == bool(killers & set(report.smallest_suite.tests))
    for rate in (report.tpr, report.tnr, report.consistency, report.mutation_score):
        assert rate is None or 0 <= rate <= 1
    for test, column in enumerate(report.tests):
        assert column.kills == sum(test in program.killed_by for program in report.programs)
        assert all(report.programs[row].killed_by == [test] for row in column.kills_alone)
