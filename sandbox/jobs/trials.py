"""The tests of a submission as trials: what to run in which box, and how its outcome is judged."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

from sandbox import languages
from sandbox.box.box import Box
from sandbox.box.slot import Slot
from sandbox.languages import Language
from sandbox.runner import values
from sandbox.runner.contract import Limits, Mode, Outcome, Run, Status
from sandbox.schema import (
    AssertTest,
    Checker,
    CommandTest,
    FunctionTest,
    InteractiveChecker,
    ProgramChecker,
    TestCase,
    VerifyRequest,
)
from sandbox.schema.tests import AnyTest
from sandbox.verify.checkers.program import ARGUMENTS, Ended, checker_files
from sandbox.verify.judge import (
    CaseVerdict,
    CheckerChoice,
    Trial,
    judge_assertion,
    judge_call,
    judge_exit,
    judge_interaction,
    judge_opinion,
    judge_outcome,
)

NO_PROGRAM = ""


class Trials:
    """Makes the trials of one submission against its program, which is loaded in `box`.

    A second box, for tests that run beside the program, is lent when the first such test comes, and given back with
    `rest`.
    """

    def __init__(self, request: VerifyRequest, language: Language, limits: Limits, box: Box, slot: Slot) -> None:
        self._request = request
        self._language = language
        self._limits = limits
        self._box = box
        self._slot = slot
        self._checker = checker_choice(request.checker)
        self._beside: Box | None = None
        self._checkers_box: Box | None = None
        self._checker_broken: Outcome | None = None
        self._rest = ExitStack()

    def __enter__(self) -> list[Trial]:
        return [self._trial(test) for test in self._request.tests]

    def __exit__(self, *raised: object) -> None:
        self._rest.__exit__(*raised)  # type: ignore[arg-type]

    def _trial(self, test: AnyTest) -> Trial:
        if isinstance(test, TestCase):
            return lambda: self._run(test)
        if isinstance(test, CommandTest):
            return lambda: self._command(test)
        if isinstance(test, FunctionTest):
            return lambda: self._call(test)
        return lambda: self._assert(test)

    def _run(self, test: TestCase) -> CaseVerdict:
        checker = self._request.checker
        if isinstance(checker, InteractiveChecker):
            return self._interact(test, checker)
        run = Run(stdin=test.stdin_bytes, args=tuple(test.args), files=test.files, limits=self._limits)
        outcome = self._box.run(run)
        if not isinstance(checker, ProgramChecker) or not outcome.ended_well:
            return judge_outcome(outcome, test.expected_bytes, self._checker)
        return judge_opinion(outcome, self._asked(checker, test, outcome.stdout), checker.full_score)

    def _asked(self, checker: ProgramChecker, test: TestCase, stdout: bytes) -> Outcome:
        """What the user's checker, in its own box, makes of an output."""
        box, broken = self._box_of(checker)
        if broken is not None:
            return broken
        files = checker_files(test.stdin_bytes, stdout, test.expected_bytes)
        return box.run(Run(args=ARGUMENTS, files=files, limits=checker.limits.resolve(Limits())))

    def _interact(self, test: TestCase, checker: InteractiveChecker) -> CaseVerdict:
        """Program and interactor, each in its box, stdout of one the stdin of the other."""
        box, broken = self._box_of(checker)
        if broken is not None:
            return judge_interaction(Outcome(Status.OK), broken, Ended.INTERACTOR, checker.full_score)
        # Waiting costs wall time and no CPU: two that wait for each other have used up the idle time, and nothing else.
        wall_time_s = min(self._limits.wall_time_s, self._limits.cpu_time_s + checker.idle_time_s)
        limits = replace(self._limits, wall_time_s=wall_time_s)
        files = checker_files(test.stdin_bytes, b"", test.expected_bytes)
        theirs = Run(
            args=ARGUMENTS, files=files, limits=replace(checker.limits.resolve(Limits()), wall_time_s=wall_time_s)
        )
        ours = Run(args=tuple(test.args), files=test.files, limits=limits)
        to_program, from_interactor = os.pipe()
        to_interactor, from_program = os.pipe()
        ended: list[Ended] = []

        def program() -> Outcome:
            outcome = self._box.converse(ours, [to_program, from_program])
            ended.append(Ended.PROGRAM)
            return outcome

        with ThreadPoolExecutor(1) as side:
            running = side.submit(program)
            interactor = box.converse(theirs, [to_interactor, from_interactor])
            ended.append(Ended.INTERACTOR)
        outcome = running.result()
        idle = Status.TIME_LIMIT_EXCEEDED
        deadlock = outcome.status is idle and interactor.status is idle
        return judge_interaction(outcome, interactor, Ended.NEITHER if deadlock else ended[0], checker.full_score)

    def _box_of(self, checker: ProgramChecker | InteractiveChecker) -> tuple[Box, Outcome | None]:
        """The user's checker, loaded in a box of its own, and its outcome if it does not compile."""
        if self._checkers_box is None:
            language = languages.named(checker.language)
            self._checkers_box = self._rest.enter_context(self._slot.lend_beside(language.image, "checker"))
            compiled = self._checkers_box.load(language.program(checker.code))
            self._checker_broken = None if compiled is None or compiled.ended_well else compiled
        return self._checkers_box, self._checker_broken

    def _command(self, test: CommandTest) -> CaseVerdict:
        run = Run(stdin=test.stdin.encode(), files=test.files, limits=self._limits, command=tuple(test.command))
        return judge_exit(self._box.run(run))

    def _call(self, test: FunctionTest) -> CaseVerdict:
        call = {
            "name": self._request.entry_point,
            "args": [values.encode(item) for item in test.args],
            "kwargs": {name: values.encode(item) for name, item in test.kwargs.items()},
        }
        outcome = self._box.call(json.dumps(call).encode() + b"\n", self._limits)
        return judge_call(outcome, test.expected, self._checker)

    def _assert(self, test: AssertTest) -> CaseVerdict:
        """The program in its box, the test in another, two pipes between them."""
        beside = self._box_beside()
        source = json.dumps({"source": test.assertion, "entry_point": self._request.entry_point}).encode()
        calls_out, calls_in = os.pipe()
        answers_out, answers_in = os.pipe()
        patient = replace(self._limits, wall_time_s=self._limits.wall_time_s + 1.0)
        with ThreadPoolExecutor(1) as side:
            program = side.submit(self._box.run_beside, Mode.SERVE, b"", self._limits, [calls_out, answers_in])
            tested = beside.run_beside(Mode.TEST, source, patient, [answers_out, calls_in])
        return judge_assertion(program.result(), tested)

    def _box_beside(self) -> Box:
        if self._beside is None:
            self._beside = self._rest.enter_context(self._slot.lend_beside(self._language.image, "test"))
            self._beside.load(self._language.program(NO_PROGRAM))
        return self._beside


def checker_choice(checker: Checker) -> CheckerChoice:
    return CheckerChoice(checker.type, checker.model_dump(exclude={"type", "language", "code", "limits"}))
