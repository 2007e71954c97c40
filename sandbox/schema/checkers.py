"""The options of each checker. The rules are in `verify/checkers/`, one file each."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sandbox.schema.wire import MAX_CODE_CHARS, LimitsRequest, WireModel

Tolerance = Annotated[float, Field(ge=0, le=1e300)]


class ExactChecker(WireModel):
    """The output equals the expected bytes exactly."""

    type: Literal["exact"]


class LinesChecker(WireModel):
    """Lines are equal after removing trailing blanks from each line and blank lines at the end."""

    type: Literal["lines"]


class TokensChecker(WireModel):
    """Whitespace-separated tokens are equal."""

    type: Literal["tokens"]


class FloatChecker(WireModel):
    """Tokens are equal, or both are numbers that differ by at most the `absolute` or the `relative` tolerance."""

    type: Literal["float"]
    absolute: Tolerance = 1e-9
    relative: Tolerance = 1e-9


class UnorderedLinesChecker(WireModel):
    """The same lines, each equally often, in any order. Blank lines and trailing blanks are ignored."""

    type: Literal["unordered_lines"]


class UnorderedTokensChecker(WireModel):
    """The same whitespace-separated tokens, each equally often, in any order."""

    type: Literal["unordered_tokens"]


class CaseInsensitiveChecker(WireModel):
    """Whitespace-separated tokens are equal, ignoring case."""

    type: Literal["case_insensitive"]


class JsonChecker(WireModel):
    """Both texts are JSON values of equal structure. Numbers compare by value, within the tolerances if given."""

    type: Literal["json"]
    absolute: Tolerance = 0.0
    relative: Tolerance = 0.0


class RegexChecker(WireModel):
    """`expected` is a regular expression in Python syntax that matches the whole output, or any part with `search`."""

    type: Literal["regex"]
    search: bool = False
    ignore_case: bool = False
    multiline: bool = Field(False, description="let ^ and $ match at each line")
    dot_all: bool = Field(False, description="let . match line ends too")


class LiveCodeBenchChecker(WireModel):
    """LiveCodeBench's rule for stdout: stripped lines are equal, or their tokens are decimal numbers of equal value."""

    type: Literal["livecodebench"]


class AppsChecker(WireModel):
    """APPS's very lenient rule for stdout: equal text, close numbers line by line, or equal sets of tokens."""

    type: Literal["apps"]


class CodeforcesChecker(WireModel):
    """The rule of testlib's wcmp, a standard Codeforces checker: tokens between spaces, tabs or line ends are equal."""

    type: Literal["codeforces"]


class CodeJudgeChecker(WireModel):
    """The rule of code-judge, the grader of the X-Coder recipe: texts are equal after stripping both ends."""

    type: Literal["code-judge"]


class SandboxFusionChecker(WireModel):
    """SandboxFusion's rule for stdout: stripped lines are equal in any case, or numbers within a relative 1e-5."""

    type: Literal["sandbox-fusion"]


class HumanEvalChecker(WireModel):
    """The `==` of HumanEval's asserts: both outputs are equal Python literals, or the same text."""

    type: Literal["humaneval"]


class _SubmittedProgram(WireModel):
    type: str
    language: str = Field(max_length=64)
    code: str = Field(max_length=MAX_CODE_CHARS)
    limits: LimitsRequest = LimitsRequest()
    full_score: float = Field(1.0, gt=0, le=1e9, description="divisor for the points that come with exit code 7")


class ProgramChecker(_SubmittedProgram):
    """Your checker, run in a separate box with the paths of input, output and answer. Uses testlib's exit codes."""

    type: Literal["program"]


class InteractiveChecker(_SubmittedProgram):
    """Your interactor, connected to the program by pipes both ways. Arguments and exit codes as for `program`."""

    type: Literal["interactive"]
    idle_time_s: float = Field(
        5.0, gt=0, le=300, description="seconds after which two silent programs that use no CPU count as deadlocked"
    )


# Rules that can compare two outputs with each other, as a vote does.
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
