"""`python -m tests.security figures`: run every attack on every available engine, and print how many were contained."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.security.test_asserts import test_an_attack_passes_no_assert_test_and_leaves_the_next_program_unharmed

ASSERT_ATTACK = test_an_attack_passes_no_assert_test_and_leaves_the_next_program_unharmed.__name__
FOLDER = Path(__file__).parent


class Figures:
    """A pytest plugin that counts attacks.

    A test is one engine's group of attacks, or a single attack on assert tests.
    """

    def __init__(self) -> None:
        self.tried: Counter[str] = Counter()
        self.contained: Counter[str] = Counter()
        self.skipped: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        properties = dict(report.user_properties)
        if report.skipped and "test_every_attack" in report.nodeid:
            self.skipped.add(_find_engine(report))
        if report.when != "call":
            return
        if "attacks" in properties:
            tried, escaped = int(str(properties["attacks"])), int(str(properties["uncontained"]))
            # If a whole group fails without naming an attack, none of its attacks counts as contained.
            contained = 0 if report.failed and not escaped else tried - escaped
            self.tried[_find_engine(report)] += tried
            self.contained[_find_engine(report)] += contained
        elif f"::{ASSERT_ATTACK}[" in report.nodeid:
            self.tried["asserts"] += 1
            self.contained["asserts"] += report.passed


def _find_engine(report: pytest.TestReport) -> str:
    return "local" if "-local" in report.nodeid or "[local" in report.nodeid else "docker"


def main() -> int:
    if sys.argv[1:] != ["figures"]:
        print(__doc__, file=sys.stderr)
        return 2
    figures = Figures()
    code = pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", str(FOLDER)], plugins=[figures])
    for engine in sorted(figures.skipped):
        print(f"{engine}: not tried, because this machine lacks isolation layers that it needs")
    for engine, tried in figures.tried.items():
        print(f"{engine}: attacks tried {tried}, contained {figures.contained[engine]}")
    print(f"attacks tried {figures.tried.total()}, contained {figures.contained.total()}")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
