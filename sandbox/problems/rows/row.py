"""Read the fields of a data set's row. Every error names the field."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from sandbox.problems.problem import FAILURES, OUTCOMES, ProblemTest, Submission
from sandbox.problems.unsupported import Unsupported, name_the_place
from sandbox.runner.contract import Verdict
from sandbox.schema import TestCase

ACCEPTED = frozenset({Verdict.ACCEPTED})
# CodeContests and CodeContests+ number their languages.
_NUMBERED_LANGUAGES = {0: "unknown", 1: "python2", 2: "cpp", 3: "python3", 4: "java"}
_LANGUAGES = {
    **dict.fromkeys(("cpp", "c++", "cxx", "cc"), "cpp17"),
    **dict.fromkeys(("py3", "python3", "python", "pypy3"), "python"),
    **dict.fromkeys(("java",), "java"),
}

Row = Mapping[str, Any]


def get_text(row: Row, field: str, default: str | None = None) -> str:
    """Return a field that must be text. Without a default, it is required. Raises Unsupported."""
    value = row.get(field)
    if value is None and default is not None:
        return default
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise Unsupported(field, "is missing" if value is None else f"must be text, not {type(value).__name__}")
    return value


def get_number(row: Row, field: str) -> float | None:
    """Return a field that is a finite number, or None if it is absent. Raises Unsupported."""
    value = row.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Unsupported(field, f"{value!r} is not a number")
    return value


def get_json(row: Row, field: str) -> Any:
    """Return the value of a field; a string is parsed as JSON. Raises Unsupported."""
    value = row.get(field)
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise Unsupported(field, f"is not JSON: {error}") from None


def get_list(row: Row, field: str) -> list[Any]:
    """Return a field that is a list, or JSON text of one; an absent field is an empty list. Raises Unsupported."""
    value = get_json(row, field)
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unsupported(field, f"must be a list, not {type(value).__name__}")
    return value


def build_stdin_tests(pairs: Iterable[tuple[Any, Any]], field: str, *, is_sample: bool = False) -> list[ProblemTest]:
    """Build tests from pairs of input and output. Raises Unsupported."""
    tests = []
    for number, (stdin, expected) in enumerate(pairs):
        if not isinstance(stdin, str) or not isinstance(expected, str):
            raise Unsupported(f"{field}[{number}]", "input and output must be text")
        with name_the_place(f"{field}[{number}]"):
            case = TestCase(stdin=stdin, expected=expected)
        tests.append(ProblemTest(name=f"{field}/{number}", is_sample=is_sample, test=case))
    return tests


def read_cases(row: Row, field: str, *, is_sample: bool = False) -> list[ProblemTest]:
    """Build tests from a list of `{"input": ..., "output": ...}`. Raises Unsupported."""
    cases = get_list(row, field)
    for number, case in enumerate(cases):
        if not isinstance(case, Mapping) or not {"input", "output"} <= case.keys():
            raise Unsupported(f"{field}[{number}]", "must have input and output")
    return build_stdin_tests(((case["input"], case["output"]) for case in cases), field, is_sample=is_sample)


def pair_columns(value: Any, field: str, names: tuple[str, str] = ("input", "output")) -> list[tuple[Any, Any]]:
    """Return the pairs of `{"input": [...], "output": [...]}`, or of columns with other names. Raises Unsupported."""
    if value is None:
        return []
    columns = [value.get(name) for name in names] if isinstance(value, Mapping) else []
    if not columns or not all(isinstance(column, list) for column in columns):
        raise Unsupported(field, f"must have the lists {' and '.join(names)}")
    lengths = [len(value[name]) for name in names]
    if lengths[0] != lengths[1]:
        raise Unsupported(field, f"the lists {' and '.join(names)} have {lengths[0]} and {lengths[1]} entries")
    return list(zip(*columns, strict=True))


def use_files(test: ProblemTest, input_file: str, output_file: str) -> ProblemTest:
    """Move a test's input and output into the files that the program reads and writes; an empty name means none."""
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


def build_submissions(
    programs: Iterable[tuple[Any, Any]], field: str, *, is_right: bool
) -> tuple[list[Submission], list[str]]:
    """Build submissions from pairs of code and language, which is a name or CodeContests' number.

    Returns the submissions, and a line about those that this service cannot run. Raises Unsupported.
    """
    found: list[Submission] = []
    skipped = 0
    for number, (code, language) in enumerate(programs):
        if not isinstance(code, str):
            raise Unsupported(f"{field}[{number}]", "must have code and language")
        name = _NUMBERED_LANGUAGES.get(language, "") if isinstance(language, int) else str(language)
        submission = build_submission(f"{field}[{number}]", name, code, is_right=is_right)
        if submission is None:
            skipped += 1
        else:
            found.append(submission)
    return found, [f"{field}: {skipped} programs in languages that are not supported"] if skipped else []


def build_submission(name: str, language: str, code: str, *, is_right: bool) -> Submission | None:
    """Return a submission, or None if no language of this service runs it, such as Python 2."""
    known = _LANGUAGES.get(language.lower())
    if known is None:
        return None
    permitted, required = (ACCEPTED, ACCEPTED) if is_right else (OUTCOMES, FAILURES)
    with name_the_place(name):
        return Submission(name=name, language=known, code=code, permitted=permitted, required=required)


def name_problem(row: Row, *fields: str) -> str:
    """Return the problem's name, from the first of `fields` that holds one. Raises Unsupported."""
    for field in fields:
        value = row.get(field)
        if value not in (None, "") and isinstance(value, str | int):
            return str(value)
    raise Unsupported(fields[0], f"the row has no name: {' or '.join(fields)} is needed")


def name_by_content(row: Row, prefix: str) -> str:
    """Return a name for a row that has none. It depends only on the row's content, not on its position."""
    text = json.dumps([row.get("question"), row.get("input_output")], default=str)
    return f"{prefix}-{sha256(text.encode(errors='surrogatepass')).hexdigest()[:16]}"
