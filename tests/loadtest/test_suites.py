"""The benchmark of test suites: more seeds for generated tests, and the comparison of calibrations."""

from __future__ import annotations

import pytest

from loadtest.suites import Calibration, PackageSuite, add_seeds, compute_total_ratio

RULES = """\
data:
  secret:
    data:
      01-one:
        in: |
          1
      02-big: gen.py random 100 1
"""


def test_only_generated_tests_get_more_seeds() -> None:
    assert add_seeds(RULES, 2) == RULES + (
        "      02-big-0: gen.py random 100 100\n      02-big-1: gen.py random 100 101\n"
    )


def test_a_drift_compares_medians_and_a_ratio_adds_up_the_time() -> None:
    assert Calibration("a", [1.0, 1.0, 9.0], [1.05, 0.2, 5.0]).drift == pytest.approx(0.05)
    suites = [PackageSuite("a", 9, 3, 4.0, 1.0, 1.0), PackageSuite("b", 9, 3, 2.0, 1.0, 1.0)]
    assert compute_total_ratio(suites) == 3.0
