"""The tests of a submission as trials: what to run in which box, and how its outcome is judged."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import select
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox import languages
from sandbox.box.box import NO_FILES, Box
from sandbox.box.slot import Slot
from sandbox.box.streams import Spoken
from sandbox.languages import Language
from sandbox.runner import shared, values
from sandbox.runner.contract import Limits, Mode, Outcome, Program, Run, Status, Usage, Verdict
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
from sandbox.verify.checkers.program import ARGUMENTS, LIMITS, OUTPUT, Ended, checker_files, guarded
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
    judge_overload,
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
LONG_SILENCE = 0.5  # of the time that both may be idle
GUARDED = frozenset({"python", "pypy"})  # checkers in these languages run under `python_guard`
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
        said = self._asked(checker, test, outcome.stdout)
        # Whoever causes a limit bears it: a checker that keeps its limits on the expected output lost them to this one.
        if said.status in LIMITS and self._asked(checker, test, test.expected_bytes).status not in LIMITS:
            return judge_overload(outcome, said)
        return judge_opinion(outcome, said, checker.full_score)

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
        outcome, interactor, heard = self._conversation(box, ours, theirs)
        first = heard.ended[0]
        if first is Ended.PROGRAM and outcome.message == WALL_TIME and not _is_busy(interactor.usage):
            patience_s = min(checker.idle_time_s, wall_time_s) * LONG_SILENCE
            first = Ended.WITHHELD if heard.program_is_owed_an_answer(patience_s) else Ended.NEITHER
        case = judge_interaction(outcome, interactor, first, checker.full_score)
        # Whoever causes a limit bears it: an interactor that keeps its limits in silence lost them to this program.
        failed = case.verdict is Verdict.INTERNAL_ERROR and first in {Ended.PROGRAM, Ended.INTERACTOR}
        driven = failed and outcome.status is not Status.INTERNAL_ERROR and interactor.status in LIMITS
        return judge_overload(outcome, interactor) if driven and box.run(theirs).status not in LIMITS else case

    def _conversation(self, box: Box, ours: Run, theirs: Run) -> tuple[Outcome, Outcome, Heard]:
        """How the program and the interactor ended, and what passed between them.

        We hold their ends of the pipes as well, each until we know that its owner has ended. So neither can see the
        other's end, and end of that, before we know who was first. What is written to one that has ended goes nowhere:
        an interactor must not die of it, nor a program whose interactor is content.
        """
        to_program, from_interactor = os.pipe()
        to_interactor, from_program = os.pipe()
        unread, unheard = os.dup(to_program), os.dup(to_interactor)
        end_of = {Ended.PROGRAM: os.dup(from_program), Ended.INTERACTOR: os.dup(from_interactor)}
        heard = Heard()

        def converse(who: Ended, where: Box, run: Run, streams: list[int]) -> Outcome:
            try:
                return where.converse(run, streams, heard.spoken if who is Ended.PROGRAM else None)
            finally:
                if who is Ended.PROGRAM and not heard.ended:
                    heard.program_ends(unread, unheard)
                heard.ended.append(who)
                os.close(end_of[who])

        def discard(stream: int) -> int:
            """Read until nobody can write any more, or both have ended and nothing comes; return how much was read."""
            read = 0
            with open(stream, "rb", buffering=0) as pipe:
                while True:
                    if _is_readable(pipe.fileno()):
                        chunk = pipe.read(PIPE_BYTES)
                        if not chunk:
                            return read
                        read += len(chunk)
                    elif len(heard.ended) == 2:
                        return read

        def program() -> Outcome:
            try:
                return converse(Ended.PROGRAM, self._box, ours, [to_program, from_program])
            finally:
                heard.withheld = discard(unread)

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
        return running.result(), interactor, heard

    def _box_of(self, checker: ProgramChecker | InteractiveChecker) -> tuple[Box, Outcome | None]:
        """The user's checker, loaded in a box of its own, and its outcome if it does not compile."""
        if self._checkers_box is None:
            language = languages.named(checker.language)
            self._slot.require(language)
            self._checkers_box = self._rest.enter_context(self._slot.lend_beside(language.image, "checker"))
            loaded = self._checkers_box.load(_checker_program(language, checker))
            if loaded is None and language.syntax_check:
                loaded = self._checkers_box.run(Run(command=language.syntax_check, limits=language.compile_limits))
            broken = loaded is not None and not loaded.ended_well
            self._checker_broken = replace(loaded, status=Status.COMPILE_ERROR) if loaded and broken else None
        return self._checkers_box, self._checker_broken

    def _command(self, test: CommandTest) -> CaseVerdict:
        run = Run(stdin=test.stdin.encode(), files=test.files, limits=self._limits, command=tuple(test.command))
        return judge_exit(self._box.run(run))

    def _call(self, test: FunctionTest) -> CaseVerdict:
        call = {
            "name": self._request.entry_point,
            "args": [values.encode(item) for item in _arguments(test)],
            "kwargs": {name: values.encode(item) for name, item in test.kwargs.items()},
        }
        line = json.dumps(call).encode() + b"\n"
        outcome = self._box.call(line, self._with_transport(len(line)))
        return judge_call(outcome, test.expected, self._checker, test.alternatives)

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


