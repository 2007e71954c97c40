"""Check a package by running it: validators, checker, submissions, and the time limit.

A package is sound if its validators accept every input and reject the invalid ones, its checker agrees with the
examples of outputs, every submission gets the verdicts that its folder promises, and the time limit separates the
accepted submissions from the slow ones with a margin on both sides. The 2025-09 format defines these margins.

An `internal_error` says nothing about the package: a check that depends on it is unjudged, neither passed nor failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from sandbox.errors import InfrastructureError
from sandbox.problems.problem import (
    OUTCOMES,
    InputValidator,
    OutputExample,
    Problem,
    ProblemTest,
    Program,
    Submission,
)
from sandbox.problems.problem import Protocol as ValidatorProtocol
from sandbox.problems.quality import measure_package
from sandbox.problems.report import Finding, Report
from sandbox.problems.unsupported import Unsupported, name_invalid_values
from sandbox.runner.contract import Status, Verdict
from sandbox.schema import ExecuteRequest, ExecuteResult, TestCase, VerifyRequest, VerifyResult
from sandbox.schema.checkers import InteractiveChecker
from sandbox.schema.wire import LimitsRequest

ACCEPTED_TO_LIMIT = 2.0
LIMIT_TO_SLOW = 1.5
MAX_TIME_LIMIT_S = 300.0
PROGRAM_LIMITS = LimitsRequest(cpu_time_s=60.0, memory_mb=2048, output_kb=131_072)
_VALID_EXIT_CODES = {ValidatorProtocol.KATTIS: 42, ValidatorProtocol.TESTLIB: 0}
_EXAMPLE_FILE = "example_output.txt"
_PRINT_OUTPUT = f"""\
import sys
sys.stdin.buffer.read()
with open("{_EXAMPLE_FILE}", "rb") as file:
    sys.stdout.buffer.write(file.read())
"""


class RunFailed(InfrastructureError):
    """The service failed to run a program of a package."""


class ClientLike(Protocol):
    """The methods of `sandbox.client.Client` that a check needs."""

    def execute(self, program: ExecuteRequest) -> ExecuteResult: ...

    def execute_stream(self, programs: Iterable[ExecuteRequest]) -> Iterator[tuple[int, ExecuteResult]]: ...

    def verify_stream(self, submissions: Iterable[VerifyRequest]) -> Iterator[tuple[int, VerifyResult]]: ...


class ServiceRunner:
    """Runs generators and reference solutions on the service."""

    def __init__(self, client: ClientLike) -> None:
        self._client = client

    def run(self, program: Program, args: Sequence[str], stdin: bytes) -> bytes:
        """Return the program's stdout. Raises Unsupported if the program fails, and RunFailed if the service does."""
        command = " ".join((program.name, *args))
        with name_invalid_values(command):
            request = ExecuteRequest(
                language=program.language,
                code=program.code,
                args=list(args),
                stdin_base64=stdin,
                limits=PROGRAM_LIMITS,
            )
        result = self._client.execute(request)
        if result.status is Status.INTERNAL_ERROR:
            raise RunFailed(f"{command}: the service failed to run it: {result.message}".rstrip(": "))
        if result.status is not Status.OK:
            text = result.compile.stderr if result.compile and result.status is Status.COMPILE_ERROR else result.stderr
            raise Unsupported(command, f"ended with {result.status}: {(result.message or text)[:300]}".rstrip(": "))
        return result.stdout.encode() if result.stdout_base64 is None else result.stdout_base64


def count_steps(problem: Problem) -> int:
    """Return how often `check` calls `advance`."""
    inputs = len(problem.tests) + len(problem.invalid_inputs)
    return len(problem.input_validators) * inputs + len(problem.output_examples) + len(problem.submissions)


def check(problem: Problem, client: ClientLike, advance: Callable[[], object]) -> Report:
    """Run all checks and call `advance` after each program. Raises the client's errors."""
    report = Report(problem.name, test_names=[test.name for test in problem.tests])
    report.findings += _check_inputs(problem, client, advance)
    report.findings += _check_outputs(problem, client, advance)
    results: dict[int, VerifyResult] = {}
    submissions = _check_submissions(problem, client, advance, results)
    report.findings += submissions
    report.quality = measure_package(problem, results)
    report.findings += _check_time_limit(problem, submissions)
    return report


