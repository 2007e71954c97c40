"""Submissions to judge: a program, its tests of any kind, and how they are compared."""

from __future__ import annotations

from pydantic import ConfigDict, Field, model_validator

from sandbox.schema.checkers import Checker, TokensChecker
from sandbox.schema.programs import MAX_ITEMS, MAX_NAME_CHARS, MAX_TESTS, Lane
from sandbox.schema.tests import AnyTest, FunctionTest
from sandbox.schema.wire import MAX_CODE_CHARS, LimitsRequest, Wire


class VerifyRequest(Wire):
    """Judge one program on many tests."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "language": "python",
                    "code": "a, b = map(int, input().split())\nprint(a + b)",
                    "tests": [{"stdin": "20 22\n", "expected": "42\n"}, {"stdin": "1 1\n", "expected": "2\n"}],
                    "checker": {"type": "tokens"},
                }
            ]
        }
    )

    language: str = Field(max_length=64)
    code: str = Field(max_length=MAX_CODE_CHARS)
    tests: list[AnyTest] = Field(min_length=1, max_length=MAX_TESTS)
    entry_point: str = Field(
        "", max_length=MAX_NAME_CHARS, description="`solve`, or `Solution.twoSum`, for function tests"
    )
    checker: Checker = TokensChecker(type="tokens")
    limits: LimitsRequest = LimitsRequest()
    stop_on_failure: bool = False
    priority: Lane = Lane.DEFAULT

    @model_validator(mode="after")
    def _tests_fit(self) -> VerifyRequest:
        for position, test in enumerate(self.tests):
            if isinstance(test, FunctionTest) and not self.entry_point:
                raise ValueError(
                    f"tests.{position} has args and no stdin, so it calls a function: name the entry_point"
                )
        if self.entry_point and not all(part.isidentifier() for part in self.entry_point.split(".")):
            raise ValueError("entry_point must be a name, or a class and a method: Solution.twoSum")
        return self


class VerifyBatchRequest(Wire):
    items: list[VerifyRequest] = Field(min_length=1, max_length=MAX_ITEMS)
