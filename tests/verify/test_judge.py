"""Verdicts from outcomes. Functions replace the programs here, because a judge never runs a program itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import pytest

from sandbox.errors import BoxError
from sandbox.runner.contract import Outcome, Status, Usage, Verdict
from sandbox.verify.judge import (
    CheckerChoice,
    TestRun,
    judge,
    judge_call,
    judge_exit,
    judge_not_compiled,
    judge_outcome,
)
from sandbox.verify.reported_tests import judge_assertion, judge_file, judge_shared, judge_shared_file
from sandbox.verify.result import TestResult
from sandbox.verify.tally import StopRules

TOKENS = CheckerChoice("tokens", {})
INPUTS = range(5)
Program = Callable[[int], Outcome]


def _square(number: int) -> Outcome:
    return Outcome(Status.OK, exit_code=0, stdout=str(number**2).encode())


def _fail_on(inputs: set[int], how: Outcome) -> Program:
    return lambda number: how if number in inputs else _square(number)


def _build_test_runs(program: Program) -> list[TestRun]:
    def run_test(number: int) -> TestResult:
        return judge_outcome(program(number), str(number**2).encode(), TOKENS)

    return [partial(run_test, number) for number in INPUTS]


def test_a_program_that_is_right_on_every_test_is_accepted() -> None:
    judgement = judge(_build_test_runs(_square))
    assert judgement.verdict is Verdict.ACCEPTED
    assert judgement.passed == len(INPUTS)


def test_the_whole_has_the_first_failing_tests_verdict() -> None:
    slow, wrong = Outcome(Status.TIME_LIMIT_EXCEEDED), Outcome(Status.OK, stdout=b"wrong")
    judgement = judge(_build_test_runs(lambda number: {2: slow, 3: wrong}.get(number, _square(number))))
    assert judgement.verdict is Verdict.TIME_LIMIT_EXCEEDED
    assert [case.verdict for case in judgement.tests] == [
        Verdict.ACCEPTED,
        Verdict.ACCEPTED,
        Verdict.TIME_LIMIT_EXCEEDED,
        Verdict.WRONG_ANSWER,
        Verdict.ACCEPTED,
    ]
    assert judgement.passed == 3


def test_after_a_failure_the_rest_is_skipped_and_not_run_when_so_asked() -> None:
    ran: list[int] = []

    def run(number: int) -> Outcome:
        ran.append(number)
        return _fail_on({1}, Outcome(Status.RUNTIME_ERROR))(number)

    judgement = judge(_build_test_runs(run), StopRules(on_failure=True))
    assert judgement.verdict is Verdict.RUNTIME_ERROR
    assert [case.verdict for case in judgement.tests[2:]] == [Verdict.SKIPPED] * 3
    assert ran == [0, 1]


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK])
def test_a_run_that_did_not_end_well_gets_the_verdict_of_its_name(status: Status) -> None:
    assert judge_outcome(Outcome(status, stdout=b"4"), b"4", TOKENS).verdict.value == status.value


def test_every_status_has_a_verdict_and_only_the_judge_says_the_others() -> None:
    statuses = {status.value for status in Status} - {"ok"}
    verdicts = {verdict.value for verdict in Verdict}
    assert verdicts - statuses == {"accepted", "wrong_answer", "skipped"}
    assert statuses <= verdicts


def test_a_cases_verdict_carries_what_was_measured() -> None:
    outcome = Outcome(Status.RUNTIME_ERROR, exit_code=3, usage=Usage(1.0, 2.0, 3.0), message="why")
    case = judge_outcome(outcome, b"", TOKENS)
    assert (case.exit_code, case.signal, case.usage, case.message) == (3, None, Usage(1.0, 2.0, 3.0), "why")


def test_a_right_output_does_not_help_a_program_that_failed() -> None:
    failed = Outcome(Status.RUNTIME_ERROR, exit_code=1, stdout=b"4")
    assert judge_outcome(failed, b"4", TOKENS).verdict is Verdict.RUNTIME_ERROR


def test_a_message_never_shows_what_was_expected() -> None:
    secret = b"the-expected-output"
    for checker in ("exact", "lines", "tokens", "float"):
        case = judge_outcome(Outcome(Status.OK, stdout=b"something else"), secret, CheckerChoice(checker, {}))
        assert case.verdict is Verdict.WRONG_ANSWER
        assert case.message
        assert secret.decode() not in case.message


def test_a_checkers_options_are_passed_on() -> None:
    near = Outcome(Status.OK, stdout=b"1.05")
    assert judge_outcome(near, b"1.0", CheckerChoice("float", {"absolute": 0.1})).verdict is Verdict.ACCEPTED
    assert judge_outcome(near, b"1.0", CheckerChoice("float", {"absolute": 0.01})).verdict is Verdict.WRONG_ANSWER


def test_a_failure_of_the_service_is_not_a_verdict() -> None:
    def raise_box_error() -> TestResult:
        raise BoxError("gone")

    with pytest.raises(BoxError):
        judge([raise_box_error])


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (Outcome(Status.OK, exit_code=0), Verdict.ACCEPTED),
        (Outcome(Status.RUNTIME_ERROR, exit_code=1), Verdict.WRONG_ANSWER),
        (Outcome(Status.RUNTIME_ERROR, signal=11), Verdict.RUNTIME_ERROR),
        (Outcome(Status.TIME_LIMIT_EXCEEDED, signal=9), Verdict.TIME_LIMIT_EXCEEDED),
        (Outcome(Status.INTERNAL_ERROR), Verdict.INTERNAL_ERROR),
    ],
)
def test_a_command_that_is_the_test_decides_by_its_exit_code(outcome: Outcome, verdict: Verdict) -> None:
    assert judge_exit(outcome).verdict is verdict


@pytest.mark.parametrize(
    "answers", [b"", b"null", b"{}", b"[1]", b"not json", b"\xff", b'{"value": {"?": 1}}', b"[" * 100_000]
)
def test_an_answer_that_is_not_a_value_is_the_programs_fault_and_raises_nothing(answers: bytes) -> None:
    verdict = judge_call(Outcome(Status.OK, exit_code=0, answers=answers), 1, TOKENS).verdict
    assert verdict in {Verdict.RUNTIME_ERROR, Verdict.WRONG_ANSWER}


def test_an_alternative_is_as_right_as_the_expected_value() -> None:
    outcome = Outcome(Status.OK, exit_code=0, answers=b'{"value":6}')
    assert judge_call(outcome, [6], TOKENS).verdict is Verdict.WRONG_ANSWER
    assert judge_call(outcome, [6], TOKENS, [6]).verdict is Verdict.ACCEPTED
    assert judge_call(outcome, [7], TOKENS, [7]).verdict is Verdict.WRONG_ANSWER


def test_lone_surrogates_that_a_program_raises_do_not_break_its_result() -> None:
    answers = json.dumps({"error": "half of \ud83d", "kind": "ValueError"}).encode()
    case = judge_call(Outcome(Status.OK, exit_code=0, answers=answers), 1, TOKENS)
    assert (case.verdict, case.message) == (Verdict.RUNTIME_ERROR, "ValueError: half of ?")


def test_a_program_that_did_not_compile_gets_a_compile_error_on_every_test() -> None:
    judgement = judge_not_compiled(3)
    assert judgement.verdict is Verdict.COMPILE_ERROR
    assert [case.verdict for case in judgement.tests] == [Verdict.COMPILE_ERROR] * 3
    assert judgement.passed == 0


NONCE = "ab" * 16
WELL = Outcome(Status.OK, exit_code=0)


def encode_reports(*reports: str) -> bytes:
    return b"".join(b'{"nonce":"%b",%b}\n' % (NONCE.encode(), report.encode()) for report in reports)


def build_reported_outcome(*reports: str, status: Status = Status.OK) -> Outcome:
    return Outcome(status, stdout=encode_reports(*reports), answers=encode_reports(*reports))


@pytest.mark.parametrize(
    ("reports", "verdict"),
    [
        (['"end":"passed"'], Verdict.ACCEPTED),
        (['"end":"failed"', '"end":"passed"'], Verdict.WRONG_ANSWER),
        (['"end":"error"'], Verdict.RUNTIME_ERROR),
        (['"end":"broken"'], Verdict.INTERNAL_ERROR),
        (['"end":"well"'], Verdict.WRONG_ANSWER),
        ([], Verdict.WRONG_ANSWER),
    ],
)
def test_an_assert_test_is_judged_by_the_first_end_that_it_reports(reports: list[str], verdict: Verdict) -> None:
    assert judge_assertion(WELL, build_reported_outcome(*reports), NONCE).verdict is verdict
    shared = judge_shared(build_reported_outcome(*reports), NONCE).verdict
    assert shared is (verdict if reports and "well" not in reports[0] else Verdict.RUNTIME_ERROR)


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK])
def test_a_report_does_not_save_a_program_that_did_not_end_well(status: Status) -> None:
    passed = build_reported_outcome('"end":"passed"', status=status)
    assert judge_assertion(passed, build_reported_outcome('"end":"passed"'), NONCE).verdict.value == status.value
    assert judge_shared(passed, NONCE).verdict.value == status.value


def test_an_end_with_another_nonce_is_ignored() -> None:
    test = build_reported_outcome('"end":"passed"')
    assert judge_assertion(WELL, test, "cd" * 16).verdict is Verdict.WRONG_ANSWER
    assert judge_shared(test, "cd" * 16).verdict is Verdict.RUNTIME_ERROR


FOUND = ['"found":"test_a"', '"found":"test_b"']
A_PASSED = '"name":"test_a","outcome":"passed","message":""'


@pytest.mark.parametrize("judged", [judge_shared_file, lambda test, nonce: judge_file(WELL, test, nonce)])
def test_a_test_function_without_a_report_has_not_passed(judged: Callable[[Outcome, str], TestResult]) -> None:
    case = judged(build_reported_outcome(*FOUND, A_PASSED, '"end":"passed"'), NONCE)
    assert (case.verdict, case.score) == (Verdict.WRONG_ANSWER, 0.5)
    assert case.parts is not None
    assert [part.verdict for part in case.parts] == [Verdict.ACCEPTED, Verdict.WRONG_ANSWER]
    case = judged(build_reported_outcome(*FOUND, A_PASSED), NONCE)
    assert (case.verdict is not Verdict.ACCEPTED, case.score) == (True, 0.5)


def test_unknown_and_skipped_functions_do_not_count() -> None:
    other = '"name":"test_c","outcome":"passed","message":""'
    skipped = '"name":"test_b","outcome":"skipped","message":"no"'
    case = judge_file(WELL, build_reported_outcome(*FOUND, other, A_PASSED, skipped, '"end":"passed"'), NONCE)
    assert (case.verdict, case.score) == (Verdict.ACCEPTED, 1.0)
    assert case.parts is not None
    assert [part.name for part in case.parts] == ["test_a", "test_b"]


def test_a_failing_teardown_takes_back_a_pass_and_nothing_gives_one_back() -> None:
    failed = '"name":"test_a","outcome":"failed","message":"no"'
    for reports in ([A_PASSED, failed], [failed, A_PASSED]):
        case = judge_file(WELL, build_reported_outcome(FOUND[0], *reports, '"end":"passed"'), NONCE)
        assert (case.verdict, case.score, case.message) == (Verdict.WRONG_ANSWER, 0.0, "test_a: no")
