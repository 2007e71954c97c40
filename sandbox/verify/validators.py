"""Choose the validator of inputs by labelled probes, and decide which inputs are valid.

Theory of operation. A validator reads an input and accepts or rejects it (`hacks.check_validator`).

1. With probes, which are inputs known to be valid or nearly valid, each validator gets an accuracy: the mean of the
   share of valid probes that it accepts and the share of invalid probes that it rejects. The mean of the two shares is
   used because a validator that rejects everything would otherwise do well on many invalid probes. The most accurate
   validator, and among equals the first, filters the inputs (AutoCode, arXiv 2510.12803, section 3.1). A validator that
   is not better than chance filters nothing.
2. Without probes, all validators that compile vote. An input is valid if more than half of them accept it.
3. A failure of the service decides nothing. If the missing decisions could change the result, the input is unjudged:
   neither valid nor rejected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.runner.contract import Outcome
from sandbox.verify.hacks import check_validator

CHANCE = 0.5


@dataclass(frozen=True, slots=True)
class Decision:
    """What a validator says about an input. `accepts` is None if the service failed."""

    accepts: bool | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ValidatorScore:
    """A validator's results on the probes. `accuracy` is None if there is no probe, or if the service lost them all."""

    accuracy: float | None
    valid_accepted: int = 0
    valid_total: int = 0
    invalid_rejected: int = 0
    invalid_total: int = 0


def read_decision(validator: int, outcome: Outcome) -> Decision:
    """Read what the run of a validator on an input says."""
    refusal = check_validator(validator, outcome)
    if refusal is None:
        return Decision(True)
    return Decision(None if refusal.valid is None else False, refusal.message)


def score_validator(outcomes: Sequence[Outcome], valid: Sequence[bool]) -> ValidatorScore:
    """Score a validator by its outcome on each probe. `valid` has the label of each probe."""
    known = [
        (decision.accepts, label)
        for outcome, label in zip(outcomes, valid, strict=True)
        if (decision := read_decision(0, outcome)).accepts is not None
    ]
    accepted = [accepts for accepts, label in known if label]
    rejected = [not accepts for accepts, label in known if not label]
    shares = [sum(right) / len(right) for right in (accepted, rejected) if right]
    return ValidatorScore(
        accuracy=sum(shares) / len(shares) if shares else None,
        valid_accepted=sum(map(bool, accepted)),
        valid_total=len(accepted),
        invalid_rejected=sum(rejected),
        invalid_total=len(rejected),
    )


def choose_filters(scores: Sequence[ValidatorScore], compiles: Sequence[bool], *, has_probes: bool) -> list[int]:
    """Return the validators that decide about inputs: the best one, or, without probes, all that compile."""
    usable = [index for index, each in enumerate(compiles) if each]
    if not has_probes:
        return usable
    ranked = sorted(usable, key=lambda index: -(scores[index].accuracy or 0.0))
    return [index for index in ranked[:1] if (scores[index].accuracy or 0.0) > CHANCE]


def decide_input(decisions: Sequence[Decision]) -> Decision:
    """Combine the decisions of the validators that decide about one input; there is at least one."""
    accepting = sum(decision.accepts is True for decision in decisions)
    rejecting = sum(decision.accepts is False for decision in decisions)
    unknown = len(decisions) - accepting - rejecting
    if accepting > rejecting + unknown:
        return Decision(True)
    if rejecting >= accepting + unknown:
        return Decision(False, next(decision.reason for decision in decisions if decision.accepts is False))
    return Decision(None, next(decision.reason for decision in decisions if decision.accepts is None))
