"""Fit the growth of a program's time with the size of its input, and derive a time limit from right programs.

Theory of operation. All times are CPU seconds, because elapsed time depends on what else the machine does.

1. Growth. For each size, the slowest test counts. `time = a + b * size ** p` is fitted for many exponents p; a and b
   are not negative, and a is the cost of starting the program. A time is assumed to be accurate to `NOISE` times itself
   and `NOISE_S`. Exponents that fit almost as well as the best one (a chi-squared of at most 4 more, about two standard
   deviations) are possible, too; `low` and `high` are their ends. A run that was stopped at its limit would have taken
   longer, so it only excludes exponents that predict less. If the times rise too little, if there are fewer than
   `MIN_SIZES` sizes, or if the possible exponents differ by more than `MAX_RANGE`, the growth is unknown.
2. A program grows one class faster than another if its lowest possible exponent is larger than the highest one of the
   other by `CLASS_GAP`, and does not if its highest is not larger than the lowest by twice as much. Otherwise it is
   unknown. n log n has an effective exponent of about 1.1 to 1.2, so it is not a class above n, but n * n is.
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
CLASS_GAP = 0.3
MAX_RANGE = 1.0
NOISE, NOISE_S = 0.1, 0.002
MAX_EXTRA_MISFIT = 4.0
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
    """The fitted exponent with the range of possible ones, and its class.

    `is_lower_bound` says that stopped runs leave larger exponents possible; the exponent is then the lowest one.
    """

    exponent: float
    low: float
    high: float
    name: GrowthClass
    is_lower_bound: bool = False


@dataclass(frozen=True, slots=True)
class _Point:
    size: float
    time_s: float
    stopped: bool

    @property
    def noise_s(self) -> float:
        return math.hypot(NOISE * self.time_s, NOISE_S)


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
    slowest: dict[float, _Point] = {}
    for size, time_s, was_stopped in zip(sizes, times_s, stopped or [False] * len(sizes), strict=True):
        if size > 0 and (size not in slowest or (was_stopped, time_s) > (slowest[size].stopped, slowest[size].time_s)):
            slowest[size] = _Point(size, time_s, was_stopped)
    points = sorted(slowest.values(), key=lambda point: point.size)
    times = [point.time_s for point in points]
    finished = [point for point in points if not point.stopped]
    if len(points) < MIN_SIZES or len(finished) < MIN_SIZES - 1:
        return None
    if max(times) - min(times) < MIN_RISE_S or max(times) < MIN_RISE_FACTOR * min(times):
        return None
    misfits = {power: _compute_misfit(points, finished, power) for power in _EXPONENTS}
    best = min(misfits, key=lambda power: misfits[power])
    possible = [power for power, misfit in misfits.items() if misfit <= misfits[best] + MAX_EXTRA_MISFIT]
    low, high = possible[0], possible[-1]
    if high - low <= MAX_RANGE:
        return Growth(best, low, high, classify(best))
    return Growth(low, low, high, classify(low), True) if len(finished) < len(points) else None


def classify(exponent: float) -> GrowthClass:
    """Return the class of an exponent."""
    return next((name for end, name in _UPPER_ENDS if exponent < end), GrowthClass.STEEPER)


def is_class_above(growth: Growth | None, reference: Growth | None) -> bool | None:
    """Return whether a program grows at least one class faster than the reference; None if that is not known."""
    if growth is None or reference is None:
        return None
    if growth.low >= reference.high + CLASS_GAP:
        return True
    return False if growth.high < reference.low + 2 * CLASS_GAP else None


def _compute_misfit(points: Sequence[_Point], finished: Sequence[_Point], power: float) -> float:
    """Return the chi-squared of the best `a + b * size ** power` for the finished runs, a and b not negative.

    A stopped run adds to it if the prediction is less than the time after which it was stopped.
    """
    largest = points[-1].size
    rows = [(1 / point.noise_s, (point.size / largest) ** power / point.noise_s) for point in finished]
    wanted = [point.time_s / point.noise_s for point in finished]
    aa, ab, bb = (math.fsum(row[i] * row[j] for row in rows) for i, j in ((0, 0), (0, 1), (1, 1)))
    a1, b1 = (math.fsum(row[i] * value for row, value in zip(rows, wanted, strict=True)) for i in (0, 1))
    determinant = aa * bb - ab * ab
    pairs = [(a1 / aa, 0.0), (0.0, b1 / bb)] if bb > 0 else [(a1 / aa, 0.0)]
    if determinant > 0:
        both = ((a1 * bb - b1 * ab) / determinant, (b1 * aa - a1 * ab) / determinant)
        pairs = [both] if min(both) >= 0 else pairs

    def measure(a: float, b: float) -> float:
        misfit = math.fsum((a * one + b * other - value) ** 2 for (one, other), value in zip(rows, wanted, strict=True))
        missing = [point.time_s - (a + b * (point.size / largest) ** power) for point in points if point.stopped]
        noises = [point.noise_s for point in points if point.stopped]
        return misfit + math.fsum((max(gap, 0.0) / noise) ** 2 for gap, noise in zip(missing, noises, strict=True))

    return min(measure(*pair) for pair in pairs)


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
