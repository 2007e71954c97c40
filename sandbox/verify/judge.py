"""Judge a program by its tests: compare each run outside the box, and combine the verdicts.

The expected outputs and the checker stay with the data; a box receives only inputs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.runner import reports
from sandbox.runner.contract import Outcome, Status, Usage, Verdict
from sandbox.runner.rpc.codec import UnsupportedValue
from sandbox.verify import checkers
from sandbox.verify.checkers.failure import CheckerFailed
from sandbox.verify.checkers.program_checker import FirstToEnd, decide_interaction, read_checker_result
from sandbox.verify.checkers.size_limits import is_too_large
from sandbox.verify.values_equal import EXACT_EQUALITY, EqualityRule, has_too_many_collections, values_equal

MAX_MESSAGE_CHARS = 500
MAX_LAST_LINE_BYTES = 64 << 10  # a longer last line is cut at its beginning
UNORDERED_CHECKERS = frozenset({"unordered_lines", "unordered_tokens"})

# The verdict for a run that did not end well. If a run ended well, the checker decides.
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
class FunctionVerdict:
    """The verdict on one test function of a test file."""

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
    parts: tuple[FunctionVerdict, ...] | None = None

    @property
    def score(self) -> float:
        """The score, 0 to 1: the checker's points if it gave any, otherwise 1 if accepted."""
        return float(self.verdict is Verdict.ACCEPTED) if self.points is None else self.points


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdicts on all cases, and the overall verdict: accepted if every case is, otherwise that of the first
    failing case.
    """

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


TestRun = Callable[[], CaseVerdict]
EXACT = CheckerChoice("exact", {})  # for a run that did not end well, which no checker sees


def judge(test_runs: Sequence[TestRun], stop_on_failure: bool = False) -> Judgement:
    """Execute the test runs, one per test, and combine their verdicts. Exceptions of a test run are passed on."""
    verdicts: list[CaseVerdict] = []
    whole = Verdict.ACCEPTED
    for run_test in test_runs:
        if stop_on_failure and whole is not Verdict.ACCEPTED:
            verdicts.append(CaseVerdict(Verdict.SKIPPED))
            continue
        verdict = run_test()
        verdicts.append(verdict)
        if whole is Verdict.ACCEPTED:
            whole = verdict.verdict
    return Judgement(whole, verdicts)


def _build_case_verdict(
    outcome: Outcome, verdict: Verdict, message: str = "", points: float | None = None
) -> CaseVerdict:
    """Build the verdict on a run, including how the run ended."""
    return CaseVerdict(verdict, message, outcome.exit_code, outcome.signal, outcome.usage, points)


def judge_outcome(outcome: Outcome, expected: bytes, checker: CheckerChoice) -> CaseVerdict:
    if outcome.ended_well:
        checked = checkers.check(checker.kind, outcome.stdout, expected, **checker.options)
        verdict, message = _VERDICT_OF_CHECK[checked.accepted, checked.failed], checked.message
    else:
        verdict, message = _VERDICT_OF_STATUS[outcome.status], outcome.message
    return _build_case_verdict(outcome, verdict, message)


def judge_files(
    outcome: Outcome, stdout: bytes | None, expected: Mapping[str, bytes], checker: CheckerChoice
) -> CaseVerdict:
    """Judge a run that had to write files. Its stdout counts too, unless `stdout` is None.

    The message describes the first difference.
    """
    if not outcome.ended_well:
        return judge_outcome(outcome, b"", checker)
    wanted: dict[str, tuple[bytes | None, bytes]] = {} if stdout is None else {"stdout": (outcome.stdout, stdout)}
    wanted |= {name: (outcome.files.get(name), content) for name, content in expected.items()}
    for name, (content, right) in wanted.items():
        if content is None:
            missing = f"{name}: the file does not exist or exceeds file_mb"
            return _build_case_verdict(outcome, Verdict.WRONG_ANSWER, missing)
        case = judge_outcome(replace(outcome, stdout=content), right, checker)
        if case.verdict is not Verdict.ACCEPTED:
            return replace(case, message=f"{name}: {case.message}")
    return _build_case_verdict(outcome, Verdict.ACCEPTED)


def judge_checker_result(outcome: Outcome, checker: Outcome, full_score: float) -> CaseVerdict:
    """Judge a run that ended well by the result of the user's checker."""
    try:
        result = read_checker_result(checker, full_score)
    except CheckerFailed as failure:
        reason = f"the checker failed: {failure}"
        return _build_case_verdict(outcome, Verdict.INTERNAL_ERROR, reason)
    verdict = Verdict.ACCEPTED if result.accepted else Verdict.WRONG_ANSWER
    return _build_case_verdict(outcome, verdict, result.message, result.score)


