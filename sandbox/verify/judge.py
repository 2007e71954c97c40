"""Judge a program by its tests: compare each run outside the box, and combine the verdicts.

The expected outputs and the checker stay with the data; a box receives only inputs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sandbox.runner import reports
from sandbox.runner.contract import Outcome, Status, Verdict
from sandbox.runner.rpc.codec import UnsupportedValue
from sandbox.verify import checkers
from sandbox.verify.checkers.failure import CHECKER_FAILED, CheckerFailed
from sandbox.verify.checkers.program_checker import FirstToEnd, decide_interaction, read_checker_result
from sandbox.verify.checkers.size_limits import is_too_large
from sandbox.verify.result import TestResult, build_test_result
from sandbox.verify.tally import Judgement as Judgement
from sandbox.verify.tally import StopRules, Tally
from sandbox.verify.values_equal import EXACT_EQUALITY, EqualityRule, has_too_many_collections, values_equal

MAX_MESSAGE_CHARS = 500
MAX_LAST_LINE_BYTES = 64 << 10  # a longer last line is cut at its beginning
NEVER_STOP = StopRules()
UNORDERED_CHECKERS = frozenset({"unordered_lines", "unordered_tokens"})

# The verdict for a run that did not end well. If a run ended well, the checker decides.
VERDICT_OF_STATUS = {
    Status.COMPILE_ERROR: Verdict.COMPILE_ERROR,
    Status.RUNTIME_ERROR: Verdict.RUNTIME_ERROR,
    Status.TIME_LIMIT_EXCEEDED: Verdict.TIME_LIMIT_EXCEEDED,
    Status.MEMORY_LIMIT_EXCEEDED: Verdict.MEMORY_LIMIT_EXCEEDED,
    Status.OUTPUT_LIMIT_EXCEEDED: Verdict.OUTPUT_LIMIT_EXCEEDED,
    Status.INTERNAL_ERROR: Verdict.INTERNAL_ERROR,
}


# Verdicts that say nothing about the program: the service failed, or the test was not run.
UNDECIDED_VERDICTS = frozenset({Verdict.INTERNAL_ERROR, Verdict.SKIPPED})

# By (accepted, failed): a checker that failed says nothing about the program.
_VERDICT_OF_CHECK = {
    (True, False): Verdict.ACCEPTED,
    (False, False): Verdict.WRONG_ANSWER,
    (False, True): Verdict.INTERNAL_ERROR,
}


@dataclass(frozen=True, slots=True)
class CheckerChoice:
    """A checker's name and options."""

    kind: str
    options: dict[str, Any]


TestRun = Callable[[], TestResult]


def judge(test_runs: Sequence[TestRun], rules: StopRules = NEVER_STOP) -> Judgement:
    """Execute the test runs, one per test, and combine their results. Lets exceptions of a test run propagate."""
    tally = Tally(rules)
    for run_test in test_runs:
        tally.add(run_test())
        if tally.has_stopped:
            break
    return tally.finish(len(test_runs))


def judge_outcome(outcome: Outcome, expected: bytes, checker: CheckerChoice) -> TestResult:
    if outcome.ended_well:
        checked = checkers.check(checker.kind, outcome.stdout, expected, **checker.options)
        verdict, message = _VERDICT_OF_CHECK[checked.accepted, checked.failed], checked.message
    else:
        verdict, message = VERDICT_OF_STATUS[outcome.status], outcome.message
    return build_test_result(outcome, verdict, message)


def judge_files(
    outcome: Outcome, stdout: bytes | None, expected: Mapping[str, bytes], checker: CheckerChoice
) -> TestResult:
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
            return build_test_result(outcome, Verdict.WRONG_ANSWER, missing)
        case = judge_outcome(replace(outcome, stdout=content), right, checker)
        if case.verdict is not Verdict.ACCEPTED:
            return case.model_copy(update={"message": f"{name}: {case.message}"})
    return build_test_result(outcome, Verdict.ACCEPTED)


