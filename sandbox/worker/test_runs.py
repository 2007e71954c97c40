"""Turn the tests of a submission into runs. A run defines in which box a test is executed and how it is judged."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from sandbox import languages
from sandbox.box.box import NO_FILES, Box
from sandbox.box.slot import Slot
from sandbox.languages import Language
from sandbox.runner.contract import Limits, Mode, Outcome, Run, Status, Verdict
from sandbox.runner.harness import shared_process
from sandbox.runner.rpc import codec
from sandbox.schema import (
    AssertTest,
    CommandTest,
    FunctionTest,
    InteractiveChecker,
    ProgramChecker,
    PytestTest,
    TestCase,
    VerifyRequest,
)
from sandbox.schema.tests import AnyTest
from sandbox.verify.checkers.program_checker import (
    ARGUMENTS,
    LIMIT_STATUSES,
    FirstToEnd,
    build_checker_files,
)
from sandbox.verify.judge import (
    TestRun,
    judge_call,
    judge_checker_overload,
    judge_checker_result,
    judge_exit,
    judge_files,
    judge_interaction,
    judge_outcome,
)
from sandbox.verify.reported_tests import (
    CANNOT_RUN_PREFIX,
    judge_assertion,
    judge_file,
    judge_shared,
    judge_shared_file,
)
from sandbox.verify.result import TestResult
from sandbox.worker.checker_program import build_checker_choice, build_checker_program
from sandbox.worker.interaction import connect_and_run, is_busy

EMPTY_PROGRAM = ""
NONCE_BYTES = 16
PYTEST_MODULES = ("sandbox.runner.harness.pytest_file",)  # preloaded into the interpreter that runs pytest files
# The limits of test code. They do not depend on the program's limits, because only the program is judged.
TEST_LIMITS = Limits()
TEST_EXTRA_WALL_TIME_S = 2.0
INTERACTOR_EXTRA_WALL_TIME_S = 2.0
SILENT_FRACTION = 0.5  # of the time that program and interactor may both be idle
FREE_ARGUMENT_BYTES = 100_000  # decoding smaller arguments costs next to nothing
DECODE_NS_PER_BYTE = 100  # the cost of decoding larger ones
WALL_TIME_MESSAGE = "wall time"  # the supervisor's message when it stops a program at this limit


class TestRuns:
    """A context manager that yields one `TestRun` per test. The program is already loaded in `box`.

    Tests that run in a box of their own borrow a secondary box on first use. It is returned when the context ends.
    """

    def __init__(self, request: VerifyRequest, language: Language, limits: Limits, box: Box, slot: Slot) -> None:
        self._request = request
        self._language = language
        self._limits = limits
        self._box = box
        self._slot = slot
        self._checker = build_checker_choice(request.checker)
        self._is_shared = request.isolation == "shared"
        self._secondary_boxes: dict[str, Box] = {}
        self._checker_box: Box | None = None
        self._checker_failure: Outcome | None = None
        self._cleanup = ExitStack()

    def __enter__(self) -> list[TestRun]:
        return [self._build_test_run(test) for test in self._request.tests]

    def __exit__(self, *raised: object) -> None:
        self._cleanup.__exit__(*raised)  # type: ignore[arg-type]

    def _build_test_run(self, test: AnyTest) -> TestRun:
        if isinstance(test, TestCase):
            return lambda: self._run_case(test)
        if isinstance(test, CommandTest):
            return lambda: self._run_command(test)
        if isinstance(test, FunctionTest):
            return lambda: self._call_function(test)
        if isinstance(test, PytestTest):
            return lambda: self._run_pytest_file_shared(test) if self._is_shared else self._run_pytest_file(test)
        return lambda: self._run_assertion_shared(test) if self._is_shared else self._run_assertion(test)

    def _run_case(self, test: TestCase) -> TestResult:
        checker = self._request.checker
        if isinstance(checker, InteractiveChecker):
            return self._run_interactive_case(test, checker)
        run = Run(
            stdin=test.stdin_source,
            args=tuple(test.args),
            files=test.files,
            fetch_files=tuple(test.expected_files),
            limits=self._limits,
        )
        outcome = self._box.run(run)
        if test.expected_files:
            stdout = test.expected_bytes if test.judges_stdout else None
            return judge_files(outcome, stdout, test.expected_files, self._checker)
        if not isinstance(checker, ProgramChecker) or not outcome.ended_well:
            return judge_outcome(outcome, test.expected_bytes, self._checker)
        checker_outcome = self._run_checker(checker, test, outcome.stdout)
        # If the checker stays within its limits on the expected output, the program's output made it exceed them.
        if (
            checker_outcome.status in LIMIT_STATUSES
            and self._run_checker(checker, test, test.expected_bytes).status not in LIMIT_STATUSES
        ):
            return judge_checker_overload(outcome, checker_outcome)
        return judge_checker_result(outcome, checker_outcome, checker.full_score)

    def _run_checker(self, checker: ProgramChecker, test: TestCase, stdout: bytes) -> Outcome:
        """Run the user's checker on an output, in the checker's own box."""
        box, broken = self._get_checker_box(checker)
        if broken is not None:
            return broken
        files = build_checker_files(test.stdin_bytes, stdout, test.expected_bytes)
        return box.run(Run(args=ARGUMENTS, files=files, limits=checker.limits.resolve(Limits())))

    def _run_interactive_case(self, test: TestCase, checker: InteractiveChecker) -> TestResult:
        """Run the program and the interactor in separate boxes. The stdout of each one is the stdin of the other."""
        box, broken = self._get_checker_box(checker)
        if broken is not None:
            return judge_interaction(Outcome(Status.OK), broken, FirstToEnd.INTERACTOR, checker.full_score)
        # Waiting uses wall time but no CPU time. If both wait for each other, only the idle time is used up.
        wall_time_s = min(self._limits.wall_time_s, self._limits.cpu_time_s + checker.idle_time_s)
        limits = replace(self._limits, wall_time_s=wall_time_s)
        # The program reaches its time limit first, so the interactor is never blamed for the wait.
        interactor_limits = replace(
            checker.limits.resolve(Limits()), wall_time_s=wall_time_s + INTERACTOR_EXTRA_WALL_TIME_S
        )
        files = build_checker_files(test.stdin_bytes, b"", test.expected_bytes)
        interactor_run = Run(args=ARGUMENTS, files=files, limits=interactor_limits)
        program_run = Run(args=tuple(test.args), files=test.files, limits=limits)
        outcome, interactor, record = connect_and_run(self._box, program_run, box, interactor_run)
        first = record.end_order[0]
        if first is FirstToEnd.PROGRAM and outcome.message == WALL_TIME_MESSAGE and not is_busy(interactor.usage):
            patience_s = min(checker.idle_time_s, wall_time_s) * SILENT_FRACTION
            first = FirstToEnd.WITHHELD if record.is_program_owed_answer(patience_s) else FirstToEnd.NEITHER
        case = judge_interaction(outcome, interactor, first, checker.full_score)
        # If the interactor stays within its limits without input, the program made it exceed them.
        failed = case.verdict is Verdict.INTERNAL_ERROR and first in {FirstToEnd.PROGRAM, FirstToEnd.INTERACTOR}
        driven = failed and outcome.status is not Status.INTERNAL_ERROR and interactor.status in LIMIT_STATUSES
        return (
            judge_checker_overload(outcome, interactor)
            if driven and box.run(interactor_run).status not in LIMIT_STATUSES
            else case
        )

    def _get_checker_box(self, checker: ProgramChecker | InteractiveChecker) -> tuple[Box, Outcome | None]:
        """Return the box in which the user's checker is loaded, and its outcome if it does not compile."""
        if self._checker_box is None:
            language = languages.get_language(checker.language)
            self._slot.require_language(language)
            self._checker_box = self._cleanup.enter_context(self._slot.lend_secondary(language.image, "checker"))
            loaded = self._checker_box.load(build_checker_program(language, checker))
            if loaded is None and language.syntax_check:
                loaded = self._checker_box.run(Run(command=language.syntax_check, limits=language.compile_limits))
            broken = loaded is not None and not loaded.ended_well
            self._checker_failure = replace(loaded, status=Status.COMPILE_ERROR) if loaded and broken else None
        return self._checker_box, self._checker_failure

    def _run_command(self, test: CommandTest) -> TestResult:
        run = Run(stdin=test.stdin.encode(), files=test.files, limits=self._limits, command=tuple(test.command))
        return judge_exit(self._box.run(run))

    def _call_function(self, test: FunctionTest) -> TestResult:
        call = {
            "name": self._request.entry_point,
            "args": [codec.encode(item) for item in _build_arguments(test)],
            "kwargs": {name: codec.encode(item) for name, item in test.kwargs.items()},
        }
        line = json.dumps(call).encode() + b"\n"
        outcome = self._box.call(line, self._add_decode_time(len(line)))
        return judge_call(outcome, test.expected, self._checker, test.alternatives)

    def _add_decode_time(self, argument_bytes: int) -> Limits:
        """Return the limits of a call, extended by the time to decode its arguments."""
        if argument_bytes < FREE_ARGUMENT_BYTES:
            return self._limits
        decode_s = argument_bytes * DECODE_NS_PER_BYTE * 1e-9
        wall_time_s = self._limits.wall_time_s + decode_s
        return replace(self._limits, cpu_time_s=self._limits.cpu_time_s + decode_s, wall_time_s=wall_time_s)

    def _run_assertion(self, test: AssertTest) -> TestResult:
        nonce = secrets.token_hex(NONCE_BYTES)
        source = {"source": test.assertion, "entry_point": self._request.entry_point, "nonce": nonce}
        return judge_assertion(*self._run_test_harness(self._get_secondary_box("test", ()), source), nonce)

    def _run_pytest_file(self, test: PytestTest) -> TestResult:
        nonce = secrets.token_hex(NONCE_BYTES)
        source = {"file": test.source, "modules": test.modules, "nonce": nonce}
        return judge_file(
            *self._run_test_harness(self._get_secondary_box("pytest", PYTEST_MODULES), source, test.files), nonce
        )

    def _run_assertion_shared(self, test: AssertTest) -> TestResult:
        entry_point = self._request.entry_point
        nonce, outcome = self._run_shared(shared_process.SOURCE_TEST, entry_point, (), test.assertion)
        return self._confirm_separately(judge_shared(outcome, nonce), lambda: self._run_assertion(test))

    def _run_pytest_file_shared(self, test: PytestTest) -> TestResult:
        nonce, outcome = self._run_shared(shared_process.FILE_TEST, "", test.modules, test.source, test.files)
        return self._confirm_separately(judge_shared_file(outcome, nonce), lambda: self._run_pytest_file(test))

    def _run_shared(
        self, kind: str, entry_point: str, modules: Sequence[str], source: str, files: Mapping[str, bytes] = NO_FILES
    ) -> tuple[str, Outcome]:
        """Run the program and a test in one process; return the test's nonce and the outcome of the process."""
        key, nonce = secrets.token_hex(NONCE_BYTES), secrets.token_hex(NONCE_BYTES)
        test = shared_process.pack_test(nonce, kind, entry_point, modules, source)
        preload_modules = PYTEST_MODULES if kind == shared_process.FILE_TEST else ()
        return nonce, self._box.run_in_shared_process(key.encode(), test, self._limits, files, preload_modules)

    def _confirm_separately(self, result: TestResult, run_separately: TestRun) -> TestResult:
        """Find out whether a test that failed to run in the program's process is itself broken.

        A program can break a test that runs in its process. Such a test is therefore repeated in a separate process. If
        it runs there, the program broke it, and the verdict is a runtime error.
        """
        if result.verdict is not Verdict.INTERNAL_ERROR or run_separately().verdict is Verdict.INTERNAL_ERROR:
            return result
        message = result.message.removeprefix(CANNOT_RUN_PREFIX)
        return result.model_copy(update={"verdict": Verdict.RUNTIME_ERROR, "message": message})

    def _run_test_harness(
        self, test_box: Box, source: dict[str, Any], files: Mapping[str, bytes] = NO_FILES
    ) -> tuple[Outcome, Outcome]:
        """Run the program and the test in two boxes connected by pipes, and return both outcomes."""
        calls_out, calls_in = os.pipe()
        answers_out, answers_in = os.pipe()
        allowance, account = os.pipe()
        # The program waits while the test starts and computes; the test has limits of its own.
        program_limits = replace(self._limits, wall_time_s=self._limits.wall_time_s + TEST_EXTRA_WALL_TIME_S)
        test_limits = replace(
            TEST_LIMITS, wall_time_s=max(TEST_LIMITS.wall_time_s, program_limits.wall_time_s + TEST_EXTRA_WALL_TIME_S)
        )
        with ThreadPoolExecutor(1) as side:
            program = side.submit(self._serve_program, program_limits, [calls_out, answers_in], allowance)
            payload = json.dumps(source).encode()
            tested = test_box.run_with_channel(Mode.TEST, payload, test_limits, [answers_out, calls_in, account], files)
        return program.result(), tested

    def _serve_program(self, limits: Limits, channel: list[int], allowance: int) -> Outcome:
        return self._box.run_with_channel(Mode.SERVE, b"", limits, channel, allowance=allowance)

    def _get_secondary_box(self, role: str, preload_modules: tuple[str, ...]) -> Box:
        if role not in self._secondary_boxes:
            self._secondary_boxes[role] = self._cleanup.enter_context(
                self._slot.lend_secondary(self._language.image, role)
            )
            self._secondary_boxes[role].load(
                replace(self._language.build_program(EMPTY_PROGRAM), preload_modules=preload_modules)
            )
        return self._secondary_boxes[role]


def _build_arguments(test: FunctionTest) -> list[Any]:
    """Return the arguments. Convert dictionary keys to integers if the test asks for it: JSON has only string keys."""
    if not test.integer_keys:
        return test.args
    return [_convert_keys(item) if isinstance(item, dict) else item for item in test.args]


def _convert_keys(item: dict[str, Any]) -> dict[Any, Any]:
    try:
        return {int(key): value for key, value in item.items()}
    except ValueError:  # not every key is a whole number
        return item