def judge_checker_overload(outcome: Outcome, checker: Outcome) -> CaseVerdict:
    """Judge a run whose output made the user's checker or interactor exceed limits that it meets on other output."""
    reason = f"the output made the checker exceed its limits: {checker.status.value}"
    return _build_case_verdict(outcome, Verdict.WRONG_ANSWER, reason)


def judge_interaction(program: Outcome, interactor: Outcome, first: FirstToEnd, full_score: float) -> CaseVerdict:
    """Judge a program and an interactor that talked to each other."""
    result = decide_interaction(program, interactor, first, full_score)
    return _build_case_verdict(program, result.verdict, result.message, result.score)


def judge_exit(outcome: Outcome) -> CaseVerdict:
    """Judge a command that is the test: exit code 0 passes, other exit codes are a wrong answer.

    Any other end keeps its own verdict.
    """
    if outcome.status is Status.RUNTIME_ERROR and outcome.exit_code is not None:
        verdict = Verdict.WRONG_ANSWER
    else:
        verdict = Verdict.ACCEPTED if outcome.ended_well else _VERDICT_OF_STATUS[outcome.status]
    message = outcome.message or ("" if outcome.ended_well else extract_last_line(outcome.stderr or outcome.stdout))
    return _build_case_verdict(outcome, verdict, message)


def judge_call(
    outcome: Outcome, expected: Any, checker: CheckerChoice, alternatives: Sequence[Any] = ()
) -> CaseVerdict:
    """Compare a function's answer with the expected value, and with the alternatives until one is equal."""
    if not outcome.ended_well:
        return judge_outcome(outcome, b"", checker)
    rule = choose_equality_rule(checker)
    try:
        if is_too_large(outcome.answers, expected):
            reason = "the value is far larger than the expected value"
            return _build_case_verdict(outcome, Verdict.WRONG_ANSWER, reason)
        answer = {} if has_too_many_collections(outcome.answers) else json.loads(outcome.answers)
        if "error" in answer:
            reason = reports.replace_surrogates(f"{answer['kind']}: {answer['error']}"[:MAX_MESSAGE_CHARS])
            return _build_case_verdict(outcome, Verdict.RUNTIME_ERROR, reason)
        right = any(values_equal(answer["value"], value, rule) for value in (expected, *alternatives))
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError, UnsupportedValue):
        # the program exited early, or wrote something other than a value to the channel
        reason = "the function returned no value"
        return _build_case_verdict(outcome, Verdict.RUNTIME_ERROR, reason)
    verdict, message = (Verdict.ACCEPTED, "") if right else (Verdict.WRONG_ANSWER, "expected a different value")
    return _build_case_verdict(outcome, verdict, message)


def choose_equality_rule(checker: CheckerChoice) -> EqualityRule:
    """Translate a checker of outputs to a rule for values: tolerances, or any order.

    Other checkers mean Python's `==`.
    """
    if checker.kind == "float":
        return EqualityRule(**checker.options)
    return EqualityRule(any_order=True) if checker.kind in UNORDERED_CHECKERS else EXACT_EQUALITY


def judge_assertion(program: Outcome, test: Outcome, nonce: str) -> CaseVerdict:
    """Judge a test that called the program from another box: first by how the program ended, then by the test's
    reports.
    """
    if not program.ended_well:
        return judge_outcome(program, b"", EXACT)
    return _judge_end(program, test, reports.read_reports(test.stdout, nonce))


def judge_shared(run: Outcome, nonce: str) -> CaseVerdict:
    """Judge a test that ran in the program's process. If no report has the nonce, the program ended the process."""
    if not run.ended_well:
        return judge_outcome(run, b"", EXACT)
    return _judge_end(run, None, reports.read_reports(run.answers, nonce))


# By how a test reports that it ended.
_VERDICT_OF_END = {
    reports.PASSED: Verdict.ACCEPTED,
    reports.FAILED: Verdict.WRONG_ANSWER,
    reports.PROGRAM_FAILED: Verdict.RUNTIME_ERROR,
    reports.BROKEN: Verdict.INTERNAL_ERROR,
}
CANNOT_RUN_PREFIX = "the test cannot run: "
NO_END_MESSAGE = "the test exited before it reached its end"


def _judge_end(program: Outcome, test: Outcome | None, test_reports: Sequence[Mapping[str, str]]) -> CaseVerdict:
    """Judge a program that ended well by the first report of an end.

    `test` is None if it ran in the program's process.
    """
    index = next((index for index, report in enumerate(test_reports) if report.get("end") in _VERDICT_OF_END), None)
    if index is not None:
        verdict = _VERDICT_OF_END[test_reports[index]["end"]]
        message = next((report["message"] for report in test_reports[index:] if "message" in report), "")
        message = message[:MAX_MESSAGE_CHARS]
        if verdict is Verdict.INTERNAL_ERROR:
            message = f"{CANNOT_RUN_PREFIX}{message}"
    elif test is None:
        verdict, message = Verdict.RUNTIME_ERROR, reports.ENDED_EARLY
    elif test.ended_well:
        verdict, message = Verdict.WRONG_ANSWER, NO_END_MESSAGE
    else:
        verdict, message = _VERDICT_OF_STATUS[test.status], f"the test did not finish: {test.status.value}"
    return _build_case_verdict(program, verdict, message)


