"""Checkers by name and options; what each rule says stands at the top of its file in `verify/checkers/`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sandbox.schema.wire import MAX_CODE_CHARS, LimitsRequest, WireModel

Tolerance = Annotated[float, Field(ge=0, le=1e300)]


class ExactChecker(WireModel):
    """Every byte equal."""

    type: Literal["exact"]


class LinesChecker(WireModel):
    """Lines equal once trailing blanks of each line and blank lines at the end are removed."""

    type: Literal["lines"]


class TokensChecker(WireModel):
    """Tokens between white space equal."""

    type: Literal["tokens"]


class FloatChecker(WireModel):
    """Tokens equal, or both numbers within `absolute` or `relative` of the expected one."""

    type: Literal["float"]
    absolute: Tolerance = 1e-9
    relative: Tolerance = 1e-9


class UnorderedLinesChecker(WireModel):
    """The same lines, each as often, in any order; blank lines and trailing blanks do not count."""

    type: Literal["unordered_lines"]


class UnorderedTokensChecker(WireModel):
    """The same tokens between white space, each as often, in any order."""

    type: Literal["unordered_tokens"]


class CaseInsensitiveChecker(WireModel):
    """Tokens between white space equal, whatever their case."""

    type: Literal["case_insensitive"]


class JsonChecker(WireModel):
    """One JSON value each, equal in structure; numbers by value, or within `absolute` or `relative` where given."""

    type: Literal["json"]
    absolute: Tolerance = 0.0
    relative: Tolerance = 0.0


class RegexChecker(WireModel):
    """`expected` is a regular expression in Python's syntax that matches the whole output, or with `search` a part."""

    type: Literal["regex"]
    search: bool = False
    ignore_case: bool = False
    multiline: bool = Field(False, description="^ and $ match at each line")
    dot_all: bool = Field(False, description=". matches line ends too")


class LiveCodeBenchChecker(WireModel):
    """As LiveCodeBench grades stdout: stripped lines equal, or all their tokens decimal numbers equal in value."""

    type: Literal["livecodebench"]


class AppsChecker(WireModel):
    """As APPS grades stdout: text, numbers line by line, or the lines' sets of tokens; very lenient."""

    type: Literal["apps"]


class CodeforcesChecker(WireModel):
    """As testlib's wcmp, Codeforces' standard checker: tokens between spaces, tabs and line ends equal."""

    type: Literal["codeforces"]


class CodeJudgeChecker(WireModel):
    """As code-judge, the X-Coder recipe's grader: the texts equal once stripped at both ends."""

    type: Literal["code-judge"]


class SandboxFusionChecker(WireModel):
    """As SandboxFusion grades stdout: stripped lines equal in any case, or each one number within a relative 1e-5."""

    type: Literal["sandbox-fusion"]


class HumanEvalChecker(WireModel):
    """As the `==` of HumanEval's asserts: both outputs are Python literals and equal as such, or the same text."""

    type: Literal["humaneval"]


class ProgramChecker(WireModel):
    """Your checker, in a box of its own: called with paths of input, output and answer; testlib's exit codes."""

    type: Literal["program"]
    language: str = Field(max_length=64)
    code: str = Field(max_length=MAX_CODE_CHARS)
    limits: LimitsRequest = LimitsRequest()
    full_score: float = Field(1.0, gt=0, le=1e9, description="what exit code 7's points are divided by")


class InteractiveChecker(WireModel):
    """Your interactor, beside the program and piped to it both ways; arguments and exit codes as `program`."""

    type: Literal["interactive"]
    language: str = Field(max_length=64)
    code: str = Field(max_length=MAX_CODE_CHARS)
    limits: LimitsRequest = LimitsRequest()
    full_score: float = Field(1.0, gt=0, le=1e9, description="what exit code 7's points are divided by")
    idle_time_s: float = Field(5.0, gt=0, le=300, description="both silent and using no CPU for so long is a deadlock")


# Rules under which two outputs can agree with each other, which a vote needs.
EquivalenceChecker = Annotated[
    ExactChecker
    | LinesChecker
    | TokensChecker
    | FloatChecker
    | UnorderedLinesChecker
    | UnorderedTokensChecker
    | CaseInsensitiveChecker
    | JsonChecker
    | LiveCodeBenchChecker
    | AppsChecker
    | CodeforcesChecker
    | CodeJudgeChecker
    | HumanEvalChecker,
    Field(discriminator="type"),
]

Checker = Annotated[
    ExactChecker
    | LinesChecker
    | TokensChecker
    | FloatChecker
    | UnorderedLinesChecker
    | UnorderedTokensChecker
    | CaseInsensitiveChecker
    | JsonChecker
    | RegexChecker
    | LiveCodeBenchChecker
    | AppsChecker
    | CodeforcesChecker
    | CodeJudgeChecker
    | SandboxFusionChecker
    | HumanEvalChecker
    | ProgramChecker
    | InteractiveChecker,
    Field(discriminator="type"),
]