def _checker_program(language: Language, checker: ProgramChecker | InteractiveChecker) -> Program:
    """The user's checker as a program; Python's own exit code says too little, so a guard runs it."""
    program = language.program(checker.code, checker.limits.resolve_compile(language.compile_limits))
    if language.name not in GUARDED:
        return program
    output = OUTPUT if isinstance(checker, ProgramChecker) else ""
    return replace(program, source=guarded(checker.code, output))


@dataclass
class Heard:
    """What passed between a program and its interactor, and who ended first."""

    spoken: Spoken = field(default_factory=Spoken)
    ended: list[Ended] = field(default_factory=list)
    withheld: int = 0  # bytes for the program that it had not read when it ended
    _silent_s: float = 0.0
    _read_all: bool = False
    _unheard: int = 0

    def program_ends(self, unread: int, unheard: int) -> None:
        """Note how things stand: `unread` is the pipe to the program, `unheard` the one to the interactor."""
        self._silent_s = time.monotonic() - self.spoken.at
        self._read_all, self._unheard = not _waiting_in(unread), _waiting_in(unheard)

    def program_is_owed_an_answer(self, patience_s: float) -> bool:
        """Whether the program had said a whole line, read all there was, and waited for an answer in vain.

        The answer is in the interactor's buffer, for it comes out once the program is gone; or the interactor has not
        read the question. A question asked at the last moment proves nothing, hence the patience.
        """
        asked = self.spoken.size > 0 and self.spoken.last.isspace() and self._silent_s >= patience_s
        return asked and self._read_all and (self._unheard > 0 or self.withheld > 0)


def _waiting_in(pipe: int) -> int:
    """How many bytes a pipe holds."""
    count: int = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]
    return count


def _arguments(test: FunctionTest) -> list[Any]:
    """The arguments, with integer keys where the test asks for those that JSON cannot write."""
    if not test.integer_keys:
        return test.args
    return [_with_integer_keys(item) if isinstance(item, dict) else item for item in test.args]


def _with_integer_keys(item: dict[str, Any]) -> dict[Any, Any]:
    try:
        return {int(key): value for key, value in item.items()}
    except ValueError:  # not every key is a whole number
        return item


def _is_readable(pipe: int) -> bool:
    """Whether there is something to read, or an end, now or within a moment."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    return bool(poll.poll(PIPE_PATIENCE_S * 1000))


def _is_busy(usage: Usage) -> bool:
    return usage.cpu_time_s > BUSY * usage.wall_time_s


def checker_choice(checker: Checker) -> CheckerChoice:
    return CheckerChoice(checker.type, checker.model_dump(exclude={"type", "language", "code", "limits"}))
