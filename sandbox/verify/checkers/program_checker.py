"""Read the verdict of a user's checker or interactor, which runs in a box of its own, from its exit code and message.

The convention is testlib's. A checker is called with three arguments, the paths of the input, the program's output and
the expected answer: `input.txt output.txt answer.txt` in its work directory. An interactor is called with the same
three, where `output.txt` is a log that it may write, and talks to the program over stdin and stdout. The exit code
decides:

====  =================  ===========================================================================
code  in testlib         verdict
====  =================  ===========================================================================
0     _ok                accepted, score 1
1     _wa                wrong_answer
2     _pe                wrong_answer: the output has the wrong format
3     _fail              internal_error: the checker reports an error of itself or of the answer
4     _dirt              wrong_answer: text after the answer
7     _points            score = points / full_score, clamped to 0..1; accepted when it is 1
8     unexpected eof     wrong_answer: the output ends too early
50+n  _pc(n), n <= 100   score = n %; accepted when it is 100 (a testlib compiled with TESTSYS)
====  =================  ===========================================================================

A Python checker that raises an exception exits with 1 if it could not read the program's output, and with 3 if the
mistake is its own; `python_guard` distinguishes the two cases.

Points are at the beginning of the message, optionally after the word "points". Any other exit code, a signal, an
exceeded limit, or points that are not a number mean that the checker failed: internal_error, never wrong_answer. The
message is the checker's stderr, cut at 500 characters. If stderr is empty, the message is a checker's stdout, but never
an interactor's.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from sandbox.runner.contract import Outcome, Status, Verdict
from sandbox.verify.checkers.failure import CheckerFailed

INPUT_FILE, OUTPUT_FILE, ANSWER_FILE = "input.txt", "output.txt", "answer.txt"
ARGUMENTS = (INPUT_FILE, OUTPUT_FILE, ANSWER_FILE)
MAX_MESSAGE_CHARS = 500
WITHHELD_MESSAGE = (
    "the interactor failed: the program waited for an answer that it had not sent. Does it flush its output?"
)

_OK, _FAIL, _POINTS = 0, 3, 7
_WRONG = frozenset({1, 2, 4, 8})
_PERCENT = range(50, 151)
LIMIT_STATUSES = frozenset({Status.TIME_LIMIT_EXCEEDED, Status.MEMORY_LIMIT_EXCEEDED, Status.OUTPUT_LIMIT_EXCEEDED})
_LEADING_POINTS = re.compile(r"\s*(?:points?\b[\s=:]*)?([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)(?!\S)", re.ASCII)


@dataclass(frozen=True, slots=True)
class CheckerResult:
    """A checker's result for an output. `score` is 0 to 1, and 1 exactly when accepted."""

    accepted: bool
    score: float
    message: str = ""


class FirstToEnd(StrEnum):
    """Which of the two ended first in an interaction. `NEITHER`: they waited for each other.

    `WITHHELD` is also neither: the program waited for an answer that the interactor had not sent.
    """

    PROGRAM = "program"
    INTERACTOR = "interactor"
    NEITHER = "neither"
    WITHHELD = "withheld"


@dataclass(frozen=True, slots=True)
class InteractionVerdict:
    """A verdict on an interaction, with its score (0 to 1) and message."""

    verdict: Verdict
    score: float = 0.0
    message: str = ""


@cache
def _read_guard_source() -> str:
    return Path(__file__).with_name("python_guard.py").read_text(encoding="utf-8")


def wrap_with_guard(source: str, output: str) -> bytes:
    """Wrap the checker `source` in the guard. `output` is the file it judges, empty for an interactor."""
    return f"{_read_guard_source()}\n\nrun({source!r}, __file__, {output!r})\n".encode()


def build_checker_files(stdin: bytes, stdout: bytes, answer: bytes) -> dict[str, bytes]:
    """Return the files for a checker's run, which is called with `ARGUMENTS`."""
    return {INPUT_FILE: stdin, OUTPUT_FILE: stdout, ANSWER_FILE: answer}


def read_checker_result(outcome: Outcome, full_score: float = 1.0) -> CheckerResult:
    """Read the outcome of a checker's run. Raises CheckerFailed if it says nothing about the program."""
    message = _extract_message(outcome)
    if outcome.status in LIMIT_STATUSES or outcome.status in {Status.INTERNAL_ERROR, Status.COMPILE_ERROR}:
        raise CheckerFailed(f"{outcome.status.value} {outcome.message}".rstrip())
    code = outcome.exit_code
    if code is None or outcome.signal is not None:
        raise CheckerFailed(f"it was killed by signal {outcome.signal}: {message}")
    if code == _OK:
        return CheckerResult(True, 1.0, message)
    if code in _WRONG:
        return CheckerResult(False, 0.0, message)
    if code == _POINTS:
        return _build_scored_result(_parse_points(message) / full_score, message)
    if code in _PERCENT:
        return _build_scored_result((code - _PERCENT.start) / 100, message)
    raise CheckerFailed(message if code == _FAIL else f"it exited with {code}: {message}")


def decide_interaction(
    program: Outcome, interactor: Outcome, first: FirstToEnd, full_score: float = 1.0
) -> InteractionVerdict:
    """Judge an interaction from both outcomes and from which one ended first.

    If the program crashed or exceeded a limit before the interactor ended, that is the verdict, whatever the interactor
    concluded from the silence. If the program crashed after the interactor hung up (SIGPIPE, end of file), the
    interactor decides. But if it accepted, the program's own status counts. If both wait for each other, the time limit
    is exceeded.
    """
    if program.status is Status.INTERNAL_ERROR:
        return InteractionVerdict(Verdict.INTERNAL_ERROR, message=program.message)
    if first is FirstToEnd.NEITHER:
        return InteractionVerdict(Verdict.TIME_LIMIT_EXCEEDED, message="program and interactor waited for each other")
    if first is FirstToEnd.WITHHELD:
        return InteractionVerdict(Verdict.INTERNAL_ERROR, message=WITHHELD_MESSAGE)
    its_own = not program.ended_well and (first is FirstToEnd.PROGRAM or program.status in LIMIT_STATUSES)
    if its_own:
        return InteractionVerdict(Verdict(program.status.value), message=program.message)
    try:
        result = read_checker_result(interactor, full_score)
    except CheckerFailed as failure:
        return InteractionVerdict(Verdict.INTERNAL_ERROR, message=f"the interactor failed: {failure}")
    if result.accepted and not program.ended_well:
        return InteractionVerdict(Verdict(program.status.value), message=program.message)
    return InteractionVerdict(
        Verdict.ACCEPTED if result.accepted else Verdict.WRONG_ANSWER, result.score, result.message
    )


def _build_scored_result(share: float, message: str) -> CheckerResult:
    score = min(max(share, 0.0), 1.0)
    return CheckerResult(score >= 1.0, score, message)


def _parse_points(message: str) -> float:
    match = _LEADING_POINTS.match(message)
    points = float(match[1]) if match else math.nan
    if not math.isfinite(points):
        raise CheckerFailed(f"it exited with code 7 (points), but its message does not start with a number: {message}")
    return points


def _extract_message(outcome: Outcome) -> str:
    text = (outcome.stderr.strip() or outcome.stdout.strip())[: 4 * MAX_MESSAGE_CHARS + 4].decode(errors="replace")
    return text if len(text) <= MAX_MESSAGE_CHARS else text[: MAX_MESSAGE_CHARS - 1] + "…"
