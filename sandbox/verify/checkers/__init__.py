"""Checkers compare two byte strings. Each file implements one rule, which returns a message.

A rule takes (actual, expected) and its options. It returns why they differ, or an empty string. Equal bytes agree under
every rule except `regex`, where the expected text is a pattern. Rules do not raise exceptions for any bytes. A rule
that cannot decide raises CheckerFailed, and `check` sets `failed`, so the judge reports internal_error and never
wrong_answer. `size_limits` defines which outputs and which expected outputs a rule refuses to read.

A rule whose agreement is an equivalence also has a canonical form: bytes that are equal for two outputs exactly when
the outputs agree. A vote compares canonical forms, so it reads each output once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.verify.checkers import (
    apps,
    case_insensitive,
    code_judge,
    codeforces,
    exact,
    floats,
    humaneval,
    json_value,
    lines,
    livecodebench,
    regex,
    sandbox_fusion,
    size_limits,
    tokens,
    unordered_lines,
    unordered_tokens,
)
from sandbox.verify.checkers.failure import CHECKER_FAILED, CheckerFailed

__all__ = ["RULES", "CheckerFailed", "ComparisonResult", "Rule", "canonicalize", "check"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ComparisonResult:
    """Whether an output is right; the message says where it differs, without showing the expected output.

    `failed` means that the checker could not decide, so the result says nothing about the output.
    """

    accepted: bool
    message: str = ""
    failed: bool = False


Rule = Callable[..., str]

RULES: dict[str, Rule] = {
    "exact": exact.find_difference,
    "lines": lines.find_difference,
    "tokens": tokens.find_difference,
    "float": floats.find_difference,
    "unordered_lines": unordered_lines.find_difference,
    "unordered_tokens": unordered_tokens.find_difference,
    "case_insensitive": case_insensitive.find_difference,
    "json": json_value.find_difference,
    "regex": regex.find_difference,
    "livecodebench": livecodebench.find_difference,
    "apps": apps.find_difference,
    "codeforces": codeforces.find_difference,
    "code-judge": code_judge.find_difference,
    "sandbox-fusion": sandbox_fusion.find_difference,
    "humaneval": humaneval.find_difference,
}


CANONICALIZERS: Mapping[str, Callable[..., bytes | None]] = {
    "exact": exact.canonicalize,
    "lines": lines.canonicalize,
    "tokens": tokens.canonicalize,
    "unordered_lines": unordered_lines.canonicalize,
    "unordered_tokens": unordered_tokens.canonicalize,
    "case_insensitive": case_insensitive.canonicalize,
    "json": json_value.canonicalize,
    "livecodebench": livecodebench.canonicalize,
    "codeforces": codeforces.canonicalize,
    "code-judge": code_judge.canonicalize,
    "humaneval": humaneval.canonicalize,
}
_PATTERN_RULES = frozenset({"regex"})  # rules whose expected text is not an output


def check(kind: str, actual: bytes, expected: bytes, **options: Any) -> ComparisonResult:
    """Apply the rule `kind`. Raises KeyError if it does not exist, and nothing else."""
    rule = RULES[kind]
    if size_limits.is_too_long(actual, expected) and kind not in _PATTERN_RULES:
        return ComparisonResult(accepted=False, message=size_limits.TOO_LONG_MESSAGE)
    try:
        why = rule(actual, expected, **options)
    except CheckerFailed as failure:
        return ComparisonResult(accepted=False, message=f"{CHECKER_FAILED}: {failure}", failed=True)
    except Exception as error:  # hostile bytes must not turn a bug of a checker into the program's fault
        logger.exception("checker %s failed on %d and %d bytes", kind, len(actual), len(expected))
        return ComparisonResult(accepted=False, message=f"{CHECKER_FAILED}: {type(error).__name__}", failed=True)
    return ComparisonResult(accepted=not why, message=why)


def canonicalize(kind: str, output: bytes, **options: Any) -> bytes | None:
    """Return the output's canonical form, or None if the rule is not an equivalence.

    An output that the rule cannot read agrees only with the same bytes.
    """
    canonicalizer = CANONICALIZERS.get(kind)
    try:
        return None if canonicalizer is None else canonicalizer(output, **options)
    except CheckerFailed:
        return b"not read " + output
