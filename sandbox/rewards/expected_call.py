"""Calls to a function as data sets write them, as function tests.

JSON and the sets' own graders leave two things open, and both are settled here as the graders do: an expected value may
be wrapped in a list of one (APPS, TACO), and an only argument that is an object with whole numbers for keys is a dict
with int keys, which JSON cannot write.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ExpectedCall:
    """The arguments of one call, and the value that it has to return; `lenient` settles what is left open."""

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
    """The call as the fields of a `FunctionTest`."""
    arguments = call.arguments
    test: dict[str, Any] = {"args": arguments, "expected": call.expected}
    if not call.lenient:
        return test
    if isinstance(call.expected, list) and len(call.expected) == 1:
        test["alternatives"] = list(call.expected)
    if len(arguments) == 1 and isinstance(arguments[0], dict):
        test["integer_keys"] = True
    return test
