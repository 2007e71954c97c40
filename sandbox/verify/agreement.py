"""Whether outputs agree on an input: by a checker of this service, or by the user's checker program.

`Agreement` is what the rules of votes and hacks need. A checker program runs in a box, so the worker implements it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from sandbox.runner.contract import Outcome, Status, Verdict
from sandbox.verify import checkers
from sandbox.verify.checkers.block_reader import count_common_prefix
from sandbox.verify.judge import CheckerChoice, judge_outcome
from sandbox.verify.result import TestResult

READ_FACTOR, READ_FREE_BYTES = 4, 8 << 20


class CheckerLost(Exception):
    """The service failed to run the user's checker on an output, so nothing is known about it."""


class TooManyComparisons(Exception):
    """Comparing the outputs of an input would take too long."""


class Agreement(Protocol):
    """Decides whether an output is right if another output is the expected one.

    `is_directed` says that one output may be right for another, but not the other way round, as if a checker accepts
    better outputs than the expected one. Such a checker may also reject an output for itself.
    """

    is_directed: bool

    def canonicalize(self, output: bytes) -> bytes | None:
        """Return bytes that are equal for two outputs exactly if they agree, or None if that is not possible."""
        ...

    def judge(self, position: int, outcome: Outcome, expected: bytes) -> TestResult:
        """Judge the outcome of a run on the input at `position`. Raises CheckerLost and TooManyComparisons."""
        ...

    def allow(self, outputs: Collection[bytes]) -> int:
        """Return the total cost of the comparisons that the distinct outputs of one input may take."""
        ...

    def count_cost(self, output: bytes, expected: bytes) -> int:
        """Return the cost of one comparison."""
        ...


class BuiltInAgreement:
    """The agreement of a checker of this service. The cost of a comparison is the bytes that it may have to read."""

    is_directed = False

    def __init__(self, checker: CheckerChoice) -> None:
        self._checker = checker

    def canonicalize(self, output: bytes) -> bytes | None:
        return checkers.canonicalize(self._checker.kind, output, **self._checker.options)

    def judge(self, position: int, outcome: Outcome, expected: bytes) -> TestResult:
        return judge_outcome(outcome, expected, self._checker)

    def allow(self, outputs: Collection[bytes]) -> int:
        return READ_FREE_BYTES + READ_FACTOR * sum(map(len, outputs))

    def count_cost(self, output: bytes, expected: bytes) -> int:
        return len(output) + len(expected) - 2 * count_common_prefix(output, expected)


AnyChecker = CheckerChoice | Agreement


def build_agreement(checker: AnyChecker) -> Agreement:
    """Return the agreement of a checker."""
    return BuiltInAgreement(checker) if isinstance(checker, CheckerChoice) else checker


class Comparisons:
    """The comparisons of outputs of one input. Each is made once, and their total cost is bounded."""

    def __init__(self, agreement: Agreement, position: int, outputs: Collection[bytes]) -> None:
        self._agreement = agreement
        self._position = position
        self._left = agreement.allow(outputs)
        self._known: dict[tuple[bytes, bytes], Verdict] = {}

    def judge(self, output: bytes, expected: bytes) -> Verdict:
        """Return the verdict on an output. Raises TooManyComparisons and CheckerLost."""
        if output == expected and not self._agreement.is_directed:
            return Verdict.ACCEPTED
        verdict = self._known.get((output, expected))
        if verdict is None:
            self._left -= self._agreement.count_cost(output, expected)
            if self._left < 0:
                raise TooManyComparisons
            outcome = Outcome(Status.OK, exit_code=0, stdout=output)
            verdict = self._agreement.judge(self._position, outcome, expected).verdict
            self._known[output, expected] = verdict
        return verdict

    def accepts(self, output: bytes, expected: bytes) -> bool:
        """Return whether the output is right for the expected one. A checker that fails does not accept it."""
        return self.judge(output, expected) is Verdict.ACCEPTED

    def agree(self, one: bytes, other: bytes) -> bool:
        """Return whether each of the outputs is right for the other."""
        return self.accepts(one, other) and (one == other or self.accepts(other, one))

    def is_better(self, output: bytes, expected: bytes) -> bool:
        """Return whether the checker prefers an output to the expected one.

        It accepts the output for itself, does not accept the expected one for it, and either accepts the output for the
        expected one, or fails, as checkers do if a program finds a better answer than the jury.
        """
        return (
            self._agreement.is_directed
            and output != expected
            and self.judge(output, expected) in {Verdict.ACCEPTED, Verdict.INTERNAL_ERROR}
            and self.accepts(output, output)
            and self.judge(expected, output) is Verdict.WRONG_ANSWER
        )
