"""Read rows of CodeContests+, whose checkers, validators and generators are C++ programs written for testlib.

Fields (https://huggingface.co/datasets/ByteDance-Seed/Code-Contests-Plus, configurations 1x to 5x): `source`, `id`,
`title`, `description`, `time_limit` (milliseconds), `memory_limit` (MB), `validator`, `generator`, `generator_cmd`,
`checker`, `correct_submissions` and `incorrect_submissions` (lists of `{"code", "language"}`), `test_cases` (a list of
`{"input", "output"}`), `true_positive_rate`, `true_negative_rate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.problems.limits import build_limits
from sandbox.problems.problem import InputValidator, Problem, Protocol, Submission
from sandbox.problems.rows.row import Row, build_submissions, get_list, get_number, get_text, name_problem, read_cases
from sandbox.problems.testlib import use_precompiled_header
from sandbox.problems.unsupported import Unsupported, name_the_place
from sandbox.schema.checkers import Checker, CodeforcesChecker, ProgramChecker

TESTLIB_LANGUAGE = "cpp17"
MIN_TIME_LIMIT_MS = 50


def read_row(row: Row) -> Problem:
    """Build a problem from a row. Raises Unsupported."""
    tests = read_cases(row, "test_cases")
    if not tests:
        raise Unsupported("test_cases", "the row has no tests; use one of the configurations 1x to 5x")
    right, left_out = _read_submissions(row, "correct_submissions", is_right=True)
    wrong, more_left_out = _read_submissions(row, "incorrect_submissions", is_right=False)
    if get_text(row, "generator", ""):
        more_left_out.append("generator: its tests are in test_cases")
    return Problem(
        name=_name(row),
        title=get_text(row, "title", ""),
        format="code-contests-plus",
        statement=get_text(row, "description", ""),
        tests=tuple(tests),
        checker=_build_checker(get_text(row, "checker", "")),
        limits=build_limits(_read_seconds(row.get("time_limit")), get_number(row, "memory_limit"), where="limits"),
        submissions=(*right, *wrong),
        input_validators=_read_validators(row),
        left_out=(*left_out, *more_left_out),
    )


def _name(row: Row) -> str:
    source, name = get_text(row, "source", ""), name_problem(row, "id", "title")
    return f"{source}/{name}" if source else name


def _read_seconds(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < MIN_TIME_LIMIT_MS:
        raise Unsupported("time_limit", f"{value!r} is not a number of milliseconds of at least {MIN_TIME_LIMIT_MS}")
    return value / 1000


def _read_validators(row: Row) -> tuple[InputValidator, ...]:
    source = get_text(row, "validator", "")
    if not source.strip():
        return ()
    code = use_precompiled_header(source)
    with name_the_place("validator"):
        return (InputValidator(name="validator", language=TESTLIB_LANGUAGE, code=code, protocol=Protocol.TESTLIB),)


def _build_checker(code: str) -> Checker:
    if not code.strip():
        return CodeforcesChecker(type="codeforces")
    with name_the_place("checker"):
        return ProgramChecker(type="program", language=TESTLIB_LANGUAGE, code=use_precompiled_header(code))


def _read_submissions(row: Row, field: str, *, is_right: bool) -> tuple[list[Submission], list[str]]:
    entries = get_list(row, field)
    for number, entry in enumerate(entries):
        if not isinstance(entry, Mapping):
            raise Unsupported(f"{field}[{number}]", "must have code and language")
    return build_submissions(((each.get("code"), each.get("language")) for each in entries), field, is_right=is_right)
