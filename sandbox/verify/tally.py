"""Combine the results of a submission's tests: the overall verdict, and the rules that end the tests early.

The rules depend only on the results, in the order of the tests. A submission therefore has the same results however its
tests were run: one after another, or several at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.runner.contract import Verdict
from sandbox.verify.result import TestResult

TOTAL_CPU_TIME_MESSAGE = "total CPU time"


@dataclass(frozen=True, slots=True)
class StopRules:
    """When the remaining tests of a submission are skipped; by default never.

    They are skipped after the first failure (`on_failure`), after `after_timeouts` tests that exceeded the time limit,
    or once the tests have used `total_cpu_time_s` seconds of CPU time together.
    """

    on_failure: bool = False
    after_timeouts: int | None = None
    total_cpu_time_s: float | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """The results of all tests, and the overall verdict: accepted if every test is, otherwise that of the first
    failing test.
    """

    verdict: Verdict
    tests: list[TestResult]

    @property
    def passed(self) -> int:
        return sum(test.verdict is Verdict.ACCEPTED for test in self.tests)

    @property
    def score(self) -> float:
        """The mean of the scores of all tests, 0 to 1."""
        return round(sum(test.score for test in self.tests) / len(self.tests), 9) if self.tests else 0.0


class Tally:
    """Collects results in the order of the tests. `has_stopped` is True once a rule skips the remaining tests."""

    def __init__(self, rules: StopRules) -> None:
        self.has_stopped = False
        self._rules = rules
        self._results: list[TestResult] = []
        self._verdict = Verdict.ACCEPTED
        self._timeouts = 0
        self._cpu_time_s = 0.0

    def __len__(self) -> int:
        return len(self._results)

    def add(self, result: TestResult) -> None:
        """Add the result of the next test. An accepted test that uses up the total CPU time exceeds the time limit."""
        rules = self._rules
        self._cpu_time_s += result.usage.cpu_time_s
        used_up = rules.total_cpu_time_s is not None and self._cpu_time_s > rules.total_cpu_time_s
        if used_up and result.verdict is Verdict.ACCEPTED:
            result = result.model_copy(
                update={
                    "verdict": Verdict.TIME_LIMIT_EXCEEDED,
                    "score": 0.0,
                    "message": TOTAL_CPU_TIME_MESSAGE,
                }
            )
        self._results.append(result)
        if self._verdict is Verdict.ACCEPTED:
            self._verdict = result.verdict
        self._timeouts += result.verdict is Verdict.TIME_LIMIT_EXCEEDED
        has_timed_out = rules.after_timeouts is not None and self._timeouts >= rules.after_timeouts
        has_failed = rules.on_failure and self._verdict is not Verdict.ACCEPTED
        self.has_stopped = used_up or has_timed_out or has_failed

    def finish(self, test_count: int) -> Judgement:
        """Return the judgement on `test_count` tests. Tests without a result are skipped."""
        missing = test_count - len(self._results)
        skipped = [TestResult(verdict=Verdict.SKIPPED)] * missing if missing else []
        return Judgement(self._verdict, self._results + skipped)
