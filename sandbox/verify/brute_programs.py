"""What the brute programs of a vote show about the candidates.

A brute program is slow but simple. It is taken to be right on the inputs that it finishes, which are mostly small ones.
Each of these is a test of the candidates, whatever the votes are.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.runner.contract import Outcome, Verdict
from sandbox.verify.agreement import Agreement, CheckerLost, TooManyComparisons

Answers = Sequence[bytes | None]


def find_answers(
    matrix: Sequence[Sequence[Outcome]], brutes: Sequence[int], agreement: Agreement
) -> list[bytes | None]:
    """Return the brute programs' output on each input; None if none finishes, if they disagree, or if it is unknown."""
    return [
        _find_answer([matrix[index][position] for index in brutes], position, agreement)
        for position in range(len(matrix[0]) if matrix else 0)
    ]


def _find_answer(outcomes: Sequence[Outcome], position: int, agreement: Agreement) -> bytes | None:
    finished = [outcome for outcome in outcomes if outcome.ended_well]
    if not finished:
        return None
    answer = finished[0].stdout
    try:
        agreed = all(agreement.judge(position, each, answer).verdict is Verdict.ACCEPTED for each in finished)
    except (CheckerLost, TooManyComparisons):
        return None
    return answer if agreed else None


def find_contradicted(
    matrix: Sequence[Sequence[Outcome]], candidates: Sequence[int], answers: Answers, agreement: Agreement
) -> list[int]:
    """Return the candidates that end well on some input with an output that disagrees with the answer."""
    return [
        index
        for index in candidates
        if any(
            answer is not None
            and outcome.ended_well
            and _judge(agreement, position, outcome, answer) is Verdict.WRONG_ANSWER
            for position, (outcome, answer) in enumerate(zip(matrix[index], answers, strict=True))
        )
    ]


def find_proven(
    matrix: Sequence[Sequence[Outcome]], candidates: Sequence[int], answers: Answers, agreement: Agreement, needed: int
) -> frozenset[int]:
    """Return the candidates that are right on every input with an answer, if at least `needed` inputs have one."""
    places = [position for position, answer in enumerate(answers) if answer is not None]
    if len(places) < needed:
        return frozenset()
    return frozenset(
        index
        for index in candidates
        if all(
            _judge(agreement, place, matrix[index][place], answers[place] or b"") is Verdict.ACCEPTED
            for place in places
        )
    )


def _judge(agreement: Agreement, position: int, outcome: Outcome, answer: bytes) -> Verdict | None:
    """Return the verdict, or None if the service failed to run the checker, so that nothing is known."""
    try:
        return agreement.judge(position, outcome, answer).verdict
    except (CheckerLost, TooManyComparisons):
        return None