_VERDICT_OF_PART = {
    reports.PASSED: Verdict.ACCEPTED,
    reports.FAILED: Verdict.WRONG_ANSWER,
    reports.PROGRAM_FAILED: Verdict.RUNTIME_ERROR,
    reports.SKIPPED: Verdict.SKIPPED,
}
NO_REPORT_MESSAGE = "the test was found but did not finish"


def judge_file(program: Outcome, test: Outcome, nonce: str) -> CaseVerdict:
    """Judge a pytest file that ran in another box than the program, by its reports (`harness.pytest_file`)."""
    test_reports = reports.read_reports(test.stdout, nonce)
    ended = _judge_end(program, test, test_reports) if program.ended_well else judge_outcome(program, b"", EXACT)
    silent = not any(
        "outcome" in report or report.get("end", reports.PASSED) != reports.PASSED for report in test_reports
    )
    if silent and program.ended_well and test.ended_well:
        # The file itself ended pytest before its first test ended, which a program in another box cannot do.
        return _judge_whole_file(replace(ended, verdict=Verdict.ACCEPTED), ())
    return _judge_whole_file(ended, _collect_parts(ended, test_reports))


def judge_shared_file(run: Outcome, nonce: str) -> CaseVerdict:
    """Judge a pytest file that ran in the program's process."""
    test_reports = reports.read_reports(run.answers, nonce)
    ended = _judge_end(run, None, test_reports) if run.ended_well else judge_outcome(run, b"", EXACT)
    return _judge_whole_file(ended, _collect_parts(ended, test_reports))


def _collect_parts(ended: CaseVerdict, test_reports: Sequence[Mapping[str, str]]) -> tuple[FunctionVerdict, ...]:
    """Return the verdict on each test function that was found.

    One without a report has not passed: it gets the verdict of how the file ended.
    """
    found = dict.fromkeys(report["found"] for report in test_reports if "found" in report)
    parts: dict[str, FunctionVerdict] = {}
    for report in test_reports:
        name, verdict = report.get("name", ""), _VERDICT_OF_PART.get(report.get("outcome", ""))
        if verdict and name in found and (name not in parts or parts[name].verdict in _MAY_CHANGE):
            parts[name] = FunctionVerdict(name, verdict, report.get("message", "")[:MAX_MESSAGE_CHARS])
    silent = FunctionVerdict("", ended.verdict, ended.message)
    if ended.verdict is Verdict.ACCEPTED:
        silent = FunctionVerdict("", Verdict.WRONG_ANSWER, NO_REPORT_MESSAGE)
    return tuple(parts.get(name) or replace(silent, name=name) for name in found)


_MAY_CHANGE = {Verdict.ACCEPTED, Verdict.SKIPPED}  # by the outcome of a test's teardown


def _judge_whole_file(ended: CaseVerdict, parts: tuple[FunctionVerdict, ...]) -> CaseVerdict:
    """Judge a file. Its score is the share of its functions that passed, not counting skipped ones."""
    judged = [part for part in parts if part.verdict is not Verdict.SKIPPED]
    if not judged:
        if ended.verdict is Verdict.ACCEPTED:
            ended = replace(
                ended, verdict=Verdict.INTERNAL_ERROR, message="the file contains no test, or skips all of them"
            )
        return replace(ended, parts=parts)
    worst = next((part for part in judged if part.verdict is not Verdict.ACCEPTED), None)
    verdict, message = (Verdict.ACCEPTED, "") if worst is None else (worst.verdict, f"{worst.name}: {worst.message}")
    passed = sum(part.verdict is Verdict.ACCEPTED for part in judged)
    return replace(ended, verdict=verdict, message=message, points=passed / len(judged), parts=parts)


def extract_last_line(output: bytes) -> str:
    """Return the line of a traceback that describes the error."""
    lines = output.rstrip()[-MAX_LAST_LINE_BYTES:].decode(errors="replace").strip().splitlines()
    return lines[-1][:MAX_MESSAGE_CHARS] if lines else ""


def judge_not_compiled(case_count: int) -> Judgement:
    """Judge a program that did not compile and therefore ran on no test."""
    return Judgement(Verdict.COMPILE_ERROR, [CaseVerdict(Verdict.COMPILE_ERROR) for _ in range(case_count)])
