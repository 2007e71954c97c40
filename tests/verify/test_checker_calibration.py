"""Calibration of checker programs: damaged outputs, and which checkers are trusted."""

from __future__ import annotations

from collections.abc import Callable, Collection

import pytest

from sandbox.runner.contract import Outcome, Verdict
from sandbox.verify.agreement import CheckerLost
from sandbox.verify.checker_calibration import Calibration, Damage, DamageCount, calibrate, damage_output
from sandbox.verify.judge import CheckerChoice, judge_outcome
from sandbox.verify.result import TestResult
from sandbox.verify.roles import Role
from tests.verify.outcome_matrices import CRASHED, build_matrix

Rule = Callable[[bytes, bytes], bool | None]


class Program:
    """An agreement like that of a checker program. The rule returns None if the checker fails."""

    is_directed = True

    def __init__(self, rule: Rule) -> None:
        self._rule = rule

    def canonicalize(self, output: bytes) -> bytes | None:
        return None

    def judge(self, position: int, outcome: Outcome, expected: bytes) -> TestResult:
        right = self._rule(outcome.stdout, expected)
        if right is None:
            return TestResult(verdict=Verdict.INTERNAL_ERROR, message="it exited with 3")
        return TestResult(verdict=Verdict.ACCEPTED if right else Verdict.WRONG_ANSWER, message="" if right else "no")

    def allow(self, outputs: Collection[bytes]) -> int:
        return 1_000

    def count_cost(self, output: bytes, expected: bytes) -> int:
        return 1


def use_tokens(output: bytes, expected: bytes) -> bool:
    outcome = build_matrix([output])[0][0]
    return judge_outcome(outcome, expected, CheckerChoice("tokens", {})).verdict is Verdict.ACCEPTED


def use_sorted_tokens(output: bytes, expected: bytes) -> bool:
    return sorted(output.split()) == sorted(expected.split())


OUTPUTS = build_matrix(["3\n1 2 3\n", "5\n", "1.5 2.5\n"], ["2\n1 2\n", "6\n", "2.5 1.5\n"])
ROLES = [Role.REFERENCE, Role.CANDIDATE]


def run(rule: Rule, allowed: Collection[Damage] = (), roles: list[Role] = ROLES) -> Calibration:
    return calibrate(OUTPUTS, roles, Program(rule), allowed)


@pytest.mark.parametrize(
    ("output", "damaged"),
    [
        (b"3\n1 2 3\n", {"truncated": b"3\n1\n", "permuted": b"3\n2 1 3\n", "off_by_one": b"3\n1 2 4\n"}),
        (b"1 2 1\n", {"truncated": b"1\n", "permuted": b"2 1 1\n", "off_by_one": b"1 2 2\n"}),
        (b"YES\n", {"truncated": b""}),
        (b"-1", {"truncated": b"", "off_by_one": b"0"}),
        (b"0.25 x\n", {"truncated": b"0.25\n", "permuted": b"x 0.25\n", "off_by_one": b"1.25 x\n"}),
        (b"a a", {"truncated": b"a\n"}),
        (b" \n", {}),
    ],
)
def test_outputs_are_damaged_in_each_way_that_changes_them(output: bytes, damaged: dict[str, bytes]) -> None:
    assert damage_output(output) == damaged


def test_a_checker_that_tells_right_from_damaged_is_trusted() -> None:
    found = run(use_tokens)
    assert (found.trusted, found.why, found.own_outputs, found.own_accepted) == (True, "", 3, 3)
    assert found.damages == {
        Damage.TRUNCATED: DamageCount(3, 3),
        Damage.PERMUTED: DamageCount(2, 2),
        Damage.OFF_BY_ONE: DamageCount(3, 3),
    }


def test_a_checker_that_accepts_everything_or_nothing_is_not_trusted() -> None:
    found = run(lambda output, expected: True)
    assert found.trusted is False
    assert found.why == (
        "it accepts 3 of 3 truncated outputs; it accepts 2 of 2 permuted outputs; it accepts 3 of 3 off_by_one outputs"
    )
    found = run(lambda output, expected: False)
    assert (found.trusted, found.why) == (False, "it accepts 0 of 3 outputs of references: no")


def test_a_checker_that_always_fails_is_not_trusted() -> None:
    found = run(lambda output, expected: None, roles=[Role.CANDIDATE] * 2)
    assert (found.trusted, found.why) == (False, "it fails on every output: it exited with 3")


def test_what_the_task_leaves_right_can_be_allowed() -> None:
    assert run(use_sorted_tokens).why == "it accepts 2 of 2 permuted outputs"
    assert run(use_sorted_tokens, [Damage.PERMUTED]).trusted is True


def test_one_truncated_output_that_is_accepted_is_enough_for_distrust() -> None:
    found = run(lambda output, expected: use_tokens(output, expected) or output == b"3\n1\n")
    assert (found.trusted, found.why) == (False, "it accepts 1 of 3 truncated outputs")


def test_without_references_the_most_frequent_outputs_are_damaged() -> None:
    found = run(use_tokens, roles=[Role.CANDIDATE] * 2)
    assert (found.trusted, found.own_outputs) == (True, 0)
    assert run(lambda output, expected: True, roles=[Role.CANDIDATE] * 2).trusted is False


def test_nothing_is_known_without_outputs_or_if_the_service_failed() -> None:
    found = calibrate([[CRASHED]], [Role.REFERENCE], Program(use_tokens))
    assert (found.trusted, found.own_outputs) == (None, 0)
    assert found.why

    def lose(output: bytes, expected: bytes) -> bool:
        raise CheckerLost("no box starts")

    assert run(lose).trusted is None
