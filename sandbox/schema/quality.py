"""`POST /verify/quality`: takes tests and programs that are right or wrong; returns how well the tests tell them apart.

`verify/quality.py` explains the measures, and `verify/mutants/` makes the wrong programs if none are given.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from sandbox import languages
from sandbox.errors import UnknownLanguage
from sandbox.schema.checkers import Checker, InteractiveChecker, TokensChecker
from sandbox.schema.programs import MAX_NAME_CHARS, MAX_TESTS, Lane, ProgramInput, TestCase, reject_program_files
from sandbox.schema.submissions import Isolation, VerifyRequest
from sandbox.schema.tests import AnyTest, FunctionTest
from sandbox.schema.vote_inputs import expand_stdin
from sandbox.schema.wire import MAX_CODE_CHARS, MAX_OUTPUT_KB, EnvironmentReference, LimitsRequest, WireModel
from sandbox.verify.complexity import AC_TO_TIME_LIMIT, TIME_LIMIT_TO_TLE
from sandbox.verify.mutants.cpp import OPERATORS as CPP_OPERATORS
from sandbox.verify.mutants.generate import OPERATORS
from sandbox.verify.quality_report import CoveragePoint as CoveragePoint
from sandbox.verify.quality_report import Mutation as Mutation
from sandbox.verify.quality_report import ProgramGrowth as ProgramGrowth
from sandbox.verify.quality_report import ProgramKind
from sandbox.verify.quality_report import QualityProgramResult as QualityProgramResult
from sandbox.verify.quality_report import QualityResult as QualityResult
from sandbox.verify.quality_report import QualityTest as QualityTest
from sandbox.verify.quality_report import SmallestSuite as SmallestSuite
from sandbox.verify.quality_report import TimeLimitAdvice as TimeLimitAdvice

MAX_PROGRAMS = 512
MAX_INPUTS = 1_000
MAX_RUNS = 20_000
DEFAULT_MUTANTS = 50
_PYTHON = frozenset({"python", "pypy"})
_CPP = frozenset({"c", "cpp", "cpp17", "cpp20"})
MUTATED_LANGUAGES = _PYTHON | _CPP
ALL_OPERATORS = list(dict.fromkeys([*OPERATORS, *CPP_OPERATORS]))


class QualityProgram(WireModel):
    """A program. A plain string is its code, in the `language` of the request."""

    code: str = Field(max_length=MAX_CODE_CHARS)
    language: str = Field("", max_length=64, description="default: the `language` of the request")
    name: str = Field("", max_length=MAX_NAME_CHARS, description="shown in the report; default: the kind and position")


def _expand_code(value: Any) -> Any:
    return {"code": value} if isinstance(value, str) else value


AnyProgram = Annotated[QualityProgram, BeforeValidator(_expand_code, json_schema_input_type=str | QualityProgram)]


class MutantOptions(WireModel):
    """The mutants of the first right program. The same options always make the same mutants."""

    count: int = Field(
        DEFAULT_MUTANTS, ge=1, le=MAX_PROGRAMS, description="maximum number of mutants; a long program may have fewer"
    )
    seed: int = Field(0, ge=0, lt=1 << 63)
    operators: list[str] = Field(
        default_factory=list,
        max_length=len(ALL_OPERATORS),
        description=f"default: all of {', '.join(OPERATORS)}, and in C and C++ also of"
        f" {', '.join(name for name in CPP_OPERATORS if name not in OPERATORS)}",
    )

    @model_validator(mode="after")
    def _check_operators(self) -> MutantOptions:
        for position, name in enumerate(self.operators):
            if name not in ALL_OPERATORS:
                known = ", ".join(ALL_OPERATORS)
                raise ValueError(f"operators.{position}: unknown operator {name!r}; use some of {known}")
        return self


class TimeMultipliers(WireModel):
    """How a time limit is derived from the slowest right program, as in Kattis problem packages."""

    ac_to_time_limit: float = Field(AC_TO_TIME_LIMIT, ge=1, le=1_000)
    time_limit_to_tle: float = Field(TIME_LIMIT_TO_TLE, ge=1, le=1_000)


class QualityRequest(WireModel):
    """Measure how well tests tell right programs from wrong ones. Without `wrong`, mutants are made."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "language": "python",
                    "tests": [{"stdin": "1 2\n", "expected": "2\n"}, {"stdin": "2 1\n", "expected": "2\n"}],
                    "right": ["print(max(map(int, input().split())))"],
                    "wrong": ["print(input().split()[1])", "print(max(0, *map(int, input().split())))"],
                }
            ]
        }
    )

    tests: list[AnyTest] = Field(min_length=1, max_length=MAX_TESTS)
    language: str = Field("python", max_length=64, description="of the programs that have no `language` of their own")
    right: list[AnyProgram] = Field(
        min_length=1, max_length=MAX_PROGRAMS, description="programs that are known to be right; the first is mutated"
    )
    wrong: list[AnyProgram] = Field(
        default_factory=list,
        max_length=MAX_PROGRAMS,
        description="programs that are known to be wrong; if there are none, mutants are made",
    )
    mutants: MutantOptions | None = Field(
        None, description="options of the mutants; if given together with `wrong`, mutants are added"
    )
    inputs: list[Annotated[ProgramInput, BeforeValidator(expand_stdin, json_schema_input_type=str | ProgramInput)]] = (
        Field(
            default_factory=list,
            max_length=MAX_INPUTS,
            description="more inputs, on which a mutant that passes all tests is compared with the first right program;"
            " a plain string is stdin",
        )
    )
    sizes: list[Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(
        default_factory=list,
        max_length=MAX_TESTS,
        description="size of each test, to measure how times grow; default: the length of its input in bytes",
    )
    time_multipliers: TimeMultipliers = TimeMultipliers()
    entry_point: str = Field("", max_length=MAX_NAME_CHARS)
    checker: Checker = TokensChecker(type="tokens")
    limits: LimitsRequest = LimitsRequest()
    isolation: Isolation = "separate"
    environment: EnvironmentReference = ""
    priority: Lane = Lane.DEFAULT

    @model_validator(mode="after")
    def _check_programs(self) -> QualityRequest:
        count = len(self.right) + len(self.wrong) + self.mutant_count
        if count > MAX_PROGRAMS:
            raise ValueError(f"right, wrong and mutants.count are {count} programs, more than {MAX_PROGRAMS}")
        if count * (len(self.tests) + len(self.inputs)) > MAX_RUNS:
            raise ValueError(
                f"programs times tests and inputs is more than {MAX_RUNS}; send fewer tests, or lower mutants.count"
            )
        if self.sizes and len(self.sizes) != len(self.tests):
            raise ValueError(f"sizes has {len(self.sizes)} entries for {len(self.tests)} tests")
        if self.mutant_count and self.mutated_language is None:
            raise ValueError(
                "right.0.language: mutants are made of Python, C and C++ only; give wrong programs instead"
            )
        chosen = self.mutants.operators if self.mutants else []
        if chosen and self.mutated_language == "python" and not OPERATORS.keys() & chosen:
            raise ValueError(f"mutants.operators: Python programs have only these: {', '.join(OPERATORS)}")
        self._check_inputs()
        for field, programs in (("right", self.right), ("wrong", self.wrong)):
            for position, program in enumerate(programs):
                self._check_tests(program, f"{field}.{position}")
        return self

    def _check_inputs(self) -> None:
        if not self.inputs:
            return
        if not self.mutant_count:
            raise ValueError("inputs: they compare mutants, and the request makes none; set mutants")
        if self.entry_point or isinstance(self.checker, InteractiveChecker):
            raise ValueError("inputs: they are stdin for programs, so they go with neither entry_point nor interaction")
        if (self.limits.output_kb or 0) > MAX_OUTPUT_KB:
            raise ValueError(f"limits.output_kb must be at most {MAX_OUTPUT_KB} with inputs")
        for position, each in enumerate(self.inputs):
            reject_program_files(each.files, self.right[0].language or self.language, f"inputs.{position}.files")

    @property
    def mutated_language(self) -> Literal["python", "cpp"] | None:
        """The kind of language of the first right program; None if mutants cannot be made of it."""
        try:
            name = languages.get_language(self.right[0].language or self.language).name
        except UnknownLanguage:  # reported when the program is run
            return "python"
        return "python" if name in _PYTHON else "cpp" if name in _CPP else None

    def _check_tests(self, program: QualityProgram, field: str) -> None:
        try:
            self.build_item(program)
        except ValidationError as error:
            reason = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
            raise ValueError(f"{field}: {reason}") from None

    @property
    def mutant_count(self) -> int:
        """Return the number of mutants to make, at most."""
        if self.mutants is not None:
            return self.mutants.count
        return 0 if self.wrong else DEFAULT_MUTANTS

    def list_sizes(self) -> list[float]:
        """Return the size of each test: as given, or the bytes of its input. A test without an input has size 0."""
        return list(self.sizes) or [float(_count_input_bytes(test)) for test in self.tests]

    def build_item(self, program: QualityProgram, tests: Sequence[AnyTest] | None = None) -> VerifyRequest:
        """Return the request that judges one program on all tests, or on others."""
        return VerifyRequest(
            language=program.language or self.language,
            code=program.code,
            tests=list(self.tests if tests is None else tests),
            entry_point=self.entry_point,
            checker=self.checker,
            limits=self.limits,
            isolation=self.isolation,
            priority=self.priority,
        )

    def list_given(self) -> list[tuple[ProgramKind, str, QualityProgram]]:
        """Return the kind, name and source of each given program, the right ones first."""
        groups = ((ProgramKind.RIGHT, self.right), (ProgramKind.WRONG, self.wrong))
        return [
            (kind, program.name or f"{kind} {position}", program)
            for kind, programs in groups
            for position, program in enumerate(programs)
        ]


def _count_input_bytes(test: AnyTest) -> int:
    if isinstance(test, TestCase):
        return len(test.stdin_bytes) + sum(map(len, test.args)) + sum(map(len, test.files.values()))
    return len(json.dumps([test.args, test.kwargs])) if isinstance(test, FunctionTest) else 0
