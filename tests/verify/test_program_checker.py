"""Results of a user's checker or interactor, given by exit code and message."""

from __future__ import annotations

import pytest

from sandbox.runner.contract import Outcome, Status, Verdict
from sandbox.verify.checkers.failure import CheckerFailed
from sandbox.verify.checkers.program_checker import (
    ARGUMENTS,
    FirstToEnd,
    build_checker_files,
    decide_interaction,
    read_checker_result,
)

WELL = Outcome(Status.OK, exit_code=0)
BROKE = Outcome(Status.RUNTIME_ERROR, exit_code=1)
SIGPIPE = Outcome(Status.RUNTIME_ERROR, signal=13)
SLOW = Outcome(Status.TIME_LIMIT_EXCEEDED, signal=9)
LOST = Outcome(Status.INTERNAL_ERROR, message="the box broke")


def build_checker_outcome(code: int, message: str = "") -> Outcome:
    status = Status.OK if code == 0 else Status.RUNTIME_ERROR
    return Outcome(status, exit_code=code, stderr=message.encode())


@pytest.mark.parametrize(
    ("outcome", "accepted", "score"),
    [
        (build_checker_outcome(0, "ok 3 numbers"), True, 1.0),
        (build_checker_outcome(1, "wrong answer"), False, 0.0),
        (build_checker_outcome(2), False, 0.0),
        (build_checker_outcome(4), False, 0.0),
        (build_checker_outcome(8), False, 0.0),
        (build_checker_outcome(7, "points 0.25 half right"), False, 0.25),
        (build_checker_outcome(7, "0.5"), False, 0.5),
        (build_checker_outcome(7, "points 1"), True, 1.0),
        (build_checker_outcome(7, "points 7e0"), True, 1.0),
        (build_checker_outcome(7, "-3"), False, 0.0),
        (build_checker_outcome(50), False, 0.0),
        (build_checker_outcome(90), False, 0.4),
        (build_checker_outcome(150), True, 1.0),
    ],
)
def test_exit_codes(outcome: Outcome, accepted: bool, score: float) -> None:
    found = read_checker_result(outcome)
    assert found.accepted is accepted
    assert found.score == pytest.approx(score)


def test_points_are_a_share_of_the_full_score() -> None:
    assert read_checker_result(build_checker_outcome(7, "points 30 of 40"), full_score=40).score == 0.75


@pytest.mark.parametrize(
    "outcome",
    [
        build_checker_outcome(3, "FAIL the answer is wrong"),
        build_checker_outcome(5),
        build_checker_outcome(49),
        build_checker_outcome(151),
        build_checker_outcome(255),
        build_checker_outcome(7, "points many"),
        build_checker_outcome(7, "points nan"),
        build_checker_outcome(7, "points 1e999"),
        build_checker_outcome(7),
        Outcome(Status.RUNTIME_ERROR, signal=11),
        Outcome(Status.TIME_LIMIT_EXCEEDED, exit_code=0),
        Outcome(Status.MEMORY_LIMIT_EXCEEDED, signal=9),
        Outcome(Status.OUTPUT_LIMIT_EXCEEDED, exit_code=0),
        Outcome(Status.COMPILE_ERROR, exit_code=1),
        Outcome(Status.INTERNAL_ERROR),
    ],
)
def test_a_checker_without_a_result_has_failed(outcome: Outcome) -> None:
    with pytest.raises(CheckerFailed):
        read_checker_result(outcome)


def test_the_message_is_bounded_text() -> None:
    assert read_checker_result(build_checker_outcome(1, "x" * 2_000)).message == "x" * 499 + "…"
    assert read_checker_result(Outcome(Status.OK, exit_code=0, stdout=b"said \xff here")).message == "said \ufffd here"


def test_a_checker_reads_three_files() -> None:
    assert build_checker_files(b"i", b"o", b"a") == dict(zip(ARGUMENTS, (b"i", b"o", b"a"), strict=True))


@pytest.mark.parametrize(
    ("program", "interactor", "first", "verdict"),
    [
        (WELL, build_checker_outcome(0), FirstToEnd.PROGRAM, Verdict.ACCEPTED),
        (WELL, build_checker_outcome(0), FirstToEnd.INTERACTOR, Verdict.ACCEPTED),
        (WELL, build_checker_outcome(1), FirstToEnd.PROGRAM, Verdict.WRONG_ANSWER),
        (SIGPIPE, build_checker_outcome(1), FirstToEnd.INTERACTOR, Verdict.WRONG_ANSWER),
        (SIGPIPE, build_checker_outcome(0), FirstToEnd.INTERACTOR, Verdict.RUNTIME_ERROR),
        (BROKE, build_checker_outcome(8), FirstToEnd.PROGRAM, Verdict.RUNTIME_ERROR),
        (BROKE, build_checker_outcome(3), FirstToEnd.PROGRAM, Verdict.RUNTIME_ERROR),
        (SLOW, build_checker_outcome(1), FirstToEnd.INTERACTOR, Verdict.TIME_LIMIT_EXCEEDED),
        (WELL, WELL, FirstToEnd.NEITHER, Verdict.TIME_LIMIT_EXCEEDED),
        (WELL, build_checker_outcome(3), FirstToEnd.PROGRAM, Verdict.INTERNAL_ERROR),
        (WELL, SLOW, FirstToEnd.PROGRAM, Verdict.INTERNAL_ERROR),
        (LOST, build_checker_outcome(0), FirstToEnd.PROGRAM, Verdict.INTERNAL_ERROR),
    ],
)
def test_interactions(program: Outcome, interactor: Outcome, first: FirstToEnd, verdict: Verdict) -> None:
    assert decide_interaction(program, interactor, first).verdict is verdict


def test_an_interaction_can_earn_points() -> None:
    assert (
        decide_interaction(WELL, build_checker_outcome(7, "points 5"), FirstToEnd.INTERACTOR, full_score=10).score
        == 0.5
    )
