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
from sandbox.problems.problem import InputValidator, Problem, Program, Protocol, Submission
from sandbox.problems.rows.code_contests import LANGUAGES
from sandbox.problems.rows.row import Row, build_submission, get_list, get_text, name_problem, read_cases
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
    validator, generator = get_text(row, "validator", ""), get_text(row, "generator", "")
    with name_the_place("validator"):
        validators = [
            InputValidator(
                name="validator",
                language=TESTLIB_LANGUAGE,
                code=use_precompiled_header(code),
                protocol=Protocol.TESTLIB,
            )
            for code in filter(None, [validator])
        ]
    with name_the_place("generator"):
        generators = [
            Program(name="generator", language=TESTLIB_LANGUAGE, code=use_precompiled_header(code))
            for code in filter(None, [generator])
        ]
    return Problem(
        name=_name(row),
        title=get_text(row, "title", ""),
        format="code-contests-plus",
        statement=get_text(row, "description", ""),
        tests=tuple(tests),
        checker=_build_checker(get_text(row, "checker", "")),
        limits=build_limits(_read_seconds(row.get("time_limit")), row.get("memory_limit"), where="limits"),
        submissions=(*right, *wrong),
        input_validators=tuple(validators),
        generators=tuple(generators),
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


def _build_checker(code: str) -> Checker:
    if not code.strip():
        return CodeforcesChecker(type="codeforces")
    with name_the_place("checker"):
        return ProgramChecker(type="program", language=TESTLIB_LANGUAGE, code=use_precompiled_header(code))


def _read_submissions(row: Row, field: str, *, is_right: bool) -> tuple[list[Submission], list[str]]:
    found: list[Submission] = []
    skipped = 0
    for number, entry in enumerate(get_list(row, field)):
        if not isinstance(entry, Mapping) or not isinstance(entry.get("code"), str):
            raise Unsupported(f"{field}[{number}]", "must have code and language")
        language = entry.get("language")
        name = LANGUAGES.get(language, "") if isinstance(language, int) else str(language)
        submission = build_submission(f"{field}[{number}]", name, entry["code"], is_right=is_right)
        if submission is None:
            skipped += 1
        else:
            found.append(submission)
    return found, [f"{field}: {skipped} programs in languages that are not supported"] if skipped else []
