"""Detect a row's data set from its fields, and read rows of all data sets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sandbox.problems.problem import Problem
from sandbox.problems.rows import (
    apps,
    code_contests,
    code_contests_plus,
    hard_tests,
    live_code_bench,
    open_r1_codeforces,
    test_case_eval,
)
from sandbox.problems.rows.row import Row
from sandbox.problems.unsupported import Unsupported

READERS: dict[str, Callable[[Row], Problem]] = {
    "apps": apps.read_row,
    "taco": partial(apps.read_row, data_set="taco"),
    "code-contests": code_contests.read_row,
    "code-contests-plus": code_contests_plus.read_row,
    "hard-tests": hard_tests.read_row,
    "live-code-bench": live_code_bench.read_row,
    "open-r1-codeforces": open_r1_codeforces.read_row,
    "testcase-eval": test_case_eval.read_row,
}
# The fields that identify a data set, the most specific first.
_SIGNS = (
    ("hard-tests", {"pid", "test_cases_kit"}),
    ("code-contests-plus", {"correct_submissions"}),
    ("code-contests", {"public_tests"}),
    ("live-code-bench", {"question_content", "public_test_cases"}),
    ("open-r1-codeforces", {"official_tests"}),
    ("testcase-eval", {"problem_id", "examples"}),
    ("taco", {"input_output", "raw_tags"}),
    ("apps", {"input_output"}),
)


def detect(row: Row) -> str:
    """Return the name of the data set that has the fields of this row. Raises Unsupported."""
    for name, signs in _SIGNS:
        if signs <= row.keys():
            return name
    fields = ", ".join(sorted(map(str, row))[:12])
    raise Unsupported("row", f"no known data set has the fields {fields}; the known ones are {', '.join(READERS)}")


def read_row(row: Row, name: str = "", *, examples_only: bool = False) -> Problem:
    """Build a problem from a row of the named data set, or of the one detected. Raises Unsupported."""
    name = name or detect(row)
    if name == "testcase-eval":
        return test_case_eval.read_row(row, examples_only=examples_only)
    return READERS[name](row)
