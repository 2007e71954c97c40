"""Read rows of LiveCodeBench's code generation sets.

Fields (https://huggingface.co/datasets/livecodebench/code_generation_lite): `question_id`, `question_title`,
`question_content`, `starter_code`, `public_test_cases` (JSON text of a list of `{"input", "output", "testtype"}`),
`private_test_cases` (the same, or base64 of zlib of a pickled JSON text) and `metadata` (JSON text with `func_name`).

The packed tests are decoded by `sandbox.rewards.packed_tests`, which never unpickles: it reads only strings, numbers,
lists and dicts, and bounds their total size.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sandbox.problems.limits import build_limits
from sandbox.problems.problem import Problem, ProblemTest
from sandbox.problems.rows.row import Row, get_json, get_text, name_problem
from sandbox.problems.unsupported import Unsupported, name_the_place
from sandbox.rewards.expected_call import ExpectedCall, build_function_test
from sandbox.rewards.packed_tests import NotPacked, unpack_tests
from sandbox.schema import FunctionTest, TestCase
from sandbox.schema.checkers import Checker, LiveCodeBenchChecker, TokensChecker

TIME_LIMIT_S = 6.0  # of the benchmark's own runner, for each test


def read_row(row: Row) -> Problem:
    """Build a problem from a row. Raises Unsupported."""
    public, private = _read_cases(row, "public_test_cases"), _read_cases(row, "private_test_cases")
    if not private:
        raise Unsupported("private_test_cases", "is missing or empty, and the public tests alone accept wrong programs")
    kinds = {str(case.get("testtype") or "stdin") for case in (*public, *private)}
    if not kinds <= {"stdin", "functional"} or len(kinds) > 1:
        raise Unsupported("testtype", f"all tests must be stdin, or all functional, not {', '.join(sorted(kinds))}")
    name = _find_function(row) if kinds == {"functional"} else ""
    build = _build_call if name else _build_stdin_test
    tests = [
        ProblemTest(name=f"{field}/{number}", is_sample=is_sample, test=build(case, f"{field}[{number}]"))
        for field, cases, is_sample in (("public_test_cases", public, True), ("private_test_cases", private, False))
        for number, case in enumerate(cases)
    ]
    checker: Checker = TokensChecker(type="tokens") if name else LiveCodeBenchChecker(type="livecodebench")
    return Problem(
        name=name_problem(row, "question_id", "question_title"),
        title=get_text(row, "question_title", ""),
        format="live-code-bench",
        statement=get_text(row, "question_content", ""),
        tests=tuple(tests),
        entry_point=f"Solution.{name}" if name and "class Solution" in get_text(row, "starter_code", "") else name,
        language="python" if name else None,
        checker=checker,
        limits=build_limits(TIME_LIMIT_S, where="limits"),
    )


def _read_cases(row: Row, field: str) -> list[Mapping[str, Any]]:
    value = row.get(field)
    if isinstance(value, str) and value.strip() and value.lstrip()[:1] not in "[{":
        try:
            value = unpack_tests(value)
        except NotPacked as error:
            raise Unsupported(field, str(error)) from None
    else:
        value = get_json(row, field)
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unsupported(field, f"must be a list of tests, not {type(value).__name__}")
    for number, case in enumerate(value):
        if not isinstance(case, Mapping) or not {"input", "output"} <= case.keys():
            raise Unsupported(f"{field}[{number}]", "must have input and output")
    return value


def _find_function(row: Row) -> str:
    metadata = get_json(row, "metadata")
    name = metadata.get("func_name") if isinstance(metadata, Mapping) else None
    if not isinstance(name, str) or not name:
        raise Unsupported("metadata.func_name", "functional tests need the name of the function")
    return name


def _build_stdin_test(case: Mapping[str, Any], where: str) -> TestCase:
    with name_the_place(where):
        return TestCase(stdin=case["input"], expected=case["output"])


def _build_call(case: Mapping[str, Any], where: str) -> FunctionTest:
    """Build a call from text with one JSON value per line."""
    try:
        arguments = [json.loads(line) for line in case["input"].split("\n") if line.strip()]
        expected = json.loads(case["output"])
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise Unsupported(where, f"input and output must have one JSON value per line: {error}") from None
    with name_the_place(where):
        return FunctionTest(**build_function_test(ExpectedCall.from_livecodebench(arguments, expected)))
