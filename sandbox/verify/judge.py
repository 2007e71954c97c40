"""One program against its tests: run it on each, compare outside the box, and say the verdict of all.

The expected outputs and the checker stay here, beside the data; a box sees inputs only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.runner.contract import Outcome, Status, Usage, Verdict
from sandbox.runner.functions import CALL_FAILED, TEST_BROKEN, TEST_FAILED
from sandbox.runner.values import NotPlain
from sandbox.verify import checkers
from sandbox.verify.checkers.failure import CheckerFailed
from sandbox.verify.checkers.program import Ended, interaction, opinion
from sandbox.verify.values import EQUAL, Rule, same, too_many

MESSAGE_CHARS = 500
UNORDERED = frozenset({"unordered_lines", "unordered_tokens"})

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
class Part:
    """One test function of a file of them."""

    name: str
    verdict: Verdict
    message: str = ""


@dataclass(frozen=True, slots=True)
class CaseVerdict:
    verdict: Verdict
    message: str = ""
    exit_code: int | None = None
    signal: int | None = None
    usage: Usage = field(default_factory=Usage)
    points: float | None = None
    parts: tuple[Part, ...] | None = None

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


def judge_files(
    outcome: Outcome, stdout: bytes | None, expected: Mapping[str, bytes], checker: CheckerChoice
) -> CaseVerdict:
    """A run that had to write files; its stdout counts too, unless that is None. The first difference is told."""
    if not outcome.ended_well:
        return judge_outcome(outcome, b"", checker)
    wanted: dict[str, tuple[bytes | None, bytes]] = {} if stdout is None else {"stdout": (outcome.stdout, stdout)}
    wanted |= {name: (outcome.files.get(name), content) for name, content in expected.items()}
    for name, (content, right) in wanted.items():
        if content is None:
            missing = f"{name}: no such file, or it is over file_mb"
            return CaseVerdict(Verdict.WRONG_ANSWER, missing, outcome.exit_code, outcome.signal, outcome.usage)
        case = judge_outcome(replace(outcome, stdout=content), right, checker)
        if case.verdict is not Verdict.ACCEPTED:
            return replace(case, message=f"{name}: {case.message}")
    return CaseVerdict(Verdict.ACCEPTED, "", outcome.exit_code, outcome.signal, outcome.usage)


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
    rule = rule_of(checker)
    try:
        answer = {} if too_many(outcome.answers) else json.loads(outcome.answers)
        if "error" in answer:
            told = f"{answer['kind']}: {answer['error']}"[:MESSAGE_CHARS]
            return CaseVerdict(Verdict.RUNTIME_ERROR, told, outcome.exit_code, outcome.signal, outcome.usage)
        right = same(answer["value"], expected, rule)
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError, NotPlain):
        # an early exit, or something else than a value on the channel
        told = "the function returned no value"
        return CaseVerdict(Verdict.RUNTIME_ERROR, told, outcome.exit_code, outcome.signal, outcome.usage)
    verdict, message = (Verdict.ACCEPTED, "") if right else (Verdict.WRONG_ANSWER, "another value is expected")
    return CaseVerdict(verdict, message, outcome.exit_code, outcome.signal, outcome.usage)


def rule_of(checker: CheckerChoice) -> Rule:
    """What a checker of outputs means for values: tolerances, or any order. The others leave Python's `==`."""
    if checker.kind == "float":
        return Rule(**checker.options)
    return Rule(any_order=True) if checker.kind in UNORDERED else EQUAL


def judge_assertion(program: Outcome, test: Outcome) -> CaseVerdict:
    """A test that ran beside a program and called it: the program's own bad end first, then what the test said."""
    if not program.ended_well:
        return judge_outcome(program, b"", CheckerChoice("exact", {}))
    if test.ended_well:
        return CaseVerdict(Verdict.ACCEPTED, "", program.exit_code, program.signal, program.usage)
    if test.exit_code == CALL_FAILED:
        verdict, message = Verdict.RUNTIME_ERROR, last_line(test.stderr) or "the program ended before the test did"
    elif test.exit_code == TEST_FAILED:
        verdict, message = Verdict.WRONG_ANSWER, last_line(test.stderr)
    elif test.exit_code == TEST_BROKEN:
        verdict, message = Verdict.INTERNAL_ERROR, f"the test cannot run: {last_line(test.stderr)}"
    else:
        verdict, message = _VERDICT_OF_STATUS[test.status], f"the test itself: {test.status.value}"
    return CaseVerdict(verdict, message, program.exit_code, program.signal, program.usage)


_VERDICT_OF_PART = {
    "passed": Verdict.ACCEPTED,
    "failed": Verdict.WRONG_ANSWER,
    "error": Verdict.RUNTIME_ERROR,
    "skipped": Verdict.SKIPPED,
}


def judge_file(program: Outcome, test: Outcome) -> CaseVerdict:
    """A pytest file that ran beside a program, by the lines it told (`runner.pytest_file`).

    The score is the share of its functions that passed, of those not skipped. One during which the program ended, and
    all after it, get the verdict of that.
    """
    ended = judge_assertion(program, test)
    told = [line for line in map(_told, test.stdout.splitlines()) if line]
    broken = next((line for line in told if "broken" in line), None)
    if broken is not None:
        verdict = Verdict.RUNTIME_ERROR if broken.get("fault") else Verdict.INTERNAL_ERROR
        return replace(ended, verdict=verdict, message=str(broken["broken"]), parts=())
    found = dict.fromkeys(str(name) for line in told for name in line.get("found", ()))
    parts: dict[str, Part] = {}
    for line in told:
        name = str(line.get("name"))
        if name in found and (name not in parts or parts[name].verdict in {Verdict.ACCEPTED, Verdict.SKIPPED}):
            parts[name] = Part(name, _VERDICT_OF_PART[line["outcome"]], str(line["message"]))
    if ended.verdict is not Verdict.ACCEPTED:
        parts.update({name: Part(name, ended.verdict, ended.message) for name in found if name not in parts})
    return _whole_file(ended, tuple(parts.values()))


def _told(line: bytes) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:  # cut short by the end of the test
        return {}
    return told if isinstance(told, dict) else {}


def _whole_file(ended: CaseVerdict, parts: tuple[Part, ...]) -> CaseVerdict:
    judged = [part for part in parts if part.verdict is not Verdict.SKIPPED]
    if not judged:
        if ended.verdict is Verdict.ACCEPTED:
            ended = replace(ended, verdict=Verdict.INTERNAL_ERROR, message="the file has no test that is not skipped")
        return replace(ended, parts=parts)
    worst = next((part for part in judged if part.verdict is not Verdict.ACCEPTED), None)
    verdict, message = (Verdict.ACCEPTED, "") if worst is None else (worst.verdict, f"{worst.name}: {worst.message}")
    passed = sum(part.verdict is Verdict.ACCEPTED for part in judged)
    return replace(ended, verdict=verdict, message=message, points=passed / len(judged), parts=parts)


def last_line(output: bytes) -> str:
    """The line of a traceback that says what happened."""
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1][:MESSAGE_CHARS] if lines else ""


def not_compiled(cases: int) -> Judgement:
    """A program that did not compile has run on nothing."""
    return Judgement(Verdict.COMPILE_ERROR, [CaseVerdict(Verdict.COMPILE_ERROR) for _ in range(cases)])
