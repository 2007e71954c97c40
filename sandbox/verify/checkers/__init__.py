"""Checkers: one rule a file, bytes in, whether they agree and a message out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.verify.checkers import exact, floats, lines, tokens


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether an output is right; the message says where it is not, without showing the expected output."""

    accepted: bool
    message: str = ""


Rule = Callable[..., str]

# A rule takes (actual, expected) and its options, and returns why they differ, or an empty string.
RULES: dict[str, Rule] = {
    "exact": exact.difference,
    "lines": lines.difference,
    "tokens": tokens.difference,
    "float": floats.difference,
}


def check(kind: str, actual: bytes, expected: bytes, **options: float) -> Checked:
    """Apply the rule `kind`. Raises KeyError for one that does not exist."""
    why = RULES[kind](actual, expected, **options)
    return Checked(accepted=not why, message=why)