def _check_inputs(problem: Problem, client: ClientLike, advance: Callable[[], object]) -> Iterator[Finding]:
    if not problem.input_validators:
        yield Finding("input validators", "input_validators", False, "the package has none")
        return
    tests = [*problem.tests, *problem.invalid_inputs]
    pairs = [(validator, test) for validator in problem.input_validators for test in tests]
    results: dict[int, ExecuteResult] = {}
    for number, result in client.execute_stream([_build_validation(*pair) for pair in pairs]):
        results[number] = result
        advance()
    runs = {(validator.name, test.name): results[number] for number, (validator, test) in enumerate(pairs)}
    for validator in problem.input_validators:
        yield _judge_validator(validator, {test.name: runs[validator.name, test.name] for test in problem.tests})
    for test in problem.invalid_inputs:
        judgements = [accepts(each, runs[each.name, test.name]) for each in problem.input_validators]
        if False in judgements:
            yield Finding("invalid input", test.name, True)
        elif None in judgements:
            yield Finding("invalid input", test.name, False, "the service failed to run a validator", unjudged=True)
        else:
            yield Finding("invalid input", test.name, False, "every validator accepts it")


def _judge_validator(validator: InputValidator, runs: Mapping[str, ExecuteResult]) -> Finding:
    """Return whether a validator accepts the inputs of all tests, given its run on each test."""
    judgements = {name: accepts(validator, run) for name, run in runs.items()}
    for value, verb in ((False, "rejects"), (None, "the service failed on")):
        if names := [name for name, accepts in judgements.items() if accepts is value]:
            detail = f"{verb} {_shorten(names)}: {_describe_run(runs[names[0]])}"
            return Finding("input validator", validator.name, False, detail, unjudged=value is None)
    return Finding("input validator", validator.name, True, f"{len(runs)} inputs")


def _build_validation(validator: InputValidator, test: ProblemTest) -> ExecuteRequest:
    case = test.test
    if not isinstance(case, TestCase):
        raise Unsupported(test.name, "input validators read stdin, but the test calls a function")
    with name_invalid_values(test.name):
        return ExecuteRequest(
            language=validator.language,
            code=validator.code,
            stdin_base64=case.stdin_bytes,
            args=list(test.validator_args),
            files=case.files,
            limits=PROGRAM_LIMITS,
        )


def accepts(validator: InputValidator, result: ExecuteResult) -> bool | None:
    """Return whether the validator accepts its input, or None if the service failed."""
    if result.status is Status.INTERNAL_ERROR:
        return None
    return result.signal is None and result.exit_code == _VALID_EXIT_CODES[validator.protocol]


def _describe_run(result: ExecuteResult) -> str:
    text = result.compile.stderr if result.compile and result.status is Status.COMPILE_ERROR else result.stderr
    return " ".join(f"{result.status}, exit code {result.exit_code}: {text.strip() or result.message}"[:200].split())


def _check_outputs(problem: Problem, client: ClientLike, advance: Callable[[], object]) -> Iterator[Finding]:
    """Judge a program that prints the example's output."""
    examples = problem.output_examples
    if examples and isinstance(problem.checker, InteractiveChecker):
        yield Finding("output", "data", False, "an interactive problem cannot have example outputs")
        return
    requests = [_build_print(problem, example) for example in examples]
    for number, result in client.verify_stream(requests):
        advance()
        example, verdict = examples[number], result.verdict
        expected = Verdict.ACCEPTED if example.is_valid else Verdict.WRONG_ANSWER
        detail = "" if verdict is expected else f"{verdict} instead of {expected}: {_find_message(result)}".rstrip(": ")
        unjudged = verdict is Verdict.INTERNAL_ERROR
        yield Finding("output", example.name, verdict is expected, detail, unjudged=unjudged)


def _build_print(problem: Problem, example: OutputExample) -> VerifyRequest:
    """Build a submission that prints the example, which may be larger than a program's source."""
    with name_invalid_values(example.name):
        case = TestCase(
            stdin_base64=example.stdin, expected_base64=example.answer, files={_EXAMPLE_FILE: example.output}
        )
        return VerifyRequest(
            language="python", code=_PRINT_OUTPUT, tests=[case], checker=problem.checker, limits=PROGRAM_LIMITS
        )


