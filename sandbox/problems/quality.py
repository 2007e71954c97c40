"""Measure the tests of a package by the verdicts of its submissions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from sandbox.problems.problem import Problem, Submission
from sandbox.runner.contract import Verdict
from sandbox.schema import TestCase, VerifyRequest, VerifyResult
from sandbox.verify.complexity import AC_TO_TIME_LIMIT, TIME_LIMIT_TO_TLE
from sandbox.verify.quality import Row, measure_quality
from sandbox.verify.quality_report import ProgramKind, QualityResult
from sandbox.verify.quality_rows import read_verdicts
from sandbox.verify.quality_timing import add_timing


class ClientLike(Protocol):
    """The method of `sandbox.client.Client` that judges submissions."""

    def verify_stream(self, submissions: Iterable[VerifyRequest]) -> Iterator[tuple[int, VerifyResult]]: ...


def split_submissions(problem: Problem) -> tuple[list[Submission], list[Submission]]:
    """Return the right submissions, references first, and those that must fail. Others may do both."""
    right = [each for each in problem.submissions if each.is_reference or each.permitted == {Verdict.ACCEPTED}]
    right.sort(key=lambda each: not each.is_reference)
    wrong = [each for each in problem.submissions if each not in right and Verdict.ACCEPTED not in each.required]
    return right, wrong


def judge_submissions(problem: Problem, client: ClientLike) -> QualityResult | None:
    """Run the right and the wrong programs on all tests and build the report; None without a right program.

    Raises the client's errors.
    """
    right, wrong = split_submissions(problem)
    numbers = [number for number, each in enumerate(problem.submissions) if each in right or each in wrong]
    requests = [
        VerifyRequest.model_validate(problem.build_verify_request(problem.submissions[number])) for number in numbers
    ]
    results = {numbers[place]: result for place, result in client.verify_stream(requests)} if right else {}
    return measure_package(problem, results)


def measure_package(problem: Problem, results: Mapping[int, VerifyResult]) -> QualityResult | None:
    """Build the quality report from the results of the submissions by their position; None without a right program.

    No program runs again. Slow submissions may have run with a longer time limit than the problem's.
    """
    right, wrong = split_submissions(problem)
    judged = {problem.submissions[number].name: result for number, result in results.items()}
    rows = [
        _build_row(each, kind, judged[each.name], len(problem.tests))
        for kind, programs in ((ProgramKind.RIGHT, right), (ProgramKind.WRONG, wrong))
        for each in programs
        if each.name in judged
    ]
    if not rows or rows[0].kind is not ProgramKind.RIGHT:
        return None
    sizes = [float(len(each.test.stdin_bytes)) if isinstance(each.test, TestCase) else 0.0 for each in problem.tests]
    return add_timing(measure_quality(rows), rows, sizes, (AC_TO_TIME_LIMIT, TIME_LIMIT_TO_TLE))


def _build_row(submission: Submission, kind: ProgramKind, result: VerifyResult, test_count: int) -> Row:
    judged = read_verdicts(result.model_dump_json().encode(), test_count)
    name = submission.name.removeprefix("submissions/")
    return Row(name, kind, judged.verdicts, judged.cpu_times_s, message=judged.message)
