"""Test cases out of the shapes that data sets have them in: ground truths, labels, verification_info columns.

| shape                                              | found in                            |
| -------------------------------------------------- | ----------------------------------- |
| [{"stdin": ..., "expected": ...}, ...]             | this service                        |
| [{"input": ..., "output": ...}, ...]               | open-r1                             |
| [{"input": ..., "expectedOutput": ...}, ...]       | AReaL                               |
| {"inputs": [...], "outputs": [...]}                | verl, PRIME, APPS, TACO             |
| {"test_cases": [...]} or {"tests": [...]} of those | open-r1's verification_info         |
| JSON text of any of them                           | wherever a column has to be a string |
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from sandbox.errors import BadRequest
from sandbox.schema import TestCase

_INPUT = ("input", "stdin")
_OUTPUT = ("output", "expected_output", "expectedOutput", "expected")


def cases_of(value: Any) -> list[TestCase]:
    """The test cases in `value`. Raises BadRequest where there are none, or they are not of this kind."""
    value = _plain(value)
    if isinstance(value, Mapping):
        return _of_mapping(value)
    if isinstance(value, Sequence):
        if value:
            return [_case(entry) for entry in value]
        raise BadRequest("a task has no tests; leave such tasks out of the data set", "tests")
    raise BadRequest(f"tests of type {type(value).__name__}: give them in one of the shapes of the guide", "tests")


def _plain(value: Any) -> Any:
    """JSON text parsed, and arrays of NumPy, Arrow or Torch as lists."""
    if isinstance(value, str | bytes):
        try:
            return json.loads(value)
        except ValueError as error:
            raise BadRequest(f"tests are text that is not JSON: {error}", "tests") from None
    return value.tolist() if hasattr(value, "tolist") else value


def _of_mapping(value: Mapping[str, Any]) -> list[TestCase]:
    if value.get("fn_name") or value.get("assert_case"):
        raise BadRequest("tests that call a function, not a program with stdin: these have no reward yet", "tests")
    if "inputs" in value and "outputs" in value:
        inputs, outputs = _plain(value["inputs"]), _plain(value["outputs"])
        if len(inputs) != len(outputs):
            raise BadRequest(f"tests have {len(inputs)} inputs and {len(outputs)} outputs", "tests")
        return cases_of([{"input": some, "output": other} for some, other in zip(inputs, outputs, strict=True)])
    for name in ("test_cases", "testcases", "tests"):
        if name in value:
            return cases_of(value[name])
    raise BadRequest(f"no tests under any name we know, only {sorted(value)}", "tests")


def _case(entry: Any) -> TestCase:
    if isinstance(entry, TestCase):
        return entry
    if not isinstance(entry, Mapping):
        raise BadRequest(f"a test of type {type(entry).__name__}; give mappings of input and output", "tests")
    if entry.get("fn_name"):
        raise BadRequest("tests that call a function, not a program with stdin: these have no reward yet", "tests")
    try:
        if any(name in entry for name in ("stdin", "stdin_base64", "expected", "expected_base64")):
            return TestCase.model_validate(dict(entry))
        return TestCase(stdin=_text(entry, _INPUT), expected=_text(entry, _OUTPUT))
    except ValidationError as error:
        raise BadRequest(f"a test that cannot be: {error}", "tests") from None


def _text(entry: Mapping[str, Any], names: Sequence[str]) -> str:
    for name in names:
        if name in entry:
            value = entry[name]
            # Some sets have a list of lines where others have one text.
            return "\n".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    raise BadRequest(f"a test has none of {', '.join(names)}, only {sorted(entry)}", "tests")
