"""Find out whether a checker program can be trusted, before it decides which outputs agree.

Theory of operation. A checker that accepts too much makes wrong outputs agree, and one that rejects right outputs
leaves inputs without labels. So it is tried on outputs whose verdict is known:

1. It must accept each reference's output, with that output as the answer.
2. It must reject damaged outputs: `truncated` (the second half of the tokens is missing), `permuted` (the tokens are in
   another order), and `off_by_one` (the last number is one larger).

A truncated output is never right, so all must be rejected. In some tasks, a permuted or a changed output may also be
right, so only half of these must be rejected. If a damage leaves outputs right, as for a task in which order does not
matter, the request allows it.

Without references, the most frequent output of each input is damaged, and nothing must be accepted. A failure of the
service is unknown. If nothing is known, it is also unknown whether the checker can be trusted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from sandbox.runner.contract import Outcome, Status, Verdict
from sandbox.verify.agreement import Agreement, CheckerLost, TooManyComparisons
from sandbox.verify.roles import Role
from sandbox.verify.voting import OutcomeMatrix

MAX_INPUTS = 8
MAX_OUTPUTS_PER_INPUT = 4
_TOKEN = re.compile(rb"\S+")
_NUMBER = re.compile(rb"[+-]?\d{1,300}(\.\d*)?")


class Damage(StrEnum):
    """How an output is damaged. A checker should reject each kind."""

    TRUNCATED = "truncated"
    PERMUTED = "permuted"
    OFF_BY_ONE = "off_by_one"


_NEEDED_SHARE = {Damage.TRUNCATED: 1.0, Damage.PERMUTED: 0.5, Damage.OFF_BY_ONE: 0.5}


@dataclass(frozen=True, slots=True)
class DamageCount:
    """How many damaged outputs of one kind the checker judged, and how many of them it rejected."""

    made: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Whether a checker can be trusted; None if that is not known. `why` explains False and None."""

    trusted: bool | None
    why: str = ""
    own_outputs: int = 0
    own_accepted: int = 0
    damages: Mapping[Damage, DamageCount] = field(default_factory=dict)


def damage_output(output: bytes) -> dict[Damage, bytes]:
    """Return the output damaged in each way that changes it."""
    tokens = [match.span() for match in _TOKEN.finditer(output)]
    damaged: dict[Damage, bytes] = {}
    if tokens:
        kept = len(tokens) // 2
        damaged[Damage.TRUNCATED] = output[: tokens[kept - 1][1]] + b"\n" if kept else b""
    texts = [output[start:end] for start, end in tokens]
    if len(set(texts)) > 1:
        damaged[Damage.PERMUTED] = _replace_tokens(output, tokens, _permute(texts))
    last = next((place for place in reversed(range(len(texts))) if _NUMBER.fullmatch(texts[place])), None)
    if last is not None:
        whole, point, rest = texts[last].partition(b".")
        changed = [*texts[:last], b"%d" % (int(whole) + 1) + point + rest, *texts[last + 1 :]]
        damaged[Damage.OFF_BY_ONE] = _replace_tokens(output, tokens, changed)
    return damaged


def _permute(texts: Sequence[bytes]) -> list[bytes]:
    """Return the tokens in reverse order, or moved by one place if they are a palindrome."""
    backwards = list(reversed(texts))
    return backwards if backwards != list(texts) else [*texts[1:], texts[0]]


def _replace_tokens(output: bytes, tokens: Sequence[tuple[int, int]], texts: Sequence[bytes]) -> bytes:
    """Return the output with other tokens and the same white space."""
    parts, place = [], 0
    for (start, end), text in zip(tokens, texts, strict=True):
        parts += [output[place:start], text]
        place = end
    return b"".join([*parts, output[place:]])


def calibrate(
    matrix: OutcomeMatrix, roles: Sequence[Role], agreement: Agreement, allowed: Collection[Damage] = ()
) -> Calibration:
    """Try a checker on the outputs of `matrix[program][input]` and on damaged copies of them."""
    record = _Record(agreement)
    for position in _choose_inputs(len(matrix[0]) if matrix else 0):
        outputs = [row[position].stdout for row in matrix if row[position].ended_well]
        trusted = [
            row[position].stdout
            for row, role in zip(matrix, roles, strict=True)
            if role is Role.REFERENCE and row[position].ended_well
        ]
        for output in list(dict.fromkeys(trusted))[:MAX_OUTPUTS_PER_INPUT]:
            record.check_own_output(position, output)
        for output in list(dict.fromkeys(trusted or _find_most_frequent(outputs)))[:MAX_OUTPUTS_PER_INPUT]:
            record.check_damaged_outputs(position, output)
    return record.conclude(allowed)


def _choose_inputs(count: int) -> list[int]:
    """Return at most `MAX_INPUTS` positions, spread evenly."""
    chosen = min(count, MAX_INPUTS)
    return [place * count // chosen for place in range(chosen)]


def _find_most_frequent(outputs: Sequence[bytes]) -> list[bytes]:
    counted = Counter(outputs)
    return [min(counted, key=lambda output: (-counted[output], len(output), output))] if counted else []


class _Record:
    """What is known about the checker so far."""

    def __init__(self, agreement: Agreement) -> None:
        self._agreement = agreement
        self._own: list[Verdict] = []
        self._own_message = ""
        self._failures: list[str] = []
        self._judged = 0
        self._damaged: dict[Damage, list[Verdict]] = {kind: [] for kind in Damage}

    def _judge(self, position: int, output: bytes, expected: bytes) -> tuple[Verdict, str] | None:
        outcome = Outcome(Status.OK, exit_code=0, stdout=output)
        try:
            result = self._agreement.judge(position, outcome, expected)
        except (CheckerLost, TooManyComparisons):
            return None
        self._judged += 1
        if result.verdict is Verdict.INTERNAL_ERROR:
            self._failures.append(result.message)
        return result.verdict, result.message

    def check_own_output(self, position: int, output: bytes) -> None:
        judged = self._judge(position, output, output)
        if judged is not None:
            self._own.append(judged[0])
            if judged[0] is not Verdict.ACCEPTED:
                self._own_message = self._own_message or judged[1]

    def check_damaged_outputs(self, position: int, output: bytes) -> None:
        for kind, damaged in damage_output(output).items():
            judged = self._judge(position, damaged, output)
            if judged is not None:
                self._damaged[kind].append(judged[0])

    def conclude(self, allowed: Collection[Damage]) -> Calibration:
        counts = {
            kind: DamageCount(len(verdicts), sum(verdict is not Verdict.ACCEPTED for verdict in verdicts))
            for kind, verdicts in self._damaged.items()
        }
        accepted = self._own.count(Verdict.ACCEPTED)
        reasons = []
        if self._failures and len(self._failures) == self._judged:
            reasons.append(f"it fails on every output: {self._failures[0]}")
        elif accepted < len(self._own):
            detail = f": {self._own_message}" if self._own_message else ""
            reasons.append(f"it accepts {accepted} of {len(self._own)} outputs of references{detail}")
        reasons += [
            f"it accepts {count.made - count.rejected} of {count.made} {kind} outputs"
            for kind, count in counts.items()
            if kind not in allowed and count.rejected < _NEEDED_SHARE[kind] * count.made
        ]
        why = "; ".join(reasons) if self._judged else "there is no output to try it on, or the service failed"
        return Calibration(not reasons if self._judged else None, why, len(self._own), accepted, counts)
