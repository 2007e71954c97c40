"""Run the user's checker program on pairs of outputs, for votes and hacks.

The checker is compiled once and stays in its box while the pure rules ask for verdicts. If the box fails, the rules
start again with a new box. Verdicts that are known are not computed again. A pair on which boxes fail repeatedly is
lost, and the rules are told so; after `MAX_LOST` lost pairs, all remaining ones are lost, too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import TypeVar

from sandbox import languages
from sandbox.box.box import Box
from sandbox.box.slot import Slot
from sandbox.errors import BoxOutOfMemory, InfrastructureError
from sandbox.runner.contract import Limits, Outcome, Run, Status
from sandbox.schema.checkers import ProgramChecker
from sandbox.verify.agreement import CheckerLost, TooManyComparisons
from sandbox.verify.checkers.program_checker import ARGUMENTS, LIMIT_STATUSES, build_checker_files
from sandbox.verify.judge import VERDICT_OF_STATUS, judge_checker_overload, judge_checker_result
from sandbox.verify.result import TestResult, build_test_result
from sandbox.worker.checker_program import build_checker_program
from sandbox.worker.retry import run_with_retries

MAX_RUNS = 20_000
RUNS_PER_OUTPUT = 16
MAX_LOST = 3
MAX_KEPT_BYTES = 4_096  # of what the checker prints: its message
Answer = TypeVar("Answer")
_Key = tuple[int, bytes, bytes]


class ProgramAgreement:
    """The agreement of a checker program on the inputs of a vote. `stdins` has one entry for each input."""

    is_directed = True

    def __init__(self, checker: ProgramChecker, stdins: Sequence[bytes]) -> None:
        self._checker = checker
        self._stdins = stdins
        self._limits = checker.limits.resolve(Limits())
        self._box: Box | None = None
        self._broken: Outcome | None = None
        self._outcomes: dict[_Key, Outcome | str] = {}
        self._current: _Key | None = None
        self._failure = ""
        self._left = MAX_RUNS
        self.lost = 0

    def run(self, slot: Slot, use: Callable[[], Answer]) -> Answer:
        """Call `use`, which may call `judge`, with the checker in a box. Call it again if the box fails."""
        language = languages.get_language(self._checker.language)

        def use_box(box: Box) -> Answer:
            loaded = box.load(build_checker_program(language, self._checker))
            if loaded is None and language.syntax_check:
                loaded = box.run(Run(command=language.syntax_check, limits=language.compile_limits))
            broken = loaded is not None and not loaded.ended_well
            self._broken = replace(loaded, status=Status.COMPILE_ERROR) if loaded and broken else None
            self._box = box
            return use()

        while not self._failure:
            self._current = None
            try:
                return run_with_retries(slot, language, use_box)
            except InfrastructureError as error:
                self._give_up(error)
        self._box = None
        return use()

    @property
    def compile_message(self) -> str:
        """Return the compiler's message if the checker does not compile, or an empty string."""
        if self._broken is None:
            return ""
        return self._broken.stderr.decode(errors="replace").strip() or self._broken.message or "it does not compile"

    def _give_up(self, error: Exception) -> None:
        """Note that the current pair is lost, or that all are, because the box does not even start."""
        if self._current is None or self.lost >= MAX_LOST:
            self._failure = str(error)
        elif isinstance(error, BoxOutOfMemory):
            self._outcomes[self._current] = Outcome(Status.MEMORY_LIMIT_EXCEEDED, message=str(error))
        else:
            self._outcomes[self._current] = str(error)
            self.lost += 1

    def canonicalize(self, output: bytes) -> bytes | None:
        return None

    def allow(self, outputs: Collection[bytes]) -> int:
        return RUNS_PER_OUTPUT * len(outputs)

    def count_cost(self, output: bytes, expected: bytes) -> int:
        return 1

    def judge(self, position: int, outcome: Outcome, expected: bytes) -> TestResult:
        """Judge the outcome of a program on an input. Raises CheckerLost and TooManyComparisons."""
        if not outcome.ended_well:
            return build_test_result(outcome, VERDICT_OF_STATUS[outcome.status], outcome.message)
        checked = self._run_checker(position, outcome.stdout, expected)
        # If the checker stays within its limits on the expected output, the program's output made it exceed them.
        if (
            checked.status in LIMIT_STATUSES
            and outcome.stdout != expected
            and self._run_checker(position, expected, expected).status not in LIMIT_STATUSES
        ):
            return judge_checker_overload(outcome, checked)
        return judge_checker_result(outcome, checked, self._checker.full_score)

    def _run_checker(self, position: int, output: bytes, expected: bytes) -> Outcome:
        if self._broken is not None:
            return self._broken
        key = (position, sha256(output).digest(), sha256(expected).digest())
        known = self._outcomes.get(key)
        if known is None:
            known = self._run_in_box(key, output, expected)
        if isinstance(known, str):
            raise CheckerLost(known)
        return known

    def _run_in_box(self, key: _Key, output: bytes, expected: bytes) -> Outcome:
        if self._box is None:
            self.lost += 1
            raise CheckerLost(self._failure)
        if self._left <= 0:
            raise TooManyComparisons
        self._left -= 1
        self._current = key
        files = build_checker_files(self._stdins[key[0]], output, expected)
        outcome = self._box.run(Run(args=ARGUMENTS, files=files, limits=self._limits))
        if outcome.status is Status.INTERNAL_ERROR:
            self.lost += 1
            raise CheckerLost(outcome.message)
        kept = replace(outcome, stdout=outcome.stdout[:MAX_KEPT_BYTES], stderr=outcome.stderr[:MAX_KEPT_BYTES])
        self._outcomes[key] = kept
        return kept
