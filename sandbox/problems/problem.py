"""The one model that every importer builds: a problem with its tests, checker, limits, validators and submissions."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sandbox.runner.contract import Verdict
from sandbox.schema import MAX_CODE_CHARS, MAX_NAME_CHARS, MAX_TESTS
from sandbox.schema.checkers import Checker, TokensChecker
from sandbox.schema.hack import MAX_TRUSTED
from sandbox.schema.reward import Task
from sandbox.schema.task_quality import TaskQuality
from sandbox.schema.tests import AnyTest
from sandbox.schema.wire import LimitsRequest

# The verdicts that a program can get on a test that was run, and the same without `accepted`.
OUTCOMES = frozenset(Verdict) - {Verdict.COMPILE_ERROR, Verdict.INTERNAL_ERROR, Verdict.SKIPPED}
FAILURES = OUTCOMES - {Verdict.ACCEPTED}
CRASHES = frozenset({Verdict.RUNTIME_ERROR, Verdict.MEMORY_LIMIT_EXCEEDED, Verdict.OUTPUT_LIMIT_EXCEEDED})


class StrictModel(BaseModel):
    """A frozen model that rejects unknown fields and converts no types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Protocol(StrEnum):
    """The way an input validator reports that it accepts an input: exit code 42 (Kattis) or 0 (testlib)."""

    KATTIS = "kattis"
    TESTLIB = "testlib"


class Program(StrictModel):
    """The source of one program. `name` is its path in the package, or the field of its row."""

    name: str = Field(max_length=1024)
    language: str = Field(max_length=64)
    code: str = Field(max_length=MAX_CODE_CHARS)


class Submission(Program):
    """A program with the verdicts that it may get on a test, and those of which it must get at least one."""

    permitted: frozenset[Verdict]
    required: frozenset[Verdict]
    is_reference: bool = False


class InputValidator(Program):
    """A program that reads a test's input from stdin and tells whether it is valid."""

    protocol: Protocol = Protocol.KATTIS


class ProblemTest(StrictModel):
    """A test with its name in the package. `validator_args` are for the input validators."""

    name: str
    is_sample: bool = False
    test: AnyTest
    validator_args: tuple[str, ...] = ()


class OutputExample(StrictModel):
    """An example output that tests the checker, which must accept it or must reject it."""

    name: str
    stdin: bytes
    answer: bytes
    output: bytes
    is_valid: bool


class Problem(StrictModel):
    """A programming problem. `left_out` lists parts of the source that no task contains, with the reason for each."""

    name: str = Field(min_length=1, max_length=MAX_NAME_CHARS)
    title: str = ""
    format: str
    statement: str = ""
    tests: tuple[ProblemTest, ...] = Field(min_length=1, max_length=MAX_TESTS)
    entry_point: str = ""
    language: str | None = None
    checker: Checker = TokensChecker(type="tokens")
    limits: LimitsRequest = LimitsRequest()
    submissions: tuple[Submission, ...] = ()
    input_validators: tuple[InputValidator, ...] = ()
    invalid_inputs: tuple[ProblemTest, ...] = ()
    output_examples: tuple[OutputExample, ...] = ()
    left_out: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check_names(self) -> Problem:
        names = [test.name for test in self.tests]
        if len(set(names)) != len(names):
            raise ValueError("two tests have the same name")
        return self

    def build_task(self, quality: TaskQuality | None = None) -> dict[str, Any]:
        """Return the problem as the JSON of a task for `PUT /tasks`. Fields with default values are left out."""
        task = self.build_judging()
        if validators := self._list_validators():
            task["validators"] = [{"language": each.language, "code": each.code} for each in validators]
        if references := [each for each in self.submissions if each.is_reference]:
            task["references"] = [{"language": each.language, "code": each.code} for each in references[:MAX_TRUSTED]]
        if quality is not None:
            task["quality"] = quality.model_dump(mode="json")
        return task

    def build_judging(self) -> dict[str, Any]:
        """Return the fields that judge a program: the tests with their checker and limits."""
        fields: dict[str, Any] = {"tests": [test.test for test in self.tests], "checker": self.checker}
        if self.entry_point:
            fields["entry_point"] = self.entry_point
        if self.language is not None:
            fields["language"] = self.language
        if self.limits.model_fields_set:
            fields["limits"] = self.limits
        return Task(**fields).model_dump(mode="json", by_alias=True, exclude_unset=True)

    def _list_validators(self) -> Sequence[Program]:
        """Return the input validators; none if they need arguments, which a task cannot express."""
        return () if any(test.validator_args for test in self.tests) else self.input_validators[:MAX_TRUSTED]

    def build_verify_request(self, submission: Program, tests: Sequence[ProblemTest] | None = None) -> dict[str, Any]:
        """Return the JSON of a line for `sandbox verify` that judges a submission on all tests, or on some."""
        problem = self if tests is None else self.model_copy(update={"tests": tuple(tests)})
        return {**problem.build_judging(), "language": submission.language, "code": submission.code}