def judge_checker_result(outcome: Outcome, checker: Outcome, full_score: float) -> TestResult:
    """Judge a run that ended well by the result of the user's checker."""
    try:
        result = read_checker_result(checker, full_score)
    except CheckerFailed as failure:
        reason = f"{CHECKER_FAILED}: {failure}"
        return build_test_result(outcome, Verdict.INTERNAL_ERROR, reason)
    verdict = Verdict.ACCEPTED if result.accepted else Verdict.WRONG_ANSWER
    return build_test_result(outcome, verdict, result.message, result.score)


def judge_checker_overload(outcome: Outcome, checker: Outcome) -> TestResult:
    """Judge a run whose output alone makes the user's checker or interactor exceed its limits."""
    reason = f"the output made the checker exceed its limits: {checker.status.value}"
    return build_test_result(outcome, Verdict.WRONG_ANSWER, reason)


def judge_interaction(program: Outcome, interactor: Outcome, first: FirstToEnd, full_score: float) -> TestResult:
    """Judge a program and an interactor that talked to each other."""
    result = decide_interaction(program, interactor, first, full_score)
    return build_test_result(program, result.verdict, result.message, result.score)


def judge_exit(outcome: Outcome) -> TestResult:
    """Judge a command that is the test: exit code 0 passes, other exit codes are a wrong answer.

    If the command ended in any other way, the verdict is the status of the run.
    """
    if outcome.status is Status.RUNTIME_ERROR and outcome.exit_code is not None:
        verdict = Verdict.WRONG_ANSWER
    else:
        verdict = Verdict.ACCEPTED if outcome.ended_well else VERDICT_OF_STATUS[outcome.status]
    message = outcome.message or ("" if outcome.ended_well else extract_last_line(outcome.stderr or outcome.stdout))
    return build_test_result(outcome, verdict, message)


def judge_call(outcome: Outcome, expected: Any, checker: CheckerChoice, alternatives: Sequence[Any] = ()) -> TestResult:
    """Compare a function's answer with the expected value, and with the alternatives until one is equal."""
    if not outcome.ended_well:
        return judge_outcome(outcome, b"", checker)
    rule = choose_equality_rule(checker)
    try:
        if is_too_large(outcome.answers, expected):
            reason = "the value is far larger than the expected value"
            return build_test_result(outcome, Verdict.WRONG_ANSWER, reason)
        answer = {} if has_too_many_collections(outcome.answers) else json.loads(outcome.answers)
        if "error" in answer:
            reason = reports.replace_surrogates(f"{answer['kind']}: {answer['error']}"[:MAX_MESSAGE_CHARS])
            return build_test_result(outcome, Verdict.RUNTIME_ERROR, reason)
        right = any(values_equal(answer["value"], value, rule) for value in (expected, *alternatives))
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError, UnsupportedValue):
        # the program exited early, or wrote something other than a value to the channel
        reason = "the function returned no value"
        return build_test_result(outcome, Verdict.RUNTIME_ERROR, reason)
    verdict, message = (Verdict.ACCEPTED, "") if right else (Verdict.WRONG_ANSWER, "expected a different value")
    return build_test_result(outcome, verdict, message)


def choose_equality_rule(checker: CheckerChoice) -> EqualityRule:
    """Translate a checker of outputs to a rule for values: tolerances, or any order.

    Other checkers mean Python's `==`.
    """
    if checker.kind == "float":
        return EqualityRule(**checker.options)
    return EqualityRule(any_order=True) if checker.kind in UNORDERED_CHECKERS else EXACT_EQUALITY


def extract_last_line(output: bytes) -> str:
    """Return the line of a traceback that describes the error."""
    lines = output.rstrip()[-MAX_LAST_LINE_BYTES:].decode(errors="replace").strip().splitlines()
    return lines[-1][:MAX_MESSAGE_CHARS] if lines else ""


def judge_not_compiled(test_count: int) -> Judgement:
    """Judge a program that did not compile and therefore ran on no test."""
    return Judgement(Verdict.COMPILE_ERROR, [TestResult(verdict=Verdict.COMPILE_ERROR)] * test_count)
