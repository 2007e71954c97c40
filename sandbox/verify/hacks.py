"""Hacks: an input that the validators accept, on which trusted programs agree and the target program fails.

Theory of operation. Each rule takes outcomes and returns a `HackDecision` if the hack ends there, or None to go on:

1. The input comes from the request, or is the output of a generator that ended well.
2. Every validator must accept the input. A validator accepts by exit code 0, or by 42 as in Kattis. Anything else
   rejects: another exit code, a signal, an exceeded limit, and a validator that does not compile.
3. Every reference must end well, and the checker must accept each output for the first reference's output.
4. The target breaks if the checker rejects its output, if it crashes, or if it exceeds a limit. A target that does not
   compile does not count as broken, because it would fail on every input. In an interpreted language, a syntax error is
   a crash.

A failure of the service at any step decides nothing: `valid` and `breaks` are None. It is never a hack, and never a
failed hack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sandbox.runner.contract import Outcome, Status, Verdict
from sandbox.verify.agreement import AnyChecker, CheckerLost, build_agreement
from sandbox.verify.judge import extract_last_line
from sandbox.verify.result import TestResult

KATTIS_ACCEPT_EXIT_CODE = 42


class HackReason(StrEnum):
    """Why a hack has its result."""

    WRONG_OUTPUT = "wrong_output"
    TARGET_FAILED = "target_failed"
    TARGET_PASSES = "target_passes"
    TARGET_NOT_COMPILED = "target_not_compiled"
    GENERATOR_FAILED = "generator_failed"
    INPUT_REJECTED = "input_rejected"
    REFERENCE_FAILED = "reference_failed"
    REFERENCES_DISAGREE = "references_disagree"
    SERVICE_FAILED = "service_failed"


@dataclass(frozen=True, slots=True)
class HackDecision:
    """The result of a hack. `valid` and `breaks` are None if the service failed; `verdict` is that of the target, None
    if it did not run. `output_right` says whether the output that the writer of the input claims is right, if it is
    known.
    """

    valid: bool | None
    breaks: bool | None
    reason: HackReason
    message: str = ""
    verdict: Verdict | None = None
    expected: bytes | None = None
    got: bytes | None = None
    output_right: bool | None = None


def build_service_failure(message: str) -> HackDecision:
    """Return the decision for a hack that could not be judged."""
    return HackDecision(None, None, HackReason.SERVICE_FAILED, message)


def check_generator(outcome: Outcome) -> HackDecision | None:
    """Refuse the hack if its generator did not end well."""
    if outcome.ended_well:
        return None
    return _refuse(outcome, HackReason.GENERATOR_FAILED, "generator")


def check_validator(position: int, outcome: Outcome) -> HackDecision | None:
    """Refuse the hack if the validator at `position` does not accept the input."""
    if outcome.ended_well or (
        outcome.status is Status.RUNTIME_ERROR and outcome.exit_code == KATTIS_ACCEPT_EXIT_CODE and not outcome.signal
    ):
        return None
    return _refuse(outcome, HackReason.INPUT_REJECTED, f"validators.{position}")


def check_references(outcomes: Sequence[Outcome], checker: AnyChecker) -> HackDecision | None:
    """Refuse the hack if a reference fails, or if one disagrees with the first.

    `outcomes` has one outcome for each reference, and at least one.
    """
    for position, outcome in enumerate(outcomes):
        if not outcome.ended_well:
            return _refuse(outcome, HackReason.REFERENCE_FAILED, f"references.{position}")
    expected = outcomes[0].stdout
    own = _judge(outcomes[0], expected, checker)
    if own.verdict is Verdict.INTERNAL_ERROR:
        return build_service_failure(f"references.0: {own.message}")
    if own.verdict is not Verdict.ACCEPTED:
        message = f"references.0: the checker does not accept its output: {own.message}"
        return HackDecision(False, False, HackReason.REFERENCE_FAILED, message)
    for position, outcome in enumerate(outcomes[1:], 1):
        judged = _judge(outcome, expected, checker)
        if judged.verdict is Verdict.INTERNAL_ERROR:
            return build_service_failure(f"references.{position}: {judged.message}")
        if judged.verdict is not Verdict.ACCEPTED:
            message = f"references.{position}: disagrees with references.0: {judged.message}"
            reason = HackReason.REFERENCES_DISAGREE
            return HackDecision(False, False, reason, message, expected=expected, got=outcome.stdout)
    return None


def decide_target(outcome: Outcome, expected: bytes, checker: AnyChecker, claimed: bytes | None = None) -> HackDecision:
    """Decide if the target breaks on a valid input whose right output is `expected`.

    `claimed` is the right output as the writer of the input claims, None without one.
    """
    judged = _judge(outcome, expected, checker)
    if judged.verdict is Verdict.INTERNAL_ERROR:
        return build_service_failure(f"target: {judged.message}")
    output_right = None
    if claimed is not None:
        own = _judge(Outcome(Status.OK, exit_code=0, stdout=claimed), expected, checker)
        if own.verdict is Verdict.INTERNAL_ERROR:
            return build_service_failure(f"output: {own.message}")
        output_right = own.verdict is Verdict.ACCEPTED
    reason = {
        Verdict.ACCEPTED: HackReason.TARGET_PASSES,
        Verdict.COMPILE_ERROR: HackReason.TARGET_NOT_COMPILED,
        Verdict.WRONG_ANSWER: HackReason.WRONG_OUTPUT,
    }.get(judged.verdict, HackReason.TARGET_FAILED)
    breaks = reason in {HackReason.WRONG_OUTPUT, HackReason.TARGET_FAILED}
    message = judged.message or extract_last_line(outcome.stderr)
    return HackDecision(True, breaks, reason, message, judged.verdict, expected, outcome.stdout, output_right)


def _judge(outcome: Outcome, expected: bytes, checker: AnyChecker) -> TestResult:
    """Judge an outcome on the only input. If the service lost the checker, the verdict is internal_error."""
    try:
        return build_agreement(checker).judge(0, outcome, expected)
    except CheckerLost as failure:
        return TestResult(verdict=Verdict.INTERNAL_ERROR, message=str(failure))


def _refuse(outcome: Outcome, reason: HackReason, field: str) -> HackDecision:
    """Build the decision that the input is not valid, or that nothing is decided because the service failed."""
    message = outcome.message or extract_last_line(outcome.stderr or outcome.stdout)
    ending = outcome.status.value if outcome.exit_code in (None, 0) else f"exit code {outcome.exit_code}"
    described = f"{field}: {ending}" + (f": {message}" if message else "")
    if outcome.status is Status.INTERNAL_ERROR:
        return build_service_failure(described)
    return HackDecision(False, False, reason, described)
