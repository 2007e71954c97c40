"""The report on the quality of a test suite, as `quality.py` builds it and the client receives it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from sandbox.runner.contract import Verdict
from sandbox.verify.complexity import GrowthClass
from sandbox.verify.wire_model import WireModel


class ProgramKind(StrEnum):
    """The part of a program in the matrix: known to be right, known to be wrong, or a mutant of a right one."""

    RIGHT = "right"
    WRONG = "wrong"
    MUTANT = "mutant"


class Fate(StrEnum):
    """The outcome of one program on all tests."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_COMPILED = "not_compiled"
    UNJUDGED = "unjudged"


class Mutation(WireModel):
    """The change that makes a mutant, at a line of the first right program."""

    operator: str
    line: int
    before: str
    after: str


class ProgramGrowth(WireModel):
    """How a program's CPU time grows with the size of the input: about as size to the power of `exponent`."""

    exponent: float
    low: float = Field(description="the lowest exponent that fits the times")
    high: float = Field(description="the highest exponent that fits the times")
    name: GrowthClass = Field(description="linear includes n log n")
    is_lower_bound: bool = Field(
        description="runs were stopped at their limit, so `exponent` is the lowest possible one"
    )
    above_right: bool | None = Field(
        None, description="grows at least one class faster than every right program; null if that is not known"
    )


class TimeLimitAdvice(WireModel):
    """A time limit that follows from the slowest run of a right program."""

    cpu_time_s: float = Field(description="the limit: `ac_to_time_limit` times the slowest run")
    too_slow_s: float = Field(description="`time_limit_to_tle` times the limit; slower programs are too slow for sure")
    slowest_s: float = Field(description="CPU seconds of the slowest run of a right program that passes all tests")
    program: int
    test: int
    is_largest_test: bool = Field(description="no test is larger; otherwise, larger tests may need a higher limit")


class QualityProgramResult(WireModel):
    """One row of the matrix."""

    name: str
    kind: ProgramKind
    fate: Fate = Field(description="unjudged: the service failed on a test, and no other test failed the program")
    killed_by: list[int] = Field(description="positions of the tests that fail a wrong program; empty for a right one")
    is_equivalent_candidate: bool = Field(
        False, description="a mutant that agrees with the first right program on every input; left out of `tnr`"
    )
    differs_on: list[int] = Field(
        default_factory=list, description="positions of the `inputs` on which a mutant that passes all tests differs"
    )
    mutation: Mutation | None = None
    code: str | None = Field(None, description="the source of a mutant")
    growth: ProgramGrowth | None = Field(
        None, description="null if the times do not show it: too few sizes, or too little time"
    )
    message: str = Field("", description="why the program is unjudged or was not compiled")


class QualityTest(WireModel):
    """One column of the matrix. Positions are those in `programs`."""

    kills: int = Field(description="wrong programs that fail this test")
    kills_alone: list[int] = Field(description="wrong programs that fail only this test")
    fails_right: list[int] = Field(description="right programs that fail this test: the test may be wrong")
    unjudged: int = Field(0, description="programs on which the service failed at this test")
    cpu_time_s: float = Field(description="mean CPU time of the right programs")
    in_smallest_suite: bool


class CoveragePoint(WireModel):
    """The share of wrong programs that N tests kill on average, over all choices of N tests.

    Equivalent candidates do not count.
    """

    tests: int
    coverage: float


class SmallestSuite(WireModel):
    """The cheapest tests with the same kills, among those that no right program fails."""

    tests: list[int]
    cpu_time_s: float
    all_cpu_time_s: float = Field(description="the cost of all tests, for comparison")
    exact: bool = Field(description="no cheaper suite exists; false if the search was cut off")


class QualityResult(WireModel):
    """The answer of `POST /verify/quality`. A rate is null if there is no program to count."""

    tpr: float | None = Field(description="share of the right programs that pass all tests")
    tnr: float | None = Field(
        description="share of the wrong programs that fail a test; null for mutants without `inputs`, because nothing"
        " then tells an equivalent mutant from one that the tests miss"
    )
    consistency: float | None = Field(description="share of all programs that get the right answer; null if tnr is")
    verifier_accuracy: bool | None = Field(description="whether every wrong program fails a test; null if tnr is")
    mutation_score: float | None = Field(
        None, description="share of all mutants that fail a test, equivalent ones included: a lower bound of `tnr`"
    )
    coverage: list[CoveragePoint] = Field(description="empty if `tnr` is null")
    smallest_suite: SmallestSuite
    kill_nothing: list[int] = Field(description="tests that no wrong program fails")
    fail_right: list[int] = Field(description="tests that a right program fails")
    survivors: list[int] = Field(description="wrong programs that pass all tests, without equivalent candidates")
    equivalent_candidates: list[int]
    unjudged: list[int] = Field(description="programs that the service could not judge; they count in no rate")
    not_compiled: list[int] = Field(description="programs that do not compile; they count in no rate")
    unused_inputs: list[int] = Field(
        default_factory=list, description="positions of `inputs` for which the first right program gave no output"
    )
    lost_inputs: list[int] = Field(
        default_factory=list, description="positions of `inputs` that the service failed to run; send the request again"
    )
    time_limit: TimeLimitAdvice | None = Field(
        None,
        description="null if no right program passes all tests, or if a right program exceeded the time limit of a "
        "test or was not judged on one",
    )
    slow_only: list[int] = Field(
        default_factory=list, description="tests that only exceeded time limits fail: they tell slow programs apart"
    )
    image_time_s: float = Field(
        0.0, description="the longest time that a program waited until its host had the image of its environment"
    )
    programs: list[QualityProgramResult]
    tests: list[QualityTest]
    matrix: list[list[Verdict]] = Field(description="programs x tests")
