"""Handwritten problems, and programs named after the verdict that they must get, judged by real workers.

`corpus/<problem>/problem.json` has the statement, the checker, the limits and the tests. A test is input and expected
output, or a generator: a script in the same directory, run here, whose output is the input. For a generator, the
output of `python_accepted.py`, also run here, is the expected one, so the C++ solution checks it. The programs are
named `<language>_<verdict>[_<name>].<suffix>`.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sandbox import languages
from sandbox.queue.submission import Submission
from sandbox.runner.contract import Verdict
from sandbox.schema import TestCase, VerifyRequest, VerifyResult
from sandbox.service import Service

CORPUS = Path(__file__).parent / "corpus"
PROBLEMS = sorted(path.parent.name for path in CORPUS.glob("*/problem.json"))
TIMEOUT_S = 560.0
SHORT_LIMITS = {"cpu_time_s": 0.5}  # for endless or quadratic programs, which a short limit is enough to detect
# This machine may be several times slower than the one for which the limits were chosen. Programs that are slow on
# purpose are endless or quadratic.
Results = dict[str, dict[str, VerifyResult]]


def _list_programs(problem: str) -> list[Path]:
    verdicts = tuple(f"_{verdict.value}" for verdict in Verdict)
    found = sorted((CORPUS / problem).iterdir())
    return [path for path in found if any(verdict in path.stem for verdict in verdicts)]


def _parse_expected_verdict(program: Path) -> Verdict:
    wanted = program.stem.partition("_")[2]
    return next(verdict for verdict in Verdict if wanted == verdict.value or wanted.startswith(f"{verdict.value}_"))


def _run_here(script: Path, *args: str, stdin: str = "") -> str:
    command = [sys.executable, script.name, *args]
    done = subprocess.run(command, cwd=script.parent, input=stdin, capture_output=True, text=True, check=True)
    return done.stdout


@functools.cache
def _load_problem(name: str) -> dict[str, Any]:
    described: dict[str, Any] = json.loads((CORPUS / name / "problem.json").read_text())
    return described


def _build_test_case(problem: str, test: dict[str, Any]) -> TestCase:
    if "generator" not in test:
        return TestCase(**test)
    stdin = _run_here(CORPUS / problem / test["generator"], *test.get("args", ()))
    return TestCase(stdin=stdin, expected=_run_here(CORPUS / problem / "python_accepted.py", stdin=stdin))


def _build_requests(problem: str) -> dict[str, VerifyRequest]:
    described = _load_problem(problem)
    tests = [_build_test_case(problem, test) for test in described["tests"]]
    return {
        path.name: VerifyRequest(
            language=languages.get_language_by_suffix(path.suffix).name,
            code=path.read_text(),
            tests=tests,
            checker=described["checker"],
            limits=described["limits"] | (SHORT_LIMITS if Verdict.TIME_LIMIT_EXCEEDED.value in path.stem else {}),
            stop_on_failure=True,
        )
        for path in _list_programs(problem)
    }


@pytest.fixture(scope="session")
def results(live_service: Service) -> Results:
    """Send all programs of each problem in one batch, and return the results."""
    sent = {}
    for problem in PROBLEMS:
        requests = _build_requests(problem)
        sent[problem] = (list(requests), live_service.submit(Submission("verify", list(requests.values()), batch=True)))
    return {
        problem: {
            name: VerifyResult.model_validate_json(future.result(TIMEOUT_S))
            for name, future in zip(names, ticket.results, strict=True)
        }
        for problem, (names, ticket) in sent.items()
    }


def _describe_result(result: VerifyResult) -> str:
    tests = [f"{test.verdict.value} {test.message} {test.usage}" for test in result.tests if test.verdict != "skipped"]
    compiled = result.compile.stderr[-500:] if result.compile is not None else ""
    return f"{result.verdict.value} ({result.passed}/{result.total}); last: {tests[-1:]} {compiled}"


def test_there_are_at_least_15_problems_each_with_every_kind_of_program_in_python_and_cpp() -> None:
    assert len(PROBLEMS) >= 15
    wanted = {"accepted", "wrong_answer", "time_limit_exceeded", "runtime_error", "memory_limit_exceeded"}
    for problem in PROBLEMS:
        for language in ("python", "cpp"):
            programs = [path for path in _list_programs(problem) if path.stem.startswith(f"{language}_")]
            assert wanted <= {_parse_expected_verdict(path).value for path in programs}, (problem, language)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_program_gets_the_verdict_it_is_named_after(problem: str, results: Results) -> None:
    wrong = [
        f"{path.name}: {_describe_result(results[problem][path.name])}"
        for path in _list_programs(problem)
        if results[problem][path.name].verdict is not _parse_expected_verdict(path)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_what_was_not_run_after_a_failure_is_called_skipped(problem: str, results: Results) -> None:
    for result in results[problem].values():
        verdicts = [test.verdict for test in result.tests]
        assert len(verdicts) == result.total
        if result.verdict not in {Verdict.ACCEPTED, Verdict.COMPILE_ERROR}:
            first = verdicts.index(result.verdict)
            assert set(verdicts[:first]) <= {Verdict.ACCEPTED}
            assert set(verdicts[first + 1 :]) <= {Verdict.SKIPPED}
