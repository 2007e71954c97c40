"""One program against its tests: run it on each, compare outside the box, and say the verdict of all.

The expected outputs and the checker stay here, beside the data; a box sees inputs only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.runner import values
from sandbox.runner.contract import Outcome, Status, Usage, Verdict
from sandbox.runner.functions import CALL_FAILED, TEST_FAILED
from sandbox.runner.values import NotPlain
from sandbox.verify import checkers
from sandbox.verify.checkers.failure import CheckerFailed
from sandbox.verify.checkers.program import Ended, interaction, opinion
from sandbox.verify.values import same

MESSAGE_CHARS = 500

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
class CaseVerdict:
    verdict: Verdict
    message: str = ""
    exit_code: int | None = None
    signal: int | None = None
    usage: Usage = field(default_factory=Usage)
    points: float | None = None

    @property
    def score(self) -> float:
        """0 to 1: a checker's points where it gave some, else 1 for accepted."""
        return float(self.verdict is Verdict.ACCEPTED) if self.points is None else self.points


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


Trial = Callable[[], CaseVerdict]


def judge(trials: Sequence[Trial], stop_on_failure: bool = False) -> Judgement:
    """Make every trial, one a test. What a trial raises comes through: it is no verdict."""
    verdicts: list[CaseVerdict] = []
    whole = Verdict.ACCEPTED
    for trial in trials:
        if stop_on_failure and whole is not Verdict.ACCEPTED:
            verdicts.append(CaseVerdict(Verdict.SKIPPED))
            continue
        verdict = trial()
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


def judge_opinion(outcome: Outcome, checker: Outcome, full_score: float) -> CaseVerdict:
    """A run that ended well, by what the user's checker said of its output."""
    try:
        said = opinion(checker, full_score)
    except CheckerFailed as failure:
        told = f"the checker failed: {failure}"
        return CaseVerdict(Verdict.INTERNAL_ERROR, told, outcome.exit_code, outcome.signal, outcome.usage)
    verdict = Verdict.ACCEPTED if said.accepted else Verdict.WRONG_ANSWER
    return CaseVerdict(verdict, said.message, outcome.exit_code, outcome.signal, outcome.usage, said.score)


def judge_interaction(program: Outcome, interactor: Outcome, first: Ended, full_score: float) -> CaseVerdict:
    """A program and an interactor that spoke with each other."""
    said = interaction(program, interactor, first, full_score)
    return CaseVerdict(said.verdict, said.message, program.exit_code, program.signal, program.usage, said.score)


def judge_exit(outcome: Outcome) -> CaseVerdict:
    """A command that was the test: exit code 0 is a pass, another a wrong answer, all else what it is."""
    if outcome.status is Status.RUNTIME_ERROR and outcome.exit_code is not None:
        verdict = Verdict.WRONG_ANSWER
    else:
        verdict = Verdict.ACCEPTED if outcome.ended_well else _VERDICT_OF_STATUS[outcome.status]
    message = outcome.message or ("" if outcome.ended_well else last_line(outcome.stderr or outcome.stdout))
    return CaseVerdict(verdict, message, outcome.exit_code, outcome.signal, outcome.usage)


def judge_call(outcome: Outcome, expected: Any, checker: CheckerChoice) -> CaseVerdict:
    """A function's answer against the expected value."""
    if not outcome.ended_well:
        return judge_outcome(outcome, b"", checker)
    try:
        answer = json.loads(outcome.answers)
        if "error" in answer:
            told = f"{answer['kind']}: {answer['error']}"[:MESSAGE_CHARS]
            return CaseVerdict(Verdict.RUNTIME_ERROR, told, outcome.exit_code, outcome.signal, outcome.usage)
        actual = values.decode(answer["value"])
    except (ValueError, KeyError, TypeError, RecursionError, NotPlain):
        # an early exit, or something else than a value on the channel
        told = "the function returned no value"
        return CaseVerdict(Verdict.RUNTIME_ERROR, told, outcome.exit_code, outcome.signal, outcome.usage)
    tolerances = checker.options if checker.kind == "float" else {}
    right = same(actual, expected, **tolerances)
    verdict, message = (Verdict.ACCEPTED, "") if right else (Verdict.WRONG_ANSWER, "another value is expected")
    return CaseVerdict(verdict, message, outcome.exit_code, outcome.signal, outcome.usage)


def judge_assertion(program: Outcome, test: Outcome) -> CaseVerdict:
    """A test that ran beside a program and called it: the program's own bad end first, then what the test said."""
    if not program.ended_well:
        return judge_outcome(program, b"", CheckerChoice("exact", {}))
    if test.ended_well:
        return CaseVerdict(Verdict.ACCEPTED, "", program.exit_code, program.signal, program.usage)
    if test.exit_code == CALL_FAILED:
        verdict, message = Verdict.RUNTIME_ERROR, last_line(program.stderr) or "the program ended before the test did"
    elif test.exit_code == TEST_FAILED:
        verdict, message = Verdict.WRONG_ANSWER, last_line(test.stderr)
    else:
        verdict, message = _VERDICT_OF_STATUS[test.status], f"the test itself: {test.status.value}"
    return CaseVerdict(verdict, message, program.exit_code, program.signal, program.usage)


def last_line(output: bytes) -> str:
    """The line of a traceback that says what happened."""
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1][:MESSAGE_CHARS] if lines else ""


def not_compiled(cases: int) -> Judgement:
    """A program that did not compile has run on nothing."""
    return Judgement(Verdict.COMPILE_ERROR, [CaseVerdict(Verdict.COMPILE_ERROR) for _ in range(cases)])
