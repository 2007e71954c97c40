"""Submissions to judge: a program, its tests of any kind, and the checker that compares outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from sandbox.schema.callbacks import CallbackFor, CallbackUrl
from sandbox.schema.checkers import Checker, InteractiveChecker, ProgramChecker, TokensChecker
from sandbox.schema.programs import MAX_ITEMS, MAX_NAME_CHARS, MAX_TESTS, Lane, TestCase, reject_program_files
from sandbox.schema.tests import AnyTest, AssertTest, FunctionTest
from sandbox.schema.wire import (
    DEBUG_CHECKS,
    MAX_CODE_CHARS,
    STOP_AFTER_TIMEOUTS,
    EnvironmentReference,
    LimitsRequest,
    WireModel,
)
from sandbox.verify.tally import StopRules

Isolation = Literal["separate", "shared"]
SubmissionKind = Literal["execute", "verify", "vote", "hack"]

_PROGRAM_CHECKERS = (ProgramChecker, InteractiveChecker)


def check_tests(tests: Sequence[AnyTest], language: str, entry_point: str, checker: Checker) -> None:
    """Raise ValueError if the fields of a request to judge a program do not fit together."""
    for position, test in enumerate(tests):
        if isinstance(test, FunctionTest) and not entry_point:
            raise ValueError(
                f"tests.{position} has args and no stdin, so it calls a function: set entry_point to its name"
            )
        if isinstance(test, TestCase) and test.expected_files and isinstance(checker, _PROGRAM_CHECKERS):
            raise ValueError(f"tests.{position}.expected_files: a {checker.type} checker cannot judge files")
        if not isinstance(test, FunctionTest | AssertTest) and test.files:
            reject_program_files(test.files, language, f"tests.{position}.files")
    if entry_point and not all(part.isidentifier() for part in entry_point.split(".")):
        raise ValueError("entry_point must be the name of a function, or of a method like Solution.twoSum")


class VerifyRequest(WireModel):
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
        "", max_length=MAX_NAME_CHARS, description="`solve` or `Solution.twoSum`: the function that function tests call"
    )
    checker: Checker = TokensChecker(type="tokens")
    limits: LimitsRequest = LimitsRequest()
    stop_on_failure: bool = Field(False, description="skip the remaining tests after the first failure")
    stop_after_timeouts: int | None = Field(None, ge=1, description=STOP_AFTER_TIMEOUTS)
    isolation: Isolation = Field(
        "separate",
        description="where assert tests and pytest files run: in a separate box, or in the program's process, "
        "which lets the program tamper with them",
    )
    debug_checks: bool = Field(False, description=DEBUG_CHECKS)
    environment: EnvironmentReference = ""
    priority: Lane = Lane.DEFAULT

    @property
    def stop_rules(self) -> StopRules:
        """Return when the remaining tests are skipped."""
        return StopRules(self.stop_on_failure, self.stop_after_timeouts, self.limits.total_cpu_time_s)

    @model_validator(mode="after")
    def _check_tests(self) -> VerifyRequest:
        check_tests(self.tests, self.language, self.entry_point, self.checker)
        return self


class VerifySubmission(VerifyRequest):
    """A `VerifyRequest` that is submitted alone. In a batch, the batch has the callback instead."""

    callback_url: CallbackUrl | None = None


class VerifyBatchRequest(WireModel):
    items: list[VerifyRequest] = Field(min_length=1, max_length=MAX_ITEMS)
    callback_url: CallbackUrl | None = None
    callback_for: CallbackFor = "batch"
