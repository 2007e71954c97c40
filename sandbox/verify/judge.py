"""One program against its tests: run it on each, compare outside the box, and say the verdict of all.

The expected outputs and the checker stay here, beside the data; a box sees inputs only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.runner.contract import Outcome, Run, Status, Usage, Verdict
from sandbox.verify import checkers

# How a run that did not end well is called on a test. A run that ended well is up to the checker.
_VERDICT_OF_STATUS = {
    Status.COMPILE_ERROR: Verdict.COMPILE_ERROR,
    Status.RUNTIME_ERROR: Verdict.RUNTIME_ERROR,
    Status.TIME_LIMIT_EXCEEDED: Verdict.TIME_LIMIT_EXCEEDED,
    Status.MEMORY_LIMIT_EXCEEDED: Verdict.MEMORY_LIMIT_EXCEEDED,
    Status.OUTPUT_LIMIT_EXCEEDED: Verdict.OUTPUT_LIMIT_EXCEEDED,
    Status.INTERNAL_ERROR: Verdict.INTERNAL_ERROR,
}


# By (accepted, failed): a checker that failed says nothing about the program.
_VERDICT_OF_CHECK = {
    (True, False): Verdict.ACCEPTED,
    (False, False): Verdict.WRONG_ANSWER,
    (False, True): Verdict.INTERNAL_ERROR,
}


@dataclass(frozen=True, slots=True)
class Case:
    """One test case: what goes in, and what has to come out."""

    run: Run
    expected: bytes


@dataclass(frozen=True, slots=True)
class CaseVerdict:
    verdict: Verdict
    message: str = ""
    exit_code: int | None = None
    signal: int | None = None
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class Judgement:
    """All cases' verdicts, and that of the whole: accepted when every case is, else the first failing case's."""

    verdict: Verdict
    cases: list[CaseVerdict]

    @property
    def passed(self) -> int:
        return sum(case.verdict is Verdict.ACCEPTED for case in self.cases)


@dataclass(frozen=True, slots=True)
class CheckerChoice:
    """A checker's name and options."""

    kind: str
    options: dict[str, Any]


def judge(
    run: Callable[[Run], Outcome], cases: Sequence[Case], checker: CheckerChoice, stop_on_failure: bool = False
) -> Judgement:
    """Judge a loaded program, given how to run it. What `run` raises comes through: it is no verdict."""
    verdicts: list[CaseVerdict] = []
    whole = Verdict.ACCEPTED
    for case in cases:
        if stop_on_failure and whole is not Verdict.ACCEPTED:
            verdicts.append(CaseVerdict(Verdict.SKIPPED))
            continue
        verdict = judge_outcome(run(case.run), case.expected, checker)
        verdicts.append(verdict)
        if whole is Verdict.ACCEPTED:
            whole = verdict.verdict
    return Judgement(whole, verdicts)


def judge_outcome(outcome: Outcome, expected: bytes, checker: CheckerChoice) -> CaseVerdict:
    if outcome.ended_well:
        checked = checkers.check(checker.kind, outcome.stdout, expected, **checker.options)
        verdict, message = _VERDICT_OF_CHECK[checked.accepted, checked.failed], checked.message
    else:
        verdict, message = _VERDICT_OF_STATUS[outcome.status], outcome.message
    return CaseVerdict(verdict, message, outcome.exit_code, outcome.signal, outcome.usage)


def not_compiled(cases: int) -> Judgement:
    """A program that did not compile has run on nothing."""
    return Judgement(Verdict.COMPILE_ERROR, [CaseVerdict(Verdict.COMPILE_ERROR) for _ in range(cases)])
