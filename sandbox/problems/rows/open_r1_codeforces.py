"""Read rows of open-r1/codeforces.

Fields (https://huggingface.co/datasets/open-r1/codeforces): `id`, `title`, `description`, `time_limit` (seconds),
`memory_limit` (MB), `examples` and `official_tests` (lists of `{"input", "output"}`), `official_tests_complete`,
`input_mode` (`stdio` or `file`), `interaction_format`, `generated_checker` (a Python program, or null), `executable`,
`generated_tests` (the number of tests in a separate file of the data set).
"""

from __future__ import annotations

from sandbox.problems.limits import build_limits, parse_mebibytes, parse_seconds
from sandbox.problems.problem import Problem, ProblemTest
from sandbox.problems.python_checkers import adapt_score_checker
from sandbox.problems.rows.row import Row, get_text, name_problem, read_cases, use_files
from sandbox.problems.unsupported import Unsupported
from sandbox.schema import TestCase
from sandbox.schema.checkers import Checker, CodeforcesChecker

INPUT_FILE, OUTPUT_FILE = "input.txt", "output.txt"


def read_row(row: Row) -> Problem:
    """Build a problem from a row. Raises Unsupported."""
    _reject_unverifiable(row)
    checker = _build_checker(row)
    tests = _collect_tests(row)
    if row.get("input_mode") == "file":
        if checker.type != "codeforces":
            raise Unsupported("input_mode", "a generated checker judges stdout, but the program writes a file")
        tests = [use_files(test, INPUT_FILE, OUTPUT_FILE) for test in tests]
    return Problem(
        name=name_problem(row, "id"),
        title=get_text(row, "title", ""),
        format="open-r1-codeforces",
        statement=get_text(row, "description", ""),
        tests=tuple(tests),
        checker=checker,
        limits=build_limits(
            parse_seconds(row.get("time_limit"), "time_limit"),
            parse_mebibytes(row.get("memory_limit"), "memory_limit"),
            where="limits",
        ),
    )


def _reject_unverifiable(row: Row) -> None:
    if get_text(row, "interaction_format", "").strip():
        raise Unsupported("interaction_format", "the problem is interactive, and the data set has no interactor")
    if row.get("executable") is False:
        raise Unsupported("executable", "the data set says that the problem cannot be judged by running programs")
    if get_text(row, "input_mode", "stdio") not in {"stdio", "file"}:
        raise Unsupported("input_mode", f"must be stdio or file, not {row['input_mode']!r}")


def _collect_tests(row: Row) -> list[ProblemTest]:
    official = read_cases(row, "official_tests")
    if not official:
        raise Unsupported("official_tests", "the row has only the statement's examples, which accept wrong programs")
    if row.get("official_tests_complete") is not True:
        more = row.get("generated_tests") or 0
        raise Unsupported(
            "official_tests_complete",
            "long tests are missing from the row, so it would accept wrong programs"
            + (f"; the {more} generated tests are in another file of the data set" if more else ""),
        )
    known = {test.test.stdin_bytes.strip() for test in official if isinstance(test.test, TestCase)}
    samples = [
        test
        for test in read_cases(row, "examples", is_sample=True)
        if isinstance(test.test, TestCase) and test.test.stdin_bytes.strip() not in known
    ]
    return [*samples, *official]


def _build_checker(row: Row) -> Checker:
    source = get_text(row, "generated_checker", "")
    if not source.strip():
        return CodeforcesChecker(type="codeforces")
    return adapt_score_checker(source, "generated_checker")
