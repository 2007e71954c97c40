"""Run the programs of a problem package on all inputs, for the study of votes.

The programs are the package's submissions in all languages, and mutants of a right one in Python and in C++. The inputs
are those of its tests, its invalid inputs, and damaged copies of valid inputs, as generators with mistakes would print
them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from sandbox.problems.check import PROGRAM_LIMITS, RunFailed, accepts
from sandbox.problems.problem import InputValidator, Problem, Program, Submission
from sandbox.problems.program_outcomes import ClientLike, run_program
from sandbox.problems.unsupported import Unsupported
from sandbox.runner.contract import Outcome, Verdict
from sandbox.schema import ExecuteRequest, TestCase, VerifyRequest
from sandbox.schema.checkers import InteractiveChecker, ProgramChecker
from sandbox.verify.agreement import Agreement, BuiltInAgreement
from sandbox.verify.checker_calibration import damage_output
from sandbox.verify.checkers.failure import is_checker_failure
from sandbox.verify.judge import CheckerChoice, judge_outcome
from sandbox.verify.mutants.cpp import make_cpp_mutants
from sandbox.verify.mutants.generate import make_mutants
from sandbox.verify.result import TestResult, build_test_result

DAMAGED_INPUTS = 3
MAX_DAMAGED_BYTES = 10_000
MUTANT = "mutant"
_ANSWER_FILE = "printed.txt"
_PRINT_FILE = f"import sys\nsys.stdin.buffer.read()\nsys.stdout.buffer.write(open({_ANSWER_FILE!r}, 'rb').read())"


@dataclass
class MeasuredProgram:
    """A program with its outcome on each input. `is_right` says that it is right on all valid inputs."""

    name: str
    code: str
    outcomes: list[Outcome]
    language: str = "python"
    is_slow: bool = False
    is_right: bool = False


@dataclass
class MeasuredProblem:
    """The programs and inputs of a problem. `truths` has the right output of each input, None if it is invalid."""

    name: str
    stdins: list[bytes]
    truths: list[bytes | None]
    agreement: Agreement
    programs: list[MeasuredProgram] = field(default_factory=list)


class ServiceAgreement:
    """The agreement of a checker program that runs on the service, one pair at a time."""

    is_directed = True

    def __init__(self, client: ClientLike, checker: ProgramChecker, stdins: Sequence[bytes]) -> None:
        self._client = client
        self._checker = checker
        self._stdins = stdins
        self._known: dict[tuple[int, bytes, bytes], Verdict] = {}

    def canonicalize(self, output: bytes) -> bytes | None:
        return None

    def allow(self, outputs: Collection[bytes]) -> int:
        return 16 * len(outputs)

    def count_cost(self, output: bytes, expected: bytes) -> int:
        return 1

    def judge(self, position: int, outcome: Outcome, expected: bytes) -> TestResult:
        """Judge an output. Raises RunFailed if the service fails: a vote without this pair would distort the study."""
        if not outcome.ended_well:
            return judge_outcome(outcome, expected, CheckerChoice("tokens", {}))
        key = (position, outcome.stdout, expected)
        if key not in self._known:
            self._known[key] = self._run(*key)
        return build_test_result(outcome, self._known[key])

    def _run(self, position: int, output: bytes, expected: bytes) -> Verdict:
        case = TestCase(stdin_base64=self._stdins[position], expected_base64=expected, files={_ANSWER_FILE: output})
        result = self._client.verify(
            VerifyRequest(
                language="python", code=_PRINT_FILE, tests=[case], checker=self._checker, limits=PROGRAM_LIMITS
            )
        )
        if result.verdict is Verdict.INTERNAL_ERROR and not is_checker_failure(result.tests[0].message):
            raise RunFailed(f"the service failed to run the checker: {result.tests[0].message}")
        return result.verdict


def measure_problem(
    problem: Problem, client: ClientLike, mutants: int, seed: int, advance: Callable[[], object] = lambda: None
) -> MeasuredProblem:
    """Run all programs on all inputs.

    Raises Unsupported if the package does not fit the study, and RunFailed if the service fails.
    """
    cases = [test.test for test in problem.tests if isinstance(test.test, TestCase)]
    if isinstance(problem.checker, InteractiveChecker) or not cases or not problem.input_validators:
        raise Unsupported(problem.name, "the study needs tests with stdin, an input validator, and no interaction")
    programs = _list_programs(problem, mutants, seed)
    stdins = list(dict.fromkeys([*(case.stdin_bytes for case in cases), *_list_bad_inputs(problem, cases)]))
    answers = {case.stdin_bytes: case.expected_bytes for case in cases}
    valid = _validate(problem, problem.input_validators[0], stdins, client)
    truths = [answers.get(stdin) if is_valid else None for stdin, is_valid in zip(stdins, valid, strict=True)]
    # A damaged input that is valid by chance has no known answer, so it is left out.
    kept = [place for place, stdin in enumerate(stdins) if truths[place] is not None or not valid[place]]
    measured = MeasuredProblem(
        problem.name,
        [stdins[place] for place in kept],
        [truths[place] for place in kept],
        BuiltInAgreement(CheckerChoice("tokens", {})),
    )
    measured.agreement = _build_agreement(problem, client, measured.stdins)
    for program in programs:
        source = Program(name=f"{problem.name}: {program.name}", language=program.language, code=program.code)
        program.outcomes = run_program(source, measured.stdins, problem.limits, client)
        advance()
    for program in programs:
        program.is_right = not program.is_slow and is_right_everywhere(measured, program)
    names = {program.name for program in programs if program.name.startswith(MUTANT) and program.is_right}
    measured.programs = [program for program in programs if program.name not in names]  # equivalent mutants
    if len({program.is_right for program in measured.programs}) < 2:
        raise Unsupported(problem.name, "the study needs right and wrong programs")
    return measured


def is_right_everywhere(problem: MeasuredProblem, program: MeasuredProgram) -> bool:
    """Return whether a program is right on every valid input."""
    return all(
        problem.agreement.judge(place, program.outcomes[place], truth).verdict is Verdict.ACCEPTED
        for place, truth in enumerate(problem.truths)
        if truth is not None
    )


def _list_programs(problem: Problem, mutants: int, seed: int) -> list[MeasuredProgram]:
    given = problem.submissions
    programs = [MeasuredProgram(each.name, each.code, [], each.language, _must_be_slow(each)) for each in given]
    makers = {"python": make_mutants, "cpp": make_cpp_mutants}
    for language, make in makers.items():
        right = [each for each in given if each.language == language and each.permitted == {Verdict.ACCEPTED}]
        right.sort(key=lambda each: not each.is_reference)
        for origin in right[:1]:
            try:
                found = make(origin.code, mutants, seed)
            except ValueError as error:
                raise Unsupported(problem.name, f"the program {origin.name} {error}") from None
            programs += [
                MeasuredProgram(f"{MUTANT} {place} in {language}", each.code, [], language)
                for place, each in enumerate(found)
            ]
    return programs


def _must_be_slow(submission: Submission) -> bool:
    return submission.required == {Verdict.TIME_LIMIT_EXCEEDED}


def _list_bad_inputs(problem: Problem, cases: Sequence[TestCase]) -> list[bytes]:
    """Return the invalid inputs of the package, and damaged copies of small valid ones."""
    given = [test.test.stdin_bytes for test in problem.invalid_inputs if isinstance(test.test, TestCase)]
    small = [case.stdin_bytes for case in cases if len(case.stdin_bytes) <= MAX_DAMAGED_BYTES][:DAMAGED_INPUTS]
    damaged = [list(damage_output(stdin).values()) for stdin in small]
    return given + [copies[place % len(copies)] for place, copies in enumerate(damaged) if copies]


def _validate(problem: Problem, validator: InputValidator, stdins: Sequence[bytes], client: ClientLike) -> list[bool]:
    requests = [
        ExecuteRequest(language=validator.language, code=validator.code, stdin_base64=stdin, limits=PROGRAM_LIMITS)
        for stdin in stdins
    ]
    results = dict(client.execute_stream(requests))
    judged = [accepts(validator, results[place]) for place in range(len(stdins))]
    if None in judged:
        raise RunFailed(f"{problem.name}: the service failed to run the validator")
    return [bool(each) for each in judged]


def _build_agreement(problem: Problem, client: ClientLike, stdins: Sequence[bytes]) -> Agreement:
    checker = problem.checker
    if isinstance(checker, ProgramChecker):
        return ServiceAgreement(client, checker, stdins)
    return BuiltInAgreement(CheckerChoice(checker.type, checker.model_dump(exclude={"type"})))