def _check_submissions(
    problem: Problem, client: ClientLike, advance: Callable[[], object], results: dict[int, VerifyResult]
) -> list[Finding]:
    """Judge all submissions, and keep their results by position in `results`."""
    requests = [_build_request(problem, submission) for submission in problem.submissions]
    findings: dict[int, Finding] = {}
    for number, result in client.verify_stream(requests):
        results[number] = result
        findings[number] = _judge(problem.submissions[number], problem.tests, result)
        advance()
    if not any(submission.is_reference for submission in problem.submissions):
        findings[len(requests)] = Finding("submission", "submissions/accepted", False, "the package has none")
    return [findings[number] for number in sorted(findings)]


def _build_request(problem: Problem, submission: Submission) -> VerifyRequest:
    request: dict[str, Any] = problem.build_verify_request(submission)
    if _must_be_slow(submission) and problem.limits.cpu_time_s:
        limit = min(problem.limits.cpu_time_s * LIMIT_TO_SLOW, MAX_TIME_LIMIT_S)
        request["limits"] = {**request["limits"], "cpu_time_s": limit}
    with name_invalid_values(submission.name):
        return VerifyRequest.model_validate(request)


def _must_be_slow(submission: Submission) -> bool:
    return submission.required == {Verdict.TIME_LIMIT_EXCEEDED}


def _judge(submission: Submission, tests: Sequence[ProblemTest], result: VerifyResult) -> Finding:
    """Compare the verdicts of all tests with the verdicts that the submission may get and must get."""
    kind = f"{submission.language} submission"
    slowest = max((test.usage.cpu_time_s for test in result.tests), default=0.0)
    if result.verdict is Verdict.COMPILE_ERROR:
        text = result.compile.stderr if result.compile else ""
        return Finding(kind, submission.name, False, f"compile_error: {' '.join(text.split())[:200]}")
    verdicts = [(name.name, test.verdict) for name, test in zip(tests, result.tests, strict=True)]
    unjudged = [(name, verdict) for name, verdict in verdicts if verdict is Verdict.INTERNAL_ERROR]
    forbidden = [each for each in verdicts if each[1] not in submission.permitted and each not in unjudged]
    if blamed := forbidden or unjudged:
        verdict = blamed[0][1]
        message = next((test.message for test in result.tests if test.verdict is verdict), "")
        detail = f"{verdict} on {_shorten([name for name, _ in blamed])}: {message}".rstrip(": ")
        return Finding(kind, submission.name, False, detail, slowest, unjudged=not forbidden)
    if not any(verdict in submission.required for _, verdict in verdicts):
        wanted = " or ".join(sorted(submission.required & OUTCOMES))
        at = f" within {LIMIT_TO_SLOW} x the time limit" if _must_be_slow(submission) else ""
        return Finding(kind, submission.name, False, f"no test gives {wanted}{at}", slowest)
    return Finding(kind, submission.name, True, str(result.verdict), slowest)


def _find_message(result: VerifyResult) -> str:
    return next((test.message for test in result.tests if test.message), "")


def _check_time_limit(problem: Problem, submissions: Sequence[Finding]) -> Iterator[Finding]:
    references = {submission.name for submission in problem.submissions if submission.is_reference}
    accepted = [finding for finding in submissions if finding.name in references]
    slowest = max((finding.cpu_time_s for finding in accepted), default=0.0)
    limit = problem.limits.cpu_time_s
    if limit is None:
        yield Finding("time limit", "problem", True, f"none given; the slowest accepted needs {slowest:.2f} s")
        return
    passed = slowest * ACCEPTED_TO_LIMIT <= limit
    detail = f"{limit:g} s; the slowest accepted submission needs {slowest:.2f} s"
    if not passed:
        yield Finding("time limit", "problem", False, f"{detail}, more than half of it")
    elif any(finding.unjudged for finding in accepted):
        yield Finding("time limit", "problem", False, f"{detail}, but not all were judged", unjudged=True)
    else:
        yield Finding("time limit", "problem", True, detail)


def _shorten(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
