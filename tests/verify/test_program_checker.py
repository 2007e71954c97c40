"""What a user's checker or interactor says by exit code and message."""

from __future__ import annotations

import pytest

from sandbox.runner.contract import Outcome, Status, Verdict
from sandbox.verify.checkers.failure import CheckerFailed
from sandbox.verify.checkers.program import ARGUMENTS, Ended, checker_files, interaction, opinion

WELL = Outcome(Status.OK, exit_code=0)
BROKE = Outcome(Status.RUNTIME_ERROR, exit_code=1)
SIGPIPE = Outcome(Status.RUNTIME_ERROR, signal=13)
SLOW = Outcome(Status.TIME_LIMIT_EXCEEDED, signal=9)
LOST = Outcome(Status.INTERNAL_ERROR, message="the box broke")


def said(code: int, message: str = "") -> Outcome:
    status = Status.OK if code == 0 else Status.RUNTIME_ERROR
    return Outcome(status, exit_code=code, stderr=message.encode())


@pytest.mark.parametrize(
    ("outcome", "accepted", "score"),
    [
        (said(0, "ok 3 numbers"), True, 1.0),
        (said(1, "wrong answer"), False, 0.0),
        (said(2), False, 0.0),
        (said(4), False, 0.0),
        (said(8), False, 0.0),
        (said(7, "points 0.25 half right"), False, 0.25),
        (said(7, "0.5"), False, 0.5),
        (said(7, "points 1"), True, 1.0),
        (said(7, "points 7e0"), True, 1.0),
        (said(7, "-3"), False, 0.0),
        (said(50), False, 0.0),
        (said(90), False, 0.4),
        (said(150), True, 1.0),
    ],
)
def test_exit_codes(outcome: Outcome, accepted: bool, score: float) -> None:
    found = opinion(outcome)
    assert found.accepted is accepted
    assert found.score == pytest.approx(score)


def test_points_are_a_share_of_the_full_score() -> None:
    assert opinion(said(7, "points 30 of 40"), full_score=40).score == 0.75


@pytest.mark.parametrize(
    "outcome",
    [
        said(3, "FAIL the answer is wrong"),
        said(5),
        said(49),
        said(151),
        said(255),
        said(7, "points many"),
        said(7, "points nan"),
        said(7, "points 1e999"),
        said(7),
        Outcome(Status.RUNTIME_ERROR, signal=11),
        Outcome(Status.TIME_LIMIT_EXCEEDED, exit_code=0),
        Outcome(Status.MEMORY_LIMIT_EXCEEDED, signal=9),
        Outcome(Status.OUTPUT_LIMIT_EXCEEDED, exit_code=0),
        Outcome(Status.COMPILE_ERROR, exit_code=1),
        Outcome(Status.INTERNAL_ERROR),
    ],
)
def test_a_checker_that_says_nothing_of_the_program_has_failed(outcome: Outcome) -> None:
    with pytest.raises(CheckerFailed):
        opinion(outcome)


def test_the_message_is_bounded_text() -> None:
    assert opinion(said(1, "x" * 2_000)).message == "x" * 499 + "…"
    assert opinion(Outcome(Status.OK, exit_code=0, stdout=b"said \xff here")).message == "said \ufffd here"


def test_a_checker_reads_three_files() -> None:
    assert checker_files(b"i", b"o", b"a") == dict(zip(ARGUMENTS, (b"i", b"o", b"a"), strict=True))


@pytest.mark.parametrize(
    ("program", "interactor", "first", "verdict"),
    [
        (WELL, said(0), Ended.PROGRAM, Verdict.ACCEPTED),
        (WELL, said(0), Ended.INTERACTOR, Verdict.ACCEPTED),
        (WELL, said(1), Ended.PROGRAM, Verdict.WRONG_ANSWER),
        (SIGPIPE, said(1), Ended.INTERACTOR, Verdict.WRONG_ANSWER),
        (SIGPIPE, said(0), Ended.INTERACTOR, Verdict.RUNTIME_ERROR),
        (BROKE, said(8), Ended.PROGRAM, Verdict.RUNTIME_ERROR),
        (BROKE, said(3), Ended.PROGRAM, Verdict.RUNTIME_ERROR),
        (SLOW, said(1), Ended.INTERACTOR, Verdict.TIME_LIMIT_EXCEEDED),
        (WELL, WELL, Ended.NEITHER, Verdict.TIME_LIMIT_EXCEEDED),
        (WELL, said(3), Ended.PROGRAM, Verdict.INTERNAL_ERROR),
        (WELL, SLOW, Ended.PROGRAM, Verdict.INTERNAL_ERROR),
        (LOST, said(0), Ended.PROGRAM, Verdict.INTERNAL_ERROR),
    ],
)
def test_interactions(program: Outcome, interactor: Outcome, first: Ended, verdict: Verdict) -> None:
    assert interaction(program, interactor, first).verdict is verdict


def test_an_interaction_can_earn_points() -> None:
    assert interaction(WELL, said(7, "points 5"), Ended.INTERACTOR, full_score=10).score == 0.5
