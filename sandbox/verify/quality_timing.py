"""The part of a quality report about time: the limit, tests that only slow programs fail, and growth."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.runner.contract import Verdict
from sandbox.verify.complexity import Growth, derive_limit, fit_growth, is_class_above
from sandbox.verify.judge import UNDECIDED_VERDICTS
from sandbox.verify.quality import Row
from sandbox.verify.quality_report import Fate, ProgramGrowth, ProgramKind, QualityResult, TimeLimitAdvice

_TIMED = frozenset({Verdict.ACCEPTED, Verdict.WRONG_ANSWER, Verdict.TIME_LIMIT_EXCEEDED})
# A right program with such a verdict may need longer than each that passed, so its limit would be too short.
_TIME_UNKNOWN = UNDECIDED_VERDICTS | {Verdict.TIME_LIMIT_EXCEEDED}


def add_timing(
    report: QualityResult, rows: Sequence[Row], sizes: Sequence[float], multipliers: tuple[float, float]
) -> QualityResult:
    """Add what the CPU times say to a report.

    `sizes` has one size for each test. `multipliers` are `ac_to_time_limit` and `time_limit_to_tle`.
    """
    right = [
        position
        for position, program in enumerate(report.programs)
        if program.kind is ProgramKind.RIGHT and program.fate is Fate.PASSED
    ]
    is_known = not any(
        program.kind is ProgramKind.RIGHT and not _TIME_UNKNOWN.isdisjoint(row.verdicts)
        for program, row in zip(report.programs, rows, strict=True)
    )
    limit = derive_limit([row.cpu_times_s for row in rows], right, *multipliers) if is_known else None
    growths = [_fit_row(row, sizes) for row in rows]
    reference = max((growths[row] for row in right if growths[row]), key=_get_exponent, default=None)
    programs = [
        program.model_copy(update={"growth": _describe_growth(growth, reference, program.kind)})
        for program, growth in zip(report.programs, growths, strict=True)
    ]
    advice = limit and TimeLimitAdvice(
        cpu_time_s=round(limit.cpu_time_s, 6),
        too_slow_s=round(limit.too_slow_s, 6),
        slowest_s=round(limit.slowest_s, 6),
        program=limit.program,
        test=limit.test,
        is_largest_test=sizes[limit.test] >= max(sizes),
    )
    return report.model_copy(
        update={"programs": programs, "time_limit": advice, "slow_only": _find_slow_only(report, rows)}
    )


def _get_exponent(growth: Growth | None) -> float:
    return growth.exponent if growth else 0.0


def _fit_row(row: Row, sizes: Sequence[float]) -> Growth | None:
    timed = [place for place, verdict in enumerate(row.verdicts) if verdict in _TIMED]
    return fit_growth(
        [sizes[place] for place in timed],
        [row.cpu_times_s[place] for place in timed],
        [row.verdicts[place] is Verdict.TIME_LIMIT_EXCEEDED for place in timed],
    )


def _describe_growth(growth: Growth | None, reference: Growth | None, kind: ProgramKind) -> ProgramGrowth | None:
    if growth is None:
        return None
    return ProgramGrowth(
        exponent=growth.exponent,
        low=growth.low,
        high=growth.high,
        name=growth.name,
        is_lower_bound=growth.is_lower_bound,
        above_right=None if kind is ProgramKind.RIGHT else is_class_above(growth, reference),
    )


def _find_slow_only(report: QualityResult, rows: Sequence[Row]) -> list[int]:
    """Return the tests that kill programs, each of them only by its time."""
    killed_otherwise = {
        test
        for row, program in zip(rows, report.programs, strict=True)
        for test in program.killed_by
        if row.verdicts[test] is not Verdict.TIME_LIMIT_EXCEEDED
    }
    return [test for test, each in enumerate(report.tests) if each.kills and test not in killed_otherwise]
