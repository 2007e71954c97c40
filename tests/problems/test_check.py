"""A failure of the service is no fact about a package: the checks that depend on it are unjudged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sandbox.cli.problem_check import EXIT_UNJUDGED, _choose_exit_code
from sandbox.problems.check import RunFailed, ServiceRunner, check
from sandbox.problems.importer import Options, Skipped, read_package, read_problems
from sandbox.problems.problem import Problem
from sandbox.problems.report import Finding
from sandbox.runner.contract import Status, Verdict
from sandbox.schema import ExecuteRequest, ExecuteResult, TestResult, VerifyRequest, VerifyResult
from tests.problems.test_kattis import BASE, RULES, write

FILES = {
    **{name: text for name, text in BASE.items() if "wrong_answer" not in name},
    "input_validators/check.py": "x\n",
    "data/invalid_input/zero.in": "0\n",
    "data/valid_output/one.in": "1\n",
    "data/valid_output/one.ans": "2\n",
    "data/valid_output/one.out": "2\n",
}


@dataclass
class FixedClient:
    """Answers each program with a fixed status, exit code and verdict, as a service that fails would."""

    status: Status = Status.OK
    exit_code: int | None = 0
    verdict: Verdict = Verdict.ACCEPTED

    def execute(self, program: ExecuteRequest) -> ExecuteResult:
        return ExecuteResult(id="1", status=self.status, exit_code=self.exit_code, message="no box")

    def execute_stream(self, programs: Iterable[ExecuteRequest]) -> Iterator[tuple[int, ExecuteResult]]:
        yield from ((number, self.execute(program)) for number, program in enumerate(programs))

    def verify_stream(self, submissions: Iterable[VerifyRequest]) -> Iterator[tuple[int, VerifyResult]]:
        for number, submission in enumerate(submissions):
            tests = [TestResult(verdict=self.verdict, message="no box")] * len(submission.tests)
            total = len(tests)
            yield number, VerifyResult(id="1", verdict=self.verdict, passed=0, total=total, score=0.0, tests=tests)


FAILING = FixedClient(Status.INTERNAL_ERROR, None, Verdict.INTERNAL_ERROR)


@pytest.fixture
def problem(tmp_path: Path) -> Problem:
    return read_package(write(tmp_path / "double", FILES))


def find(problem: Problem, client: FixedClient) -> dict[str, Finding]:
    return {finding.kind: finding for finding in check(problem, client, lambda: None).findings}


def test_every_check_that_needs_a_failing_service_is_unjudged(problem: Problem) -> None:
    report = check(problem, FAILING, lambda: None)
    assert {finding.kind for finding in report.findings} == {
        *("input validator", "invalid input", "output", "python submission", "time limit"),
    }
    assert all(finding.unjudged and not finding.passed for finding in report.findings)
    assert (report.passed, report.failed) == (False, False)
    assert _choose_exit_code([report]) == EXIT_UNJUDGED


def test_a_failure_that_is_the_packages_own_decides(problem: Problem) -> None:
    judged = find(problem, replace(FAILING, status=Status.OK, exit_code=43))
    assert judged["input validator"].detail.startswith("rejects sample/1 and 1 more: ")
    assert not judged["input validator"].unjudged
    assert judged["invalid input"].passed
    assert judged["output"].unjudged
    report = check(problem, replace(FAILING, status=Status.OK, exit_code=43), lambda: None)
    assert _choose_exit_code([report]) == 1


def test_a_forbidden_verdict_counts_more_than_an_internal_error(problem: Problem) -> None:
    wrong = find(problem, FixedClient(exit_code=42, verdict=Verdict.WRONG_ANSWER))["python submission"]
    assert (wrong.passed, wrong.unjudged) == (False, False)
    assert wrong.detail == "wrong_answer on sample/1 and 1 more: no box"


def test_a_submission_that_does_not_compile_fails_in_every_folder(tmp_path: Path) -> None:
    files = {**FILES, "submissions/rejected/broken.py": "x\n"}
    client = FixedClient(exit_code=42, verdict=Verdict.COMPILE_ERROR)
    report = check(read_package(write(tmp_path / "double", files)), client, lambda: None)
    failed = {finding.name for finding in report.findings if not finding.passed}
    assert {"submissions/accepted/right.py", "submissions/rejected/broken.py"} <= failed


def test_a_generator_that_the_service_fails_to_run_does_not_drop_the_problem(tmp_path: Path) -> None:
    rules = "data: {secret: {data: {'02': gen.py 5}}}\n"
    package = write(tmp_path / "double", {**FILES, RULES: rules, "generators/gen.py": "print(5)\n"})
    with pytest.raises(RunFailed, match=r"generators/gen.py 5: the service failed to run it: no box"):
        list(read_problems(package, Options(runner=ServiceRunner(FAILING))))
    (skipped,) = read_problems(package, Options(runner=ServiceRunner(FixedClient(Status.RUNTIME_ERROR, 1))))
    assert isinstance(skipped, Skipped)
