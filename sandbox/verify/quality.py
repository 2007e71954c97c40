"""Measure a test suite by the verdicts of right and wrong programs: rates, useless tests and a smaller suite.

Theory of operation. The kill matrix has a row for each program and a column for each test.

1. A test *kills* a wrong program that fails it. A failure of the service (`internal_error`, `skipped`) is unknown: it
   is neither a kill nor a pass. A program is unjudged if a test is unknown and no known test fails it.
2. A program that does not compile says nothing about tests, so it counts in no rate.
3. A mutant is wrong only in comparison to the first right program. A test that this program fails kills no mutant.
4. A mutant that passes all tests may be equivalent: another way to write the same function. If it also agrees on all
   extra inputs, it is an equivalent candidate and counts in no rate. If the service lost an input, the mutant might
   differ there, so it is unjudged unless it differs on another input. Without extra inputs, every surviving mutant is
   an equivalent candidate. The TNR (true negative rate) and the coverage by all tests would then be 1 for any suite, so
   the TNR is None and coverage is empty, and `mutation_score` gives a lower bound of the TNR.
5. Coverage at N is the chance that N random tests kill a wrong program, on average over the wrong programs. It is
   computed and not sampled: a program that k of T tests kill escapes N tests with chance C(T-k, N) / C(T, N).
6. The smallest suite keeps every kill of the tests that no right program fails. The cost of a test is the mean CPU time
   of the right programs, and at least `MIN_COST_S`, because starting a program is never free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import comb

from sandbox.runner.contract import Verdict
from sandbox.verify.judge import UNDECIDED_VERDICTS
from sandbox.verify.mutants.generate import Mutant
from sandbox.verify.quality_report import (
    CoveragePoint,
    Fate,
    Mutation,
    ProgramKind,
    QualityProgramResult,
    QualityResult,
    QualityTest,
    SmallestSuite,
)
from sandbox.verify.smallest_suite import find_smallest_suite

MIN_COST_S = 0.001
_NO_KILL = UNDECIDED_VERDICTS | {Verdict.ACCEPTED, Verdict.COMPILE_ERROR}
_COVERAGE_POINTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)


@dataclass(frozen=True)
class Row:
    """A program with its verdict and CPU seconds on each test."""

    name: str
    kind: ProgramKind
    verdicts: Sequence[Verdict]
    cpu_times_s: Sequence[float]
    mutant: Mutant | None = None
    message: str = ""

    @property
    def fate(self) -> Fate:
        if Verdict.COMPILE_ERROR in self.verdicts:
            return Fate.NOT_COMPILED
        if any(verdict not in _NO_KILL for verdict in self.verdicts):
            return Fate.FAILED
        return Fate.UNJUDGED if UNDECIDED_VERDICTS.intersection(self.verdicts) else Fate.PASSED


@dataclass(frozen=True)
class Comparison:
    """The mutants' outputs on extra inputs: how many inputs were used, and the inputs on which each surviving mutant
    differs.

    `differs_on` is keyed by row. A mutant that could not be compared is missing there; `unjudged` gives the reason. On
    `unused_inputs`, the first right program gives no output; `lost_inputs` could not be run because the service failed.
    """

    differs_on: Mapping[int, Sequence[int]]
    unjudged: Mapping[int, str]
    unused_inputs: Sequence[int] = ()
    lost_inputs: Sequence[int] = ()
    used: int = 0


NO_COMPARISON = Comparison({}, {})


def find_surviving_mutants(rows: Sequence[Row]) -> list[int]:
    """Return the rows of mutants that no test kills and that were judged on all tests."""
    matrix = _Matrix(rows, NO_COMPARISON)
    return [row for row in matrix.wrong if rows[row].mutant is not None and matrix.fates[row] is Fate.PASSED]


def measure_quality(rows: Sequence[Row], comparison: Comparison = NO_COMPARISON) -> QualityResult:
    """Build the report. The first row is the golden program; all rows have one verdict for each test."""
    matrix = _Matrix(rows, comparison)
    suite = _find_suite(matrix)
    tests = [_describe_test(matrix, test, test in suite.tests) for test in range(matrix.test_count)]
    tpr = _divide([matrix.fates[row] is Fate.PASSED for row in matrix.right])
    verdicts_known = matrix.negatives if matrix.can_tell_equivalents else []
    tnr = _divide([matrix.fates[row] is Fate.FAILED for row in verdicts_known])
    return QualityResult(
        tpr=tpr,
        tnr=tnr,
        consistency=None
        if tnr is None
        else _divide(
            [matrix.fates[row] is Fate.PASSED for row in matrix.right]
            + [matrix.fates[row] is Fate.FAILED for row in verdicts_known]
        ),
        verifier_accuracy=None if tnr is None else tnr == 1.0,
        mutation_score=_divide([matrix.fates[row] is Fate.FAILED for row in matrix.judged_mutants]),
        coverage=_measure_coverage(matrix),
        smallest_suite=suite,
        kill_nothing=[test for test, each in enumerate(tests) if not each.kills and not each.unjudged],
        fail_right=[test for test, each in enumerate(tests) if each.fails_right],
        survivors=[row for row in matrix.negatives if matrix.fates[row] is Fate.PASSED],
        equivalent_candidates=sorted(matrix.equivalent),
        unjudged=matrix.list_with(Fate.UNJUDGED),
        not_compiled=matrix.list_with(Fate.NOT_COMPILED),
        unused_inputs=list(comparison.unused_inputs),
        lost_inputs=list(comparison.lost_inputs),
        programs=[_describe_program(matrix, row) for row in range(len(rows))],
        tests=tests,
        matrix=[list(row.verdicts) for row in rows],
    )


class _Matrix:
    """The rows of the kill matrix, evaluated by the rules above. Kills are one list of tests per wrong program."""

    def __init__(self, rows: Sequence[Row], comparison: Comparison) -> None:
        self.rows = rows
        self.comparison = comparison
        self.test_count = len(rows[0].verdicts)
        self.kills = [self._find_kills(row) for row in rows]
        self.fates = [self._decide_fate(position) for position in range(len(rows))]

    def _find_kills(self, row: Row) -> list[int]:
        if row.kind is ProgramKind.RIGHT:
            return []
        golden = self.rows[0].verdicts
        return [
            test
            for test, verdict in enumerate(row.verdicts)
            if verdict not in _NO_KILL and (row.kind is ProgramKind.WRONG or golden[test] is Verdict.ACCEPTED)
        ]

    def _decide_fate(self, position: int) -> Fate:
        row = self.rows[position]
        if row.kind is not ProgramKind.MUTANT or row.fate is Fate.NOT_COMPILED:
            return row.fate
        if self.kills[position]:
            return Fate.FAILED
        # On tests that the golden program fails, nothing is known about a mutant, and nothing is asked.
        golden = self.rows[0].verdicts
        asked = [verdict for verdict, own in zip(row.verdicts, golden, strict=True) if own is Verdict.ACCEPTED]
        is_unknown = bool(UNDECIDED_VERDICTS.intersection(asked)) or position in self.comparison.unjudged
        return Fate.UNJUDGED if is_unknown or not asked else Fate.PASSED

    def list_with(self, fate: Fate) -> list[int]:
        return [row for row, each in enumerate(self.fates) if each is fate]

    def _list_judged(self, *kinds: ProgramKind) -> list[int]:
        return [
            row
            for row, each in enumerate(self.rows)
            if each.kind in kinds and self.fates[row] in {Fate.PASSED, Fate.FAILED}
        ]

    @cached_property
    def right(self) -> list[int]:
        return self._list_judged(ProgramKind.RIGHT)

    @cached_property
    def wrong(self) -> list[int]:
        return self._list_judged(ProgramKind.WRONG, ProgramKind.MUTANT)

    @cached_property
    def judged_mutants(self) -> list[int]:
        return self._list_judged(ProgramKind.MUTANT)

    @cached_property
    def equivalent(self) -> set[int]:
        return {
            row
            for row in self.judged_mutants
            if self.fates[row] is Fate.PASSED and not self.comparison.differs_on.get(row)
        }

    @cached_property
    def negatives(self) -> list[int]:
        """Return the programs that tests should fail."""
        return [row for row in self.wrong if row not in self.equivalent]

    @property
    def can_tell_equivalents(self) -> bool:
        return not self.equivalent or self.comparison.used > 0

    @cached_property
    def killed_by_test(self) -> list[list[int]]:
        killed: list[list[int]] = [[] for _ in range(self.test_count)]
        for row in self.wrong:
            for test in self.kills[row]:
                killed[test].append(row)
        return killed

    @cached_property
    def fails_right(self) -> list[list[int]]:
        return [
            [row for row in self.right if self.rows[row].verdicts[test] not in _NO_KILL]
            for test in range(self.test_count)
        ]

    @cached_property
    def costs_s(self) -> list[float]:
        """Return the mean CPU time of the right programs on each test."""
        times = [self.rows[row].cpu_times_s for row in self.right] or [[0.0] * self.test_count]
        return [sum(column) / len(times) for column in zip(*times, strict=True)]


def _find_suite(matrix: _Matrix) -> SmallestSuite:
    trusted = [test for test in range(matrix.test_count) if not matrix.fails_right[test]]
    masks = [sum(1 << row for row in matrix.killed_by_test[test]) for test in trusted]
    suite = find_smallest_suite(masks, [max(matrix.costs_s[test], MIN_COST_S) for test in trusted])
    tests = [trusted[place] for place in suite.tests]
    return SmallestSuite(
        tests=tests,
        cpu_time_s=round(sum(matrix.costs_s[test] for test in tests), 6),
        all_cpu_time_s=round(sum(matrix.costs_s), 6),
        exact=suite.exact,
    )


def _measure_coverage(matrix: _Matrix) -> list[CoveragePoint]:
    total = matrix.test_count
    points = [count for count in _COVERAGE_POINTS if count < total] + [total]
    if not matrix.negatives or not matrix.can_tell_equivalents:
        return []
    return [
        CoveragePoint(
            tests=count,
            coverage=round(
                sum(compute_kill_chance(len(matrix.kills[row]), count, total) for row in matrix.negatives)
                / len(matrix.negatives),
                6,
            ),
        )
        for count in points
    ]


def compute_kill_chance(killers: int, chosen: int, total: int) -> float:
    """Return the chance that `chosen` of `total` tests, drawn without replacement, include one of `killers`."""
    return 1.0 - comb(total - killers, chosen) / comb(total, chosen)


def _describe_program(matrix: _Matrix, position: int) -> QualityProgramResult:
    row, mutant = matrix.rows[position], matrix.rows[position].mutant
    return QualityProgramResult(
        name=row.name,
        kind=row.kind,
        fate=matrix.fates[position],
        killed_by=matrix.kills[position],
        is_equivalent_candidate=position in matrix.equivalent,
        differs_on=list(matrix.comparison.differs_on.get(position, ())),
        mutation=mutant
        and Mutation(operator=mutant.operator, line=mutant.line, before=mutant.before, after=mutant.after),
        code=mutant and mutant.code,
        message=row.message or matrix.comparison.unjudged.get(position, ""),
    )


def _describe_test(matrix: _Matrix, test: int, in_suite: bool) -> QualityTest:
    killed = matrix.killed_by_test[test]
    return QualityTest(
        kills=len(killed),
        kills_alone=[row for row in killed if len(matrix.kills[row]) == 1],
        fails_right=matrix.fails_right[test],
        unjudged=sum(row.verdicts[test] in UNDECIDED_VERDICTS for row in matrix.rows),
        cpu_time_s=round(matrix.costs_s[test], 6),
        in_smallest_suite=in_suite,
    )


def _divide(counted: Sequence[bool]) -> float | None:
    return round(sum(counted) / len(counted), 6) if counted else None
