"""Read tests in the formats that data sets publish them in: ground truths, labels, verification_info columns.

| shape                                                       | found in                                  |
| ----------------------------------------------------------- | ----------------------------------------- |
| [{"stdin": ..., "expected": ...}, ...], any kind of test    | this service                              |
| [{"input": ..., "output": ...}, ...]                        | open-r1, LiveCodeBench                    |
| [{"input": ..., "expectedOutput": ...}, ...]                | AReaL                                     |
| {"inputs": [...], "outputs": [...]}                         | verl, PRIME, APPS, TACO                   |
| {"fn_name": ..., "inputs": [...], "outputs": [...]}         | the same, for tasks that call a function  |
| {"assert_case": [...], "inputs": [...], "outputs": [...]}   | verl                                      |
| ["assert ...", ...] or {"test_list": [...]}                 | open-instruct, MBPP                       |
| {"test_cases": [...]} or {"tests": [...]} of those          | open-r1's verification_info               |
| JSON text of any of these, a Python literal, or packed text | columns that have to be strings           |

LiveCodeBench and verl pack their tests: base64 of zlib of JSON, or of a pickled string of JSON. If a task calls a
function by its `fn_name`, its programs get CALL_PREAMBLE in front, because the graders of these data sets import these
names too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sandbox.errors import BadRequest
from sandbox.rewards.column_text import to_plain
from sandbox.schema import MAX_NAME_CHARS, MAX_TESTS, AssertTest, CommandTest, FunctionTest, PytestTest, TestCase
from sandbox.schema.tests import AnyTest

# The built-in functions come last because `math` and `operator` define a `pow` of their own.
CALL_PREAMBLE = """\
import bisect, collections, copy, datetime, functools, heapq, itertools, json, math, operator, random, re, string, sys
from bisect import *
from collections import *
from functools import *
from heapq import *
from itertools import *
from math import *
from operator import *
from string import *
from typing import *
from builtins import *
"""

_INPUT_KEYS = ("input", "stdin")
_OUTPUT_KEYS = ("output", "expected_output", "expectedOutput", "expected")
_ENTRY_POINT_KEYS = ("fn_name", "func_name", "entry_point")
_LIST_KEYS = ("test_cases", "testcases", "tests", "test_list")
_NATIVE_KEYS = frozenset(
    {"stdin", "stdin_base64", "expected", "expected_base64", "args", "kwargs", "assert", "pytest", "command"}
)

_TEST_ADAPTER: TypeAdapter[Any] = TypeAdapter(AnyTest)


@dataclass(frozen=True, slots=True)
class TaskTests:
    """The tests of one task, and the name of the function that they call, if any."""

    tests: list[AnyTest]
    entry_point: str = ""

    @property
    def preamble(self) -> str:
        return CALL_PREAMBLE if self.entry_point else ""


def read_tests(value: Any) -> TaskTests:
    """Return the tests in `value`. Raises BadRequest if there are no tests or the format is unknown."""
    try:
        found = _read(to_plain(value))
    except RecursionError:
        raise BadRequest("tests are nested too deeply", "tests") from None
    if len(found.tests) > MAX_TESTS:
        raise BadRequest(f"a task has {len(found.tests)} tests; the maximum is {MAX_TESTS}", "tests")
    if len(found.entry_point) > MAX_NAME_CHARS:
        raise BadRequest(f"the function name is longer than {MAX_NAME_CHARS} characters", "tests")
    return found


def _read(value: Any) -> TaskTests:
    if isinstance(value, Mapping):
        return _read_mapping(value)
    if isinstance(value, Sequence):
        return _read_list(value, "")
    raise BadRequest(f"tests of type {type(value).__name__}: use one of the formats in the guide", "tests")


def read_stdin_tests(value: Any) -> list[TestCase]:
    """Return the tests in `value` if all of them use stdin and stdout. Raises BadRequest."""
    tests = read_tests(value).tests
    cases = [test for test in tests if isinstance(test, TestCase)]
    if len(cases) < len(tests):
        raise BadRequest("only stdin tests are supported here, not tests that call a function", "tests")
    return cases


def _read_mapping(value: Mapping[str, Any]) -> TaskTests:
    name = _find_entry_point(value)
    if "inputs" in value and "outputs" in value:
        return _read_columns(value, name)
    if value.get("assert_case"):
        return _read_list(_read_column(value, "assert_case"), name)
    for key in _LIST_KEYS:
        if key in value:
            tests = to_plain(value[key])
            if isinstance(tests, Mapping):
                return _read_mapping({**tests, "fn_name": name} if name else tests)
            return _read_list(_read_column(value, key), name)
    raise BadRequest(f"no known field holds tests; found only {sorted(map(str, value))}", "tests")


def _read_columns(value: Mapping[str, Any], name: str) -> TaskTests:
    """Read tests given as parallel lists of inputs and outputs, and optionally assertions."""
    inputs, outputs = _read_column(value, "inputs"), _read_column(value, "outputs")
    if len(inputs) != len(outputs):
        raise BadRequest(f"tests have {len(inputs)} inputs and {len(outputs)} outputs", "tests")
    asserts = _read_column(value, "assert_case") if value.get("assert_case") else [""] * len(inputs)
    if len(asserts) != len(inputs):
        raise BadRequest(f"tests have {len(inputs)} inputs and {len(asserts)} assertions", "tests")
    if not inputs:
        raise BadRequest("a task has no tests; leave such tasks out of the data set", "tests")
    if name:
        outputs = _unwrap_outputs(outputs)
    rows = zip(inputs, outputs, asserts, strict=True)
    return TaskTests(
        [
            _build_assertion(test) if test else _build_call_or_stdin_test(name, some, other)
            for some, other, test in rows
        ],
        name,
    )


def _read_list(entries: Sequence[Any], name: str) -> TaskTests:
    if not entries:
        raise BadRequest("a task has no tests; leave such tasks out of the data set", "tests")
    names = {name} | {_find_entry_point(entry) for entry in entries if isinstance(entry, Mapping)}
    names.discard("")
    if len(names) > 1:
        raise BadRequest(f"tests of one task call several functions: {', '.join(sorted(names))}", "tests")
    name = next(iter(names), "")
    calls = [entry for entry in entries if _is_call(entry, name)]
    wrapped = iter(_unwrap_outputs([_get_first(entry, _OUTPUT_KEYS) for entry in calls]))
    return TaskTests(
        [
            _build_call_or_stdin_test(name, _get_first(entry, _INPUT_KEYS), next(wrapped))
            if _is_call(entry, name)
            else _build_test(entry)
            for entry in entries
        ],
        name,
    )


def _is_call(entry: Any, name: str) -> bool:
    """Return whether an entry is a call of the function rather than a stdin test."""
    if not name or not isinstance(entry, Mapping) or not any(key in entry for key in _INPUT_KEYS):
        return False
    kind = entry.get("type") or entry.get("testtype")
    return kind not in {"stdin_stdout", "stdin"} if kind else "stdin" not in entry


def _build_test(entry: Any) -> AnyTest:
    if isinstance(entry, TestCase | AssertTest | FunctionTest | CommandTest | PytestTest):
        return entry
    if not isinstance(entry, Mapping | str):
        raise BadRequest(f"a test is of type {type(entry).__name__}; give a mapping of input and output", "tests")
    if isinstance(entry, str):
        return _build_assertion(entry)
    try:
        if _NATIVE_KEYS & entry.keys() and "input" not in entry:
            test: AnyTest = _TEST_ADAPTER.validate_python(dict(entry))
            return test
        return TestCase(stdin=_get_text(entry, _INPUT_KEYS), expected=_get_text(entry, _OUTPUT_KEYS))
    except ValidationError as error:
        raise BadRequest(f"invalid test: {error}", "tests") from None


def _build_assertion(source: Any) -> AssertTest:
    if not isinstance(source, str) or not source.strip():
        raise BadRequest("an assertion must be Python source", "tests")
    try:
        return AssertTest.model_validate({"assert": source})
    except ValidationError as error:
        raise BadRequest(f"invalid test: {error}", "tests") from None


def _build_call_or_stdin_test(name: str, given: Any, expected: Any) -> AnyTest:
    if not name:
        return _build_test({"input": given, "output": expected})
    test = FunctionTest(args=_read_arguments(given), expected=_parse_json(expected))
    try:
        json.dumps([test.args, test.expected], ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise BadRequest(f"the arguments and expected values of calls must be JSON: {error}", "tests") from None
    return test


def _read_arguments(given: Any) -> list[Any]:
    """Return a call's arguments, given as a list, as text with one JSON value per line, or as a single value."""
    if isinstance(given, str):
        return [_parse_json(line) for line in given.split("\n")] if given.strip() else []
    if given is None:
        return []
    return list(given) if isinstance(given, list | tuple) else [given]


