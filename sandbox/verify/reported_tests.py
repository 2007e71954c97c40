"""Judge tests that report their own outcome: assert tests and pytest files.

A test reports through a channel of its own, or, if it shares the program's process, next to the program's output. Only
reports with the test's nonce count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sandbox.runner import reports
from sandbox.runner.contract import Outcome, Verdict
from sandbox.verify.judge import MAX_MESSAGE_CHARS, VERDICT_OF_STATUS, CheckerChoice, judge_outcome
from sandbox.verify.result import TestPart, TestResult, build_test_result

EXACT = CheckerChoice("exact", {})  # for a run that did not end well, which no checker sees


def judge_assertion(program: Outcome, test: Outcome, nonce: str) -> TestResult:
    """Judge a test that called the program from another box: first by how the program ended, then by the test's
    reports.
    """
    if not program.ended_well:
        return judge_outcome(program, b"", EXACT)
    return _judge_end(program, test, reports.read_reports(test.stdout, nonce))


def judge_shared(run: Outcome, nonce: str) -> TestResult:
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


def _judge_end(program: Outcome, test: Outcome | None, test_reports: Sequence[Mapping[str, str]]) -> TestResult:
    """Judge a program that ended well by the first report that says how the test ended.

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
        verdict, message = VERDICT_OF_STATUS[test.status], f"the test did not finish: {test.status.value}"
    return build_test_result(program, verdict, message)


_VERDICT_OF_PART = {
    reports.PASSED: Verdict.ACCEPTED,
    reports.FAILED: Verdict.WRONG_ANSWER,
    reports.PROGRAM_FAILED: Verdict.RUNTIME_ERROR,
    reports.SKIPPED: Verdict.SKIPPED,
}
NO_REPORT_MESSAGE = "the test was found but did not finish"


def judge_file(program: Outcome, test: Outcome, nonce: str) -> TestResult:
    """Judge a pytest file that ran in another box than the program, by its reports (`harness.pytest_file`)."""
    test_reports = reports.read_reports(test.stdout, nonce)
    ended = _judge_end(program, test, test_reports) if program.ended_well else judge_outcome(program, b"", EXACT)
    silent = not any(
        "outcome" in report or report.get("end", reports.PASSED) != reports.PASSED for report in test_reports
    )
    if silent and program.ended_well and test.ended_well:
        # The file itself ended pytest before its first test ended, which a program in another box cannot do.
        return _judge_whole_file(ended.model_copy(update={"verdict": Verdict.ACCEPTED}), [])
    return _judge_whole_file(ended, _collect_parts(ended, test_reports))


def judge_shared_file(run: Outcome, nonce: str) -> TestResult:
    """Judge a pytest file that ran in the program's process."""
    test_reports = reports.read_reports(run.answers, nonce)
    ended = _judge_end(run, None, test_reports) if run.ended_well else judge_outcome(run, b"", EXACT)
    return _judge_whole_file(ended, _collect_parts(ended, test_reports))


def _collect_parts(ended: TestResult, test_reports: Sequence[Mapping[str, str]]) -> list[TestPart]:
    """Return the verdict on each test function that was found.

    A function without a report did not pass: its verdict depends on how the file ended.
    """
    found = dict.fromkeys(report["found"] for report in test_reports if "found" in report)
    parts: dict[str, TestPart] = {}
    for report in test_reports:
        name, verdict = report.get("name", ""), _VERDICT_OF_PART.get(report.get("outcome", ""))
        if verdict and name in found and (name not in parts or parts[name].verdict in _MAY_CHANGE):
            parts[name] = TestPart(name=name, verdict=verdict, message=report.get("message", "")[:MAX_MESSAGE_CHARS])
    verdict, message = ended.verdict, ended.message
    if verdict is Verdict.ACCEPTED:
        verdict, message = Verdict.WRONG_ANSWER, NO_REPORT_MESSAGE
    return [parts.get(name) or TestPart(name=name, verdict=verdict, message=message) for name in found]


_MAY_CHANGE = {Verdict.ACCEPTED, Verdict.SKIPPED}  # by the outcome of a test's teardown


def _judge_whole_file(ended: TestResult, parts: list[TestPart]) -> TestResult:
    """Judge a file. Its score is the share of its functions that passed, not counting skipped ones."""
    judged = [part for part in parts if part.verdict is not Verdict.SKIPPED]
    verdict, message, score = ended.verdict, ended.message, 0.0
    if judged:
        worst = next((part for part in judged if part.verdict is not Verdict.ACCEPTED), None)
        verdict, message = (
            (Verdict.ACCEPTED, "") if worst is None else (worst.verdict, f"{worst.name}: {worst.message}")
        )
        score = sum(part.verdict is Verdict.ACCEPTED for part in judged) / len(judged)
    elif verdict is Verdict.ACCEPTED:
        verdict, message = Verdict.INTERNAL_ERROR, "the file contains no test, or skips all of them"
    return ended.model_copy(update={"verdict": verdict, "message": message, "score": score, "parts": parts})
