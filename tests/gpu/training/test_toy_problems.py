"""Toy tasks as problems: right programs, wrong ideas, and inputs of all sizes."""

from __future__ import annotations

import subprocess
import sys

from sandbox.gpu.training.toy_problems import MAX_NUMBERS, generate_problems
from sandbox.problems.problem import Problem
from sandbox.runner.contract import Verdict
from sandbox.schema import TestCase


def list_cases(problem: Problem) -> list[TestCase]:
    return [test.test for test in problem.tests if isinstance(test.test, TestCase)]


def run(code: str, stdin: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-I", "-S", "-c", code], input=stdin, capture_output=True, check=False)


def test_the_same_seed_makes_the_same_problems() -> None:
    assert generate_problems(3, 1) == generate_problems(3, 1)
    assert generate_problems(3, 1) != generate_problems(3, 2)
    assert len({problem.name for problem in generate_problems(50, 1)}) == 50


def test_right_programs_are_right_and_a_wrong_idea_is_wrong_on_some_input() -> None:
    problem = generate_problems(4, 0)[3]
    cases = [case for case in list_cases(problem) if len(case.stdin_bytes) < 100]
    passing = {}
    for submission in problem.submissions:
        printed = [run(submission.code, case.stdin_bytes).stdout.split() for case in cases]
        passing[submission.name] = printed == [case.expected_bytes.split() for case in cases]
        if submission.permitted == {Verdict.ACCEPTED}:
            assert passing[submission.name], submission.name
    assert passing["walks"], "the slow program is right on small inputs"
    assert not passing["misreads part 0"]


def test_the_validator_accepts_every_test_and_rejects_invalid_inputs() -> None:
    problem = generate_problems(4, 0)[3]  # with a count before the numbers
    [validator] = problem.input_validators
    invalid = [test.test for test in problem.invalid_inputs if isinstance(test.test, TestCase)]
    assert len(invalid) == 3
    assert {run(validator.code, case.stdin_bytes).returncode for case in list_cases(problem)} == {42}
    assert 42 not in {run(validator.code, case.stdin_bytes).returncode for case in invalid}


def test_sizes_rise_to_the_largest_that_the_task_allows() -> None:
    counts = [len(case.stdin_bytes.split(b"\n")[-2].split()) for case in list_cases(generate_problems(1, 0)[0])]
    assert min(counts) == 1
    assert max(counts) == MAX_NUMBERS
    assert sum(10 < count < MAX_NUMBERS for count in counts) >= 3
