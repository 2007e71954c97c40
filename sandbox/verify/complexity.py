"""Fit the growth of a program's time with the size of its input, and derive a time limit from right programs.

Theory of operation. All times are CPU seconds, because elapsed time depends on what else the machine does.

1. Growth. For each size, the slowest test counts. `time = a + b * size ** p` is fitted for many exponents p; a and b
   are not negative, a is the cost of starting the program, and the relative error decides. If the times rise too little
   to tell the growth from the start-up, or if there are fewer than `MIN_SIZES` sizes, the growth is unknown. A run that
   was stopped at its limit would have taken longer, so it makes the exponent a lower bound.
2. A program grows one class faster than another if its exponent is larger by `CLASS_GAP`: n log n has an effective
   exponent of about 1.1 to 1.2, so it is not a class above n, but n * n is.
3. Limit. The time limit is a factor times the slowest run of a right program (Kattis: `time_multipliers` of the
   problem package format 2025-09; the factor 2 is its default `ac_to_time_limit`, 1.5 its `time_limit_to_tle`). A
   program counts as too slow only from `time_limit_to_tle` times the limit on, so that noise does not decide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

MIN_SIZES = 4
MIN_RISE_S = 0.005
MIN_RISE_FACTOR = 1.3
CLASS_GAP = 0.6
AC_TO_TIME_LIMIT = 2.0
TIME_LIMIT_TO_TLE = 1.5
_EXPONENTS = [step / 20 for step in range(1, 121)]


class GrowthClass(StrEnum):
    """A class of growth, by the exponent of the fit. `linear` includes n log n."""

    CONSTANT = "constant"
    LINEAR = "linear"
    QUADRATIC = "quadratic"
    CUBIC = "cubic"
    STEEPER = "steeper"


_UPPER_ENDS = (
    (0.5, GrowthClass.CONSTANT),
    (1.6, GrowthClass.LINEAR),
    (2.5, GrowthClass.QUADRATIC),
    (3.5, GrowthClass.CUBIC),
)


@dataclass(frozen=True, slots=True)
class Growth:
    """The fitted exponent, and its class. `is_lower_bound` says that some runs were stopped at their limit."""

    exponent: float
    name: GrowthClass
    is_lower_bound: bool = False


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """A time limit in CPU seconds, and the slowest run of a right program, which it is derived from.

    `program` and `test` are positions. A program that needs `too_slow_s` or more is certainly too slow.
    """

    cpu_time_s: float
    too_slow_s: float
    slowest_s: float
    program: int
    test: int


def fit_growth(sizes: Sequence[float], times_s: Sequence[float], stopped: Sequence[bool] = ()) -> Growth | None:
    """Fit the growth of CPU times with the sizes of inputs; return None if the times do not show it.

    `stopped` says for each run whether it was stopped at its limit; the default is that none was.
    """
    slowest: dict[float, float] = {}
    for size, time_s in zip(sizes, times_s, strict=True):
        if size > 0:
            slowest[size] = max(slowest.get(size, 0.0), time_s)
    points = sorted(slowest.items())
    times = [time_s for _, time_s in points]
    if len(points) < MIN_SIZES or min(times) <= 0:
        return None
    if max(times) - min(times) < MIN_RISE_S or max(times) < MIN_RISE_FACTOR * min(times):
        return None
    exponent = min(_EXPONENTS, key=lambda power: _compute_error(points, power))
    return Growth(exponent, classify(exponent), any(stopped))


def classify(exponent: float) -> GrowthClass:
    """Return the class of an exponent."""
    return next((name for end, name in _UPPER_ENDS if exponent < end), GrowthClass.STEEPER)


def is_class_above(growth: Growth | None, reference: Growth | None) -> bool | None:
    """Return whether a program grows at least one class faster than the reference; None if that is not known."""
    if growth is None or reference is None:
        return None
    above = growth.exponent >= reference.exponent + CLASS_GAP
    return None if growth.is_lower_bound and not above else above


def _compute_error(points: Sequence[tuple[float, float]], power: float) -> float:
    """Return the sum of squared relative errors of the best `a + b * size ** power` with a and b not negative."""
    largest = points[-1][0]
    rows = [(1 / time_s, (size / largest) ** power / time_s) for size, time_s in points]
    aa, ab, bb = (math.fsum(row[i] * row[j] for row in rows) for i, j in ((0, 0), (0, 1), (1, 1)))
    a1, b1 = math.fsum(row[0] for row in rows), math.fsum(row[1] for row in rows)
    determinant = aa * bb - ab * ab
    a = (a1 * bb - b1 * ab) / determinant if determinant > 0 else -1.0
    b = (b1 * aa - a1 * ab) / determinant if determinant > 0 else -1.0
    if a < 0 or b < 0:
        only_b = (0.0, b1 / bb)
        only_a = (a1 / aa, 0.0)
        a, b = min(only_a, only_b, key=lambda pair: _sum_errors(rows, *pair))
    return _sum_errors(rows, a, b)


def _sum_errors(rows: Sequence[tuple[float, float]], a: float, b: float) -> float:
    return math.fsum((a * one + b * other - 1) ** 2 for one, other in rows)


def derive_limit(
    times_s: Sequence[Sequence[float]],
    programs: Sequence[int],
    ac_to_time_limit: float = AC_TO_TIME_LIMIT,
    time_limit_to_tle: float = TIME_LIMIT_TO_TLE,
) -> TimeLimit | None:
    """Derive the limit from `times_s[program][test]` of the right programs; None if there are none.

    `programs` are the positions of the right programs that pass all tests.
    """
    runs = [(times_s[program][test], program, test) for program in programs for test in range(len(times_s[program]))]
    if not runs:
        return None
    slowest_s, program, test = max(runs, key=lambda run: run[0])
    limit_s = slowest_s * ac_to_time_limit
    return TimeLimit(limit_s, limit_s * time_limit_to_tle, slowest_s, program, test)
