"""The tests of a submission as trials: what to run in which box, and how its outcome is judged."""

from __future__ import annotations

import json
import os
import secrets
import select
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from sandbox import languages
from sandbox.box.box import NO_FILES, Box
from sandbox.box.slot import Slot
from sandbox.languages import Language
from sandbox.runner import shared, values
from sandbox.runner.contract import Limits, Mode, Outcome, Run, Status, Usage, Verdict
from sandbox.schema import (
    AssertTest,
    Checker,
    CommandTest,
    FunctionTest,
    InteractiveChecker,
    ProgramChecker,
    PytestTest,
    TestCase,
    VerifyRequest,
)
from sandbox.schema.tests import AnyTest
from sandbox.verify.checkers.program import ARGUMENTS, Ended, checker_files
from sandbox.verify.judge import (
    CANNOT_RUN,
    CaseVerdict,
    CheckerChoice,
    Trial,
    judge_assertion,
    judge_call,
    judge_exit,
    judge_file,
    judge_files,
    judge_interaction,
    judge_opinion,
    judge_outcome,
    judge_shared,
    judge_shared_file,
)

NO_PROGRAM = ""
NONCE_BYTES = 16
PYTEST = ("sandbox.runner.pytest_file",)  # what the interpreter of such tests has imported beforehand
# What a test may use, whatever little its program may: it is not the one that is judged.
TEST_LIMITS = Limits()
TEST_PATIENCE_S = 2.0
INTERACTOR_PATIENCE_S = 2.0
FREE_BYTES, TRANSPORT_NS = 100_000, 100  # what it costs to decode an argument, a byte; small ones cost next to nothing
PIPE_BYTES = 65_536
PIPE_PATIENCE_S = 0.1
WALL_TIME = "wall time"  # the supervisor's word for what it stopped a program
BUSY = 0.9  # of the time a CPU was used


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
        self._shared = request.isolation == "shared"
        self._beside: dict[str, Box] = {}
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
        if isinstance(test, PytestTest):
            return lambda: self._file_shared(test) if self._shared else self._file(test)
        return lambda: self._assert_shared(test) if self._shared else self._assert(test)

    def _run(self, test: TestCase) -> CaseVerdict:
        checker = self._request.checker
        if isinstance(checker, InteractiveChecker):
            return self._interact(test, checker)
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
        # The program's time is up first, so that it is never the interactor that seems to be at fault.
        patient = replace(checker.limits.resolve(Limits()), wall_time_s=wall_time_s + INTERACTOR_PATIENCE_S)
        files = checker_files(test.stdin_bytes, b"", test.expected_bytes)
        theirs = Run(args=ARGUMENTS, files=files, limits=patient)
        ours = Run(args=tuple(test.args), files=test.files, limits=limits)
        outcome, interactor, first = self._conversation(box, ours, theirs)
        if first is Ended.PROGRAM and outcome.message == WALL_TIME and not _is_busy(interactor.usage):
            first = Ended.NEITHER
        return judge_interaction(outcome, interactor, first, checker.full_score)

    def _conversation(self, box: Box, ours: Run, theirs: Run) -> tuple[Outcome, Outcome, Ended]:
        """How the program and the interactor ended, and which of them first.

        We hold their ends of the pipes as well, each until we know that its owner has ended. So neither can see the
        other's end, and end of that, before we know who was first. What is written to one that has ended goes nowhere:
        an interactor must not die of it, nor a program whose interactor is content.
        """
        to_program, from_interactor = os.pipe()
        to_interactor, from_program = os.pipe()
        unread, unheard = os.dup(to_program), os.dup(to_interactor)
        end_of = {Ended.PROGRAM: os.dup(from_program), Ended.INTERACTOR: os.dup(from_interactor)}
        ended: list[Ended] = []

        def converse(who: Ended, where: Box, run: Run, streams: list[int]) -> Outcome:
            try:
                return where.converse(run, streams)
            finally:
                ended.append(who)
                os.close(end_of[who])

        def discard(stream: int) -> None:
            """Read until nobody can write any more, or both have ended and nothing comes."""
            with open(stream, "rb", buffering=0) as pipe:
                while True:
                    if _is_readable(pipe.fileno()):
                        if not pipe.read(PIPE_BYTES):
                            return
                    elif len(ended) == 2:
                        return

        def program() -> Outcome:
            try:
                return converse(Ended.PROGRAM, self._box, ours, [to_program, from_program])
            finally:
                discard(unread)

        with ThreadPoolExecutor(2) as side:
            running = side.submit(program)
            try:
                interactor = converse(Ended.INTERACTOR, box, theirs, [to_interactor, from_interactor])
            except BaseException:
                os.close(unheard)
                raise
            if interactor.ended_well:
                side.submit(discard, unheard)
            else:
                os.close(unheard)
        return running.result(), interactor, ended[0]

    def _box_of(self, checker: ProgramChecker | InteractiveChecker) -> tuple[Box, Outcome | None]:
        """The user's checker, loaded in a box of its own, and its outcome if it does not compile."""
        if self._checkers_box is None:
            language = languages.named(checker.language)
            self._slot.require(language)
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
        line = json.dumps(call).encode() + b"\n"
        outcome = self._box.call(line, self._with_transport(len(line)))
        return judge_call(outcome, test.expected, self._checker)

    def _with_transport(self, size: int) -> Limits:
        """The limits of a call with that many bytes of arguments: to decode them is not the program's work."""
        if size < FREE_BYTES:
            return self._limits
        transport_s = size * TRANSPORT_NS * 1e-9
        wall_time_s = self._limits.wall_time_s + transport_s
        return replace(self._limits, cpu_time_s=self._limits.cpu_time_s + transport_s, wall_time_s=wall_time_s)

    def _assert(self, test: AssertTest) -> CaseVerdict:
        nonce = secrets.token_hex(NONCE_BYTES)
        source = {"source": test.assertion, "entry_point": self._request.entry_point, "nonce": nonce}
        return judge_assertion(*self._beside_program(self._box_beside("test", ()), source), nonce)

    def _file(self, test: PytestTest) -> CaseVerdict:
        nonce = secrets.token_hex(NONCE_BYTES)
        source = {"file": test.source, "modules": test.modules, "nonce": nonce}
        return judge_file(*self._beside_program(self._box_beside("pytest", PYTEST), source, test.files), nonce)

    def _assert_shared(self, test: AssertTest) -> CaseVerdict:
        entry_point = self._request.entry_point
        nonce, outcome = self._run_shared(shared.SOURCE, entry_point, (), test.assertion)
        return self._confirmed(judge_shared(outcome, nonce), lambda: self._assert(test))

    def _file_shared(self, test: PytestTest) -> CaseVerdict:
        nonce, outcome = self._run_shared(shared.FILE, "", test.modules, test.source, test.files)
        return self._confirmed(judge_shared_file(outcome, nonce), lambda: self._file(test))

    def _run_shared(
        self, kind: str, entry_point: str, modules: Sequence[str], source: str, files: Mapping[str, bytes] = NO_FILES
    ) -> tuple[str, Outcome]:
        """Run the program and a test in one process; the test's nonce, and how the process ended."""
        key, nonce = secrets.token_hex(NONCE_BYTES), secrets.token_hex(NONCE_BYTES)
        test = shared.pack(nonce, kind, entry_point, modules, source)
        warm = PYTEST if kind == shared.FILE else ()
        return nonce, self._box.run_shared(key.encode(), test, self._limits, files, warm)

    def _confirmed(self, verdict: CaseVerdict, separate: Trial) -> CaseVerdict:
        """A test that cannot run is nobody's wrong answer, but a program in its process can break it. So the same test
        runs once more, out of the program's reach; it must be broken there, too.
        """
        if verdict.verdict is not Verdict.INTERNAL_ERROR or separate().verdict is Verdict.INTERNAL_ERROR:
            return verdict
        return replace(verdict, verdict=Verdict.RUNTIME_ERROR, message=verdict.message.removeprefix(CANNOT_RUN))

    def _beside_program(
        self, beside: Box, source: dict[str, Any], files: Mapping[str, bytes] = NO_FILES
    ) -> tuple[Outcome, Outcome]:
        """How the program ended in its box and the test in another, two pipes between them."""
        calls_out, calls_in = os.pipe()
        answers_out, answers_in = os.pipe()
        allowance, account = os.pipe()
        # The program waits while the test starts and thinks; the test has limits of its own.
        served = replace(self._limits, wall_time_s=self._limits.wall_time_s + TEST_PATIENCE_S)
        patient = replace(TEST_LIMITS, wall_time_s=max(TEST_LIMITS.wall_time_s, served.wall_time_s + TEST_PATIENCE_S))
        with ThreadPoolExecutor(1) as side:
            program = side.submit(self._serve, served, [calls_out, answers_in], allowance)
            told = json.dumps(source).encode()
            tested = beside.run_beside(Mode.TEST, told, patient, [answers_out, calls_in, account], files)
        return program.result(), tested

    def _serve(self, limits: Limits, channel: list[int], allowance: int) -> Outcome:
        return self._box.run_beside(Mode.SERVE, b"", limits, channel, allowance=allowance)

    def _box_beside(self, role: str, warm: tuple[str, ...]) -> Box:
        if role not in self._beside:
            self._beside[role] = self._rest.enter_context(self._slot.lend_beside(self._language.image, role))
            self._beside[role].load(replace(self._language.program(NO_PROGRAM), warm=warm))
        return self._beside[role]


def _is_readable(pipe: int) -> bool:
    """Whether there is something to read, or an end, now or within a moment."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    return bool(poll.poll(PIPE_PATIENCE_S * 1000))


def _is_busy(usage: Usage) -> bool:
    return usage.cpu_time_s > BUSY * usage.wall_time_s


def checker_choice(checker: Checker) -> CheckerChoice:
    return CheckerChoice(checker.type, checker.model_dump(exclude={"type", "language", "code", "limits"}))
