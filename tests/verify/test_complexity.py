"""Fits of CPU times, and time limits that follow from them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from sandbox.runner.contract import Verdict
from sandbox.verify.complexity import GrowthClass, derive_limit, fit_growth, is_class_above
from sandbox.verify.quality import Row, measure_quality
from sandbox.verify.quality_report import ProgramKind
from sandbox.verify.quality_timing import add_timing

SIZES = [float(size) for size in (10, 50, 200, 1_000, 5_000, 20_000, 100_000)]


def measure(rule: Callable[[float], float], slowest_s: float, seed: int = 0, start_s: float = 0.02) -> list[float]:
    """Return noisy times that rise by a rule to `slowest_s` on top of the start of the program."""
    noise = random.Random(seed)
    top = rule(SIZES[-1])
    return [(start_s + slowest_s * rule(size) / top) * noise.uniform(0.93, 1.07) for size in SIZES]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("rule", "name", "exponent"),
    [
        (lambda n: n, GrowthClass.LINEAR, 1.0),
        (lambda n: n * math.log(n), GrowthClass.LINEAR, 1.1),
        (lambda n: n**1.5, GrowthClass.LINEAR, 1.5),
        (lambda n: n * n, GrowthClass.QUADRATIC, 2.0),
        (lambda n: n**3, GrowthClass.CUBIC, 3.0),
    ],
)
def test_a_fit_finds_the_growth_in_spite_of_start_up_and_noise(
    rule: Callable[[float], float], name: GrowthClass, exponent: float, seed: int
) -> None:
    growth = fit_growth(SIZES, measure(rule, 2.0, seed))
    assert growth is not None
    assert growth.exponent == pytest.approx(exponent, abs=0.25)
    if exponent != 1.5:
        assert growth.name is name


def test_growth_is_unknown_if_times_do_not_show_it() -> None:
    assert fit_growth(SIZES, [0.02] * 7) is None
    assert fit_growth(SIZES, [0.02, 0.021, 0.02, 0.022, 0.02, 0.021, 0.024]) is None
    assert fit_growth(SIZES[:3], [0.1, 0.5, 2.0]) is None, "too few sizes"
    assert fit_growth([5.0] * 7, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]) is None, "one size"


def test_growth_is_unknown_if_many_exponents_fit() -> None:
    assert fit_growth([10, 20, 30, 100_000], [0.002, 0.002, 0.002, 0.11]) is None, "one large size tells nothing"


def test_the_slowest_test_of_a_size_counts() -> None:
    times = measure(lambda n: n, 2.0)
    growth = fit_growth([*SIZES, *SIZES], [*times, *([0.02] * 7)])
    assert growth == fit_growth(SIZES, times)


def test_a_class_above_needs_a_clear_gap() -> None:
    linear, sorting, square = (
        fit_growth(SIZES, measure(rule, 1.0)) for rule in (lambda n: n, lambda n: n * math.log(n), lambda n: n * n)
    )
    assert is_class_above(square, linear) is True
    assert is_class_above(square, sorting) is True
    assert is_class_above(sorting, linear) is False
    assert is_class_above(square, None) is None


def test_a_stopped_run_excludes_exponents_that_predict_less() -> None:
    whole = measure(lambda n: n * n, 40.0)
    times = [min(time_s, 3.0) for time_s in whole]
    growth = fit_growth(SIZES, times, [time_s >= 3.0 for time_s in whole])
    linear = fit_growth(SIZES, measure(lambda n: n, 0.4))
    assert growth is not None
    assert growth.low > 1.4
    assert is_class_above(growth, linear) is True
    hidden = fit_growth(SIZES, [0.02] * 5 + [0.03, 1.0], [False] * 6 + [True])
    assert hidden is None or hidden.is_lower_bound


def test_the_limit_is_a_factor_times_the_slowest_right_run() -> None:
    limit = derive_limit([[0.1, 0.4], [0.2, 0.3], [9.0, 9.0]], [0, 1])
    assert limit is not None
    assert (limit.cpu_time_s, limit.slowest_s, limit.program, limit.test) == (0.8, 0.4, 0, 1)
    assert limit.too_slow_s == pytest.approx(1.2)
    other = derive_limit([[0.1, 0.4]], [0], 5.0, 2.0)
    assert other is not None
    assert (other.cpu_time_s, other.too_slow_s) == (2.0, 4.0)
    assert derive_limit([[0.1]], []) is None


def test_the_report_says_which_tests_only_slow_programs_fail_and_who_grows_faster() -> None:
    accepted, wrong, late = Verdict.ACCEPTED, Verdict.WRONG_ANSWER, Verdict.TIME_LIMIT_EXCEEDED
    fast, slow = measure(lambda n: n, 0.8), measure(lambda n: n * n, 8.0)
    rows = [
        Row("fast", ProgramKind.RIGHT, [accepted] * 7, fast),
        Row("fails", ProgramKind.RIGHT, [wrong] + [accepted] * 6, [9.0] * 7),
        Row("slow", ProgramKind.WRONG, [accepted] * 6 + [late], slow),
        Row("wrong", ProgramKind.WRONG, [accepted, wrong, *[accepted] * 5], fast),
    ]
    report = add_timing(measure_quality(rows), rows, SIZES, (2.0, 1.5))
    assert report.slow_only == [6]
    assert report.time_limit is not None
    assert report.time_limit.slowest_s == pytest.approx(fast[6], abs=1e-6)
    assert report.time_limit.is_largest_test
    growths = [program.growth for program in report.programs]
    assert growths[1] is None
    assert [growth and growth.above_right for growth in growths] == [None, None, True, False]
    assert [growth and growth.name for growth in growths] == ["linear", None, "quadratic", "linear"]


@pytest.mark.parametrize("verdict", [Verdict.TIME_LIMIT_EXCEEDED, Verdict.INTERNAL_ERROR, Verdict.SKIPPED])
def test_there_is_no_limit_if_the_time_of_a_right_program_is_unknown(verdict: Verdict) -> None:
    times = measure(lambda n: n, 0.8)
    rows = [
        Row("fast", ProgramKind.RIGHT, [Verdict.ACCEPTED] * 7, times),
        Row("unknown", ProgramKind.RIGHT, [Verdict.ACCEPTED] * 6 + [verdict], times),
    ]
    assert add_timing(measure_quality(rows), rows, SIZES, (2.0, 1.5)).time_limit is None
