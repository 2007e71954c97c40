"""Bounds on what a checker reads: no output makes judging cost far more than its expected output does.

Two cheap looks come before any parsing. An output that is very much longer than the expected one is wrong under every
rule but `regex`. For the rules that build values, the marks that separate values are counted, which takes 2 ns a
byte: a value has no more parts than its text has characters, so an output with several times as many marks as the
expected output has bytes is wrong.
"""

from __future__ import annotations

import json
from typing import Any

from sandbox.verify.checkers.failure import CheckerFailed

LENGTH_FACTOR, LENGTH_FREE_BYTES = 64, 64 << 10
DELIMITER_FACTOR, DELIMITERS_FREE = 2, 1_000
MAX_DELIMITERS = 1 << 20
TOO_LONG_MESSAGE = "the output is far longer than the expected output"
TOO_MANY_MESSAGE = "the output has far more parts than the expected output"


def is_too_long(actual: bytes, expected: bytes) -> bool:
    return len(actual) > LENGTH_FREE_BYTES + LENGTH_FACTOR * len(expected)


def has_too_many(actual: bytes, expected: bytes, delimiters: bytes, factor: int = DELIMITER_FACTOR) -> bool:
    """Whether an output has far more marks than one that agrees with `expected` can have."""
    allowed = DELIMITERS_FREE + min(factor * len(expected), MAX_DELIMITERS)
    return len(actual) > allowed and _count(actual, delimiters) > allowed


def is_too_large(answer: bytes, expected: Any) -> bool:
    """Whether an encoded value (`runner.values`) is far larger than any encoding of the expected one, or has far more
    parts. An encoded value has at most a dozen marks for each character of the same value in JSON.
    """
    if len(answer) <= LENGTH_FREE_BYTES:
        return False
    size = len(json.dumps(expected, separators=(",", ":")))
    return (
        len(answer) > LENGTH_FREE_BYTES + LENGTH_FACTOR * size
        or _count(answer, b"[]{},:") > LENGTH_FREE_BYTES + 12 * size
    )


def require_judgeable(expected: bytes, delimiters: bytes) -> None:
    """Raise CheckerFailed for an expected output with more parts than a worker may hold in memory."""
    if len(expected) > MAX_DELIMITERS and _count(expected, delimiters) > MAX_DELIMITERS:
        raise CheckerFailed(
            f"what is expected has more than {MAX_DELIMITERS} parts, which is more than this checker reads"
        )


def _count(output: bytes, delimiters: bytes) -> int:
    return len(output) - len(output.translate(None, delimiters))
