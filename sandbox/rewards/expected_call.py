"""Convert function calls as data sets write them to function tests.

JSON leaves two things open. Both are resolved the way the data sets' own graders do: an expected value may be wrapped
in a one-element list (APPS, TACO), and a single argument that is an object with integer keys is a dict with int keys,
which JSON cannot express.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ExpectedCall:
    """The arguments of one call and its expected return value; `lenient` applies both rules of this module."""

    raw_arguments: Any
    expected: Any
    lenient: bool = False

    @property
    def arguments(self) -> list[Any]:
        return list(self.raw_arguments) if isinstance(self.raw_arguments, list) else [self.raw_arguments]

    @classmethod
    def from_livecodebench(cls, raw_arguments: Any, expected: Any) -> ExpectedCall:
        return cls(raw_arguments, expected, lenient=True)


def build_function_test(call: ExpectedCall) -> dict[str, Any]:
    """Return the call as the fields of a `FunctionTest`."""
    arguments = call.arguments
    test: dict[str, Any] = {"args": arguments, "expected": call.expected}
    if not call.lenient:
        return test
    if isinstance(call.expected, list) and len(call.expected) == 1:
        test["alternatives"] = list(call.expected)
    if len(arguments) == 1 and isinstance(arguments[0], dict):
        test["integer_keys"] = True
    return test