def _unwrap_outputs(outputs: Sequence[Any]) -> Sequence[Any]:
    """Return the expected values of calls. APPS, TACO and PRIME wrap each of a task's values in a list."""
    if outputs and all(isinstance(output, list | tuple) and len(output) == 1 for output in outputs):
        return [output[0] for output in outputs]
    return outputs


def _parse_json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _find_entry_point(value: Mapping[str, Any]) -> str:
    metadata = value.get("metadata")
    for key in _ENTRY_POINT_KEYS:
        if value.get(key):
            return str(value[key])
    return _find_entry_point(metadata) if isinstance(metadata, Mapping) else ""


def _read_column(value: Mapping[str, Any], key: str) -> Sequence[Any]:
    column = to_plain(value[key])
    if not isinstance(column, Sequence) or isinstance(column, str | bytes):
        raise BadRequest(f"{key} is of type {type(column).__name__}; it must be a list", "tests")
    return column


def _get_first(entry: Mapping[str, Any], names: Sequence[str]) -> Any:
    for name in names:
        if name in entry:
            return entry[name]
    raise BadRequest(f"a test needs one of {', '.join(names)}, but has only {sorted(map(str, entry))}", "tests")


def _get_text(entry: Mapping[str, Any], names: Sequence[str]) -> str:
    value = _get_first(entry, names)
    if value is None:
        if names is _INPUT_KEYS:
            return ""
        raise BadRequest("a test has no expected output", "tests")
    # Some data sets store a list of lines instead of one text.
    return "\n".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
