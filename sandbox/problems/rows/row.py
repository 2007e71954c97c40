"""Read the fields of a data set's row. Every error names the field."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from sandbox.problems.problem import FAILURES, OUTCOMES, ProblemTest, Submission
from sandbox.problems.unsupported import Unsupported, name_the_place
from sandbox.runner.contract import Verdict
from sandbox.schema import TestCase

ACCEPTED = frozenset({Verdict.ACCEPTED})
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


def build_stdin_tests(
    pairs: Iterable[tuple[Any, Any]], field: str, *, group: str = "", is_sample: bool = False
) -> list[ProblemTest]:
    """Build tests from pairs of input and output. Raises Unsupported."""
    tests = []
    for number, (stdin, expected) in enumerate(pairs):
        if not isinstance(stdin, str) or not isinstance(expected, str):
            raise Unsupported(f"{field}[{number}]", "input and output must be text")
        with name_the_place(f"{field}[{number}]"):
            case = TestCase(stdin=stdin, expected=expected)
        tests.append(ProblemTest(name=f"{field}/{number}", group=group or field, is_sample=is_sample, test=case))
    return tests


def read_cases(row: Row, field: str, *, is_sample: bool = False) -> list[ProblemTest]:
    """Build tests from a list of `{"input": ..., "output": ...}`. Raises Unsupported."""
    cases = get_list(row, field)
    for number, case in enumerate(cases):
        if not isinstance(case, Mapping) or not {"input", "output"} <= case.keys():
            raise Unsupported(f"{field}[{number}]", "must have input and output")
    return build_stdin_tests(((case["input"], case["output"]) for case in cases), field, is_sample=is_sample)


def pair_columns(value: Any, field: str) -> list[tuple[Any, Any]]:
    """Return the pairs of `{"input": [...], "output": [...]}`. Raises Unsupported."""
    if value is None:
        return []
    if not isinstance(value, Mapping) or not all(isinstance(value.get(name), list) for name in ("input", "output")):
        raise Unsupported(field, "must have the lists input and output")
    if len(value["input"]) != len(value["output"]):
        raise Unsupported(field, f"has {len(value['input'])} inputs and {len(value['output'])} outputs")
    return list(zip(value["input"], value["output"], strict=True))


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
