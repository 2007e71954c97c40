"""An assert test gives the same result in two boxes as in a single process, test by test."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest

from sandbox.client import Client
from tests.differential import one_process
from tests.differential.assert_corpus import Case, load_cases
from tests.e2e.conftest import client as client
from tests.e2e.conftest import url as url
from tests.e2e.verdicts import ACCEPTED
from tests.worker_processes import ROOT

MIN_TESTS = 400
CONCURRENCY = 4
PROCESSES = 2
Pair = tuple[str, str, str]


@cache
def compute_plain_verdicts() -> dict[Pair, bool]:
    """Return whether Python itself passes a test, for each program of each case."""
    pairs = [
        (program, entry_point, test)
        for case in load_cases()
        for program in (case.program, *case.wrong)
        for entry_point, test in case.tests
    ]
    parts = [pairs[::PROCESSES], pairs[1::PROCESSES]]
    with ThreadPoolExecutor(PROCESSES) as threads:
        return {pair: verdict for part in threads.map(_judge_in_one_process, parts) for pair, verdict in part}


def _judge_in_one_process(pairs: list[Pair]) -> list[tuple[Pair, bool]]:
    requests = "".join(json.dumps(pair) + "\n" for pair in pairs)
    answers = subprocess.run(
        [sys.executable, "-m", one_process.__name__],
        input=requests,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return list(zip(pairs, map(json.loads, answers.stdout.splitlines()), strict=True))


def find_differences(client: Client, case: Case, program: str) -> list[str]:
    """Return the tests on which the sandbox differs from Python.

    A wrong program runs only the tests that it fails there.
    """
    found = []
    by_entry_point: dict[str, list[str]] = {}
    for entry_point, test in case.tests:
        if program == case.program or not compute_plain_verdicts()[program, entry_point, test]:
            by_entry_point.setdefault(entry_point, []).append(test)
    for entry_point, tests in by_entry_point.items():
        request = {
            "language": "python",
            "code": program,
            "entry_point": entry_point,
            "tests": [{"assert": test} for test in tests],
        }
        for test, result in zip(tests, client.verify(request).tests, strict=True):
            if (result.verdict == ACCEPTED) != compute_plain_verdicts()[program, entry_point, test]:
                found.append(f"{result.verdict.value}: {result.message}\n{test}")
    return found


def test_the_corpus_has_many_tests_and_a_wrong_version_of_each_program() -> None:
    assert sum(len(case.tests) for case in load_cases()) >= MIN_TESTS
    assert all(case.wrong for case in load_cases())


@pytest.mark.timeout(300)
def test_python_passes_every_test_with_the_right_program_and_fails_some_with_each_wrong_one() -> None:
    verdicts = compute_plain_verdicts()
    for case in load_cases():
        assert all(verdicts[case.program, *test] for test in case.tests), case.name
        for program in case.wrong:
            assert not all(verdicts[program, *test] for test in case.tests), (case.name, program)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", load_cases(), ids=lambda case: case.name)
def test_the_sandbox_accepts_every_right_program_and_no_wrong_one(client: Client, case: Case) -> None:
    with ThreadPoolExecutor(CONCURRENCY) as threads:
        found = list(threads.map(lambda program: find_differences(client, case, program), (case.program, *case.wrong)))
    assert not any(found), "\n".join(difference for one in found for difference in one)
