"""The rules of a hack, on outcomes of runs."""

from __future__ import annotations

import pytest

from sandbox.runner.contract import Outcome, Status, Verdict
from sandbox.verify import hacks
from sandbox.verify.hacks import HackReason
from sandbox.verify.judge import CheckerChoice

TOKENS = CheckerChoice("tokens", {})
BROKEN_SERVICE = Outcome(Status.INTERNAL_ERROR, message="no box starts")


def print_text(text: str) -> Outcome:
    return Outcome(Status.OK, exit_code=0, stdout=text.encode())


def exit_with(code: int) -> Outcome:
    return Outcome(Status.RUNTIME_ERROR, exit_code=code, stderr=b"line 1 has no number\n")


@pytest.mark.parametrize("outcome", [print_text(""), exit_with(42)])
def test_a_validator_accepts_by_exit_code_0_or_42(outcome: Outcome) -> None:
    assert hacks.check_validator(0, outcome) is None


@pytest.mark.parametrize(
    "outcome",
    [
        exit_with(1),
        exit_with(43),
        Outcome(Status.RUNTIME_ERROR, signal=11),
        Outcome(Status.RUNTIME_ERROR, exit_code=42, signal=9),
        Outcome(Status.TIME_LIMIT_EXCEEDED, exit_code=42),
        Outcome(Status.COMPILE_ERROR),
    ],
)
def test_any_other_end_of_a_validator_rejects_the_input_and_names_the_validator(outcome: Outcome) -> None:
    decision = hacks.check_validator(3, outcome)
    assert decision is not None
    assert (decision.valid, decision.breaks, decision.reason) == (False, False, HackReason.INPUT_REJECTED)
    assert decision.message.startswith("validators.3: ")


def test_a_rejection_quotes_the_last_line_of_the_validator() -> None:
    decision = hacks.check_validator(0, exit_with(1))
    assert decision is not None
    assert decision.message == "validators.0: exit code 1: line 1 has no number"


def test_a_generator_that_fails_makes_no_input() -> None:
    assert hacks.check_generator(print_text("5\n")) is None
    decision = hacks.check_generator(exit_with(1))
    assert decision is not None
    assert (decision.valid, decision.reason) == (False, HackReason.GENERATOR_FAILED)


def test_references_agree_by_the_checker() -> None:
    assert hacks.check_references([print_text("1 2\n")], TOKENS) is None
    assert hacks.check_references([print_text("1 2\n"), print_text("1\n2")], TOKENS) is None
    decision = hacks.check_references([print_text("1 2\n"), print_text("1\n2")], CheckerChoice("exact", {}))
    assert decision is not None
    assert (decision.valid, decision.reason) == (False, HackReason.REFERENCES_DISAGREE)
    assert (decision.expected, decision.got) == (b"1 2\n", b"1\n2")
    assert decision.message.startswith("references.1: disagrees with references.0")


def test_a_reference_that_fails_is_named() -> None:
    decision = hacks.check_references([print_text("1"), Outcome(Status.TIME_LIMIT_EXCEEDED)], TOKENS)
    assert decision is not None
    assert (decision.valid, decision.reason) == (False, HackReason.REFERENCE_FAILED)
    assert decision.message == "references.1: time_limit_exceeded"


def test_a_reference_output_that_its_checker_rejects_is_not_held_against_the_target() -> None:
    decision = hacks.check_references([print_text("a+")], CheckerChoice("regex", {}))
    assert decision is not None
    assert (decision.valid, decision.reason) == (False, HackReason.REFERENCE_FAILED)


@pytest.mark.parametrize(
    ("kind", "outputs", "position"),
    [("regex", ["("], 0), ("apps", ["a " * 1_100_000, "b " * 1_100_000], 1)],
    ids=["first reference", "second reference"],
)
def test_a_checker_that_fails_on_a_reference_decides_nothing(kind: str, outputs: list[str], position: int) -> None:
    decision = hacks.check_references([print_text(output) for output in outputs], CheckerChoice(kind, {}))
    assert decision is not None
    assert (decision.valid, decision.breaks, decision.reason) == (None, None, HackReason.SERVICE_FAILED)
    assert decision.message.startswith(f"references.{position}: the checker failed")


@pytest.mark.parametrize(
    ("outcome", "breaks", "reason", "verdict"),
    [
        (print_text("7\n"), False, HackReason.TARGET_PASSES, Verdict.ACCEPTED),
        (print_text("8\n"), True, HackReason.WRONG_OUTPUT, Verdict.WRONG_ANSWER),
        (exit_with(1), True, HackReason.TARGET_FAILED, Verdict.RUNTIME_ERROR),
        (Outcome(Status.TIME_LIMIT_EXCEEDED), True, HackReason.TARGET_FAILED, Verdict.TIME_LIMIT_EXCEEDED),
        (Outcome(Status.MEMORY_LIMIT_EXCEEDED), True, HackReason.TARGET_FAILED, Verdict.MEMORY_LIMIT_EXCEEDED),
        (Outcome(Status.COMPILE_ERROR), False, HackReason.TARGET_NOT_COMPILED, Verdict.COMPILE_ERROR),
    ],
)
def test_the_target_breaks_by_a_wrong_output_a_crash_or_an_exceeded_limit(
    outcome: Outcome, breaks: bool, reason: HackReason, verdict: Verdict
) -> None:
    decision = hacks.decide_target(outcome, b"7\n", TOKENS)
    assert (decision.valid, decision.breaks, decision.reason, decision.verdict) == (True, breaks, reason, verdict)


def test_a_failure_of_the_service_is_neither_a_hack_nor_a_failed_hack() -> None:
    decisions = [
        hacks.check_generator(BROKEN_SERVICE),
        hacks.check_validator(0, BROKEN_SERVICE),
        hacks.check_references([print_text("7"), BROKEN_SERVICE], TOKENS),
        hacks.decide_target(BROKEN_SERVICE, b"7", TOKENS),
    ]
    for decision in decisions:
        assert decision is not None
        assert (decision.valid, decision.breaks, decision.reason) == (None, None, HackReason.SERVICE_FAILED)
        assert "no box starts" in decision.message
