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
from sandbox.problems.rows.row import Row, build_stdin_tests, build_submission, get_text, name_problem, pair_columns
from sandbox.problems.unsupported import Unsupported, name_the_place
from sandbox.schema import TestCase

LANGUAGES = {0: "unknown", 1: "python2", 2: "cpp", 3: "python3", 4: "java"}
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
    tests = [_use_files(test, get_text(row, "input_file", ""), get_text(row, "output_file", "")) for test in tests]
    right, left_out = read_solutions(row, "solutions", is_right=True)
    wrong, more_left_out = read_solutions(row, "incorrect_solutions", is_right=False)
    memory_bytes = row.get("memory_limit_bytes") or 0
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
    return float(value.get("seconds") or 0) + float(value.get("nanos") or 0) * NANOSECONDS


def _use_files(test: ProblemTest, input_file: str, output_file: str) -> ProblemTest:
    """Move a test's input and output into the files that the program reads and writes."""
    if not input_file and not output_file:
        return test
    case = test.test
    assert isinstance(case, TestCase)
    fields: dict[str, Any] = {} if input_file else {"stdin": case.stdin}
    if input_file:
        fields["files"] = {input_file: case.stdin_bytes}
    if output_file:
        fields["expected_files"] = {output_file: case.expected_bytes}
    else:
        fields["expected"] = case.expected
    with name_the_place("input_file" if input_file else "output_file"):
        return test.model_copy(update={"test": TestCase(**fields)})


def read_solutions(row: Row, field: str, *, is_right: bool) -> tuple[list[Submission], list[str]]:
    """Return the programs of a column, and a line about those that this service cannot run."""
    value = row.get(field)
    if value is None:
        return [], []
    if not isinstance(value, Mapping) or len(value.get("language", ())) != len(value.get("solution", ())):
        raise Unsupported(field, "must have the lists language and solution, of equal length")
    found: list[Submission] = []
    skipped = 0
    for number, (code, language) in enumerate(zip(value["solution"], value["language"], strict=True)):
        name = LANGUAGES.get(language, str(language)) if isinstance(language, int) else str(language)
        submission = build_submission(f"{field}[{number}]", name, code, is_right=is_right)
        if submission is None:
            skipped += 1
        else:
            found.append(submission)
    return found, [f"{field}: {skipped} programs in languages that are not supported"] if skipped else []
