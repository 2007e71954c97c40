"""Read rows of CodeContests.

Fields (https://huggingface.co/datasets/deepmind/code_contests): `name`, `description`, `public_tests`,
`private_tests` and `generated_tests` (each `{"input": [...], "output": [...]}`), `solutions` and
`incorrect_solutions` (each `{"language": [...], "solution": [...]}`), `time_limit` (`{"seconds", "nanos"}` or null),
`memory_limit_bytes`, `input_file` and `output_file` (empty for stdin and stdout).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.problems.limits import build_limits
from sandbox.problems.problem import Problem, ProblemTest, Submission
from sandbox.problems.rows.row import (
    Row,
    build_stdin_tests,
    build_submissions,
    get_number,
    get_text,
    name_problem,
    pair_columns,
    use_files,
)
from sandbox.problems.unsupported import Unsupported

TEST_FIELDS = ("public_tests", "private_tests", "generated_tests")
NANOSECONDS = 1e-9


def read_row(row: Row) -> Problem:
    """Build a problem from a row. Raises Unsupported."""
    tests: list[ProblemTest] = []
    for field in TEST_FIELDS:
        pairs = pair_columns(row.get(field), field)
        tests += build_stdin_tests(pairs, field, is_sample=field == "public_tests")
    if all(test.is_sample for test in tests):
        raise Unsupported("private_tests", "the row has only public tests, or none: they would accept wrong programs")
    tests = [use_files(test, get_text(row, "input_file", ""), get_text(row, "output_file", "")) for test in tests]
    right, left_out = _read_solutions(row, "solutions", is_right=True)
    wrong, more_left_out = _read_solutions(row, "incorrect_solutions", is_right=False)
    memory_bytes = get_number(row, "memory_limit_bytes") or 0
    return Problem(
        name=name_problem(row, "name"),
        title=get_text(row, "name", ""),
        format="code-contests",
        statement=get_text(row, "description", ""),
        tests=tuple(tests),
        limits=build_limits(_read_seconds(row.get("time_limit")), memory_bytes / 2**20, where="limits"),
        submissions=(*right, *wrong),
        left_out=(*left_out, *more_left_out),
    )


def _read_seconds(value: Any) -> float | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise Unsupported("time_limit", "must have seconds and nanos")
    return (get_number(value, "seconds") or 0) + (get_number(value, "nanos") or 0) * NANOSECONDS


def _read_solutions(row: Row, field: str, *, is_right: bool) -> tuple[list[Submission], list[str]]:
    pairs = pair_columns(row.get(field), field, ("solution", "language"))
    return build_submissions(pairs, field, is_right=is_right)
