"""The rules that skip the remaining tests of a submission."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.runner.contract import Usage, Verdict
from sandbox.verify.result import TestResult
from sandbox.verify.tally import Judgement, StopRules, Tally

A, W, T, S = Verdict.ACCEPTED, Verdict.WRONG_ANSWER, Verdict.TIME_LIMIT_EXCEEDED, Verdict.SKIPPED
RESULTS = st.lists(st.tuples(st.sampled_from(Verdict), st.integers(0, 4)), min_size=1, max_size=12)
RULES = st.builds(StopRules, st.booleans(), st.none() | st.integers(1, 4), st.none() | st.integers(1, 20))


def build_result(verdict: Verdict, cpu_time_s: float = 0.0) -> TestResult:
    return TestResult(verdict=verdict, score=float(verdict is A), usage=Usage(cpu_time_s=cpu_time_s))


def tally_all(rules: StopRules, results: list[TestResult]) -> Judgement:
    tally = Tally(rules)
    for result in results:
        if not tally.has_stopped:
            tally.add(result)
    return tally.finish(len(results))


@pytest.mark.parametrize(
    ("rules", "verdicts", "expected", "overall"),
    [
        (StopRules(), [A, T, T, W, A], [A, T, T, W, A], T),
        (StopRules(after_timeouts=2), [A, T, W, T, A, A], [A, T, W, T, S, S], T),
        (StopRules(after_timeouts=1), [W, A, T, A], [W, A, T, S], W),
        (StopRules(after_timeouts=3), [T, T, A], [T, T, A], T),
        (StopRules(on_failure=True, after_timeouts=2), [A, T, T], [A, T, S], T),
    ],
)
def test_the_remaining_tests_are_skipped_after_so_many_timeouts(
    rules: StopRules, verdicts: list[Verdict], expected: list[Verdict], overall: Verdict
) -> None:
    judgement = tally_all(rules, [build_result(verdict) for verdict in verdicts])
    assert [test.verdict for test in judgement.tests] == expected
    assert judgement.verdict is overall
    assert judgement.passed == expected.count(A)
    assert judgement.score == pytest.approx(expected.count(A) / len(expected))


def test_the_test_that_uses_up_the_total_exceeds_the_time_limit_and_the_rest_is_skipped() -> None:
    judgement = tally_all(StopRules(total_cpu_time_s=2.5), [build_result(A, 1.0) for _ in range(5)])
    assert [test.verdict for test in judgement.tests] == [A, A, T, S, S]
    assert (judgement.verdict, judgement.passed, judgement.score) == (T, 2, 0.4)
    assert judgement.tests[2].message == "total CPU time"
    assert judgement.tests[2].usage.cpu_time_s == 1.0


def test_a_test_that_failed_keeps_its_verdict_when_the_total_is_used_up() -> None:
    judgement = tally_all(
        StopRules(total_cpu_time_s=1.5), [build_result(A, 1.0), build_result(W, 1.0), build_result(A)]
    )
    assert [test.verdict for test in judgement.tests] == [A, W, S]
    assert judgement.verdict is W


@given(RESULTS, RULES)
def test_skipped_tests_come_last_and_only_after_a_failure(drawn: list[tuple[Verdict, int]], rules: StopRules) -> None:
    judgement = tally_all(rules, [build_result(verdict, float(cpu_time_s)) for verdict, cpu_time_s in drawn])
    ran = [
        test for test, (verdict, _) in zip(judgement.tests, drawn, strict=True) if test.verdict is not S or verdict is S
    ]
    assert judgement.tests[: len(ran)] == ran
    assert len(judgement.tests) == len(drawn)
    assert judgement.verdict is next((test.verdict for test in judgement.tests if test.verdict is not A), A)
