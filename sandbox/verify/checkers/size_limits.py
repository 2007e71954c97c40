"""Limit what a checker reads, so judging an output never costs far more than its expected output does.

Two cheap tests run before any parsing. An output that is much longer than the expected one is wrong under every rule
except `regex`. For rules that build values, the delimiters between values are counted, which takes 2 ns per byte. A
value has no more parts than its text has characters. So an output with several times as many delimiters as the expected
output has bytes is wrong.
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
    """Return whether an output has far more delimiters than one that agrees with `expected` can have."""
    allowed = DELIMITERS_FREE + min(factor * len(expected), MAX_DELIMITERS)
    return len(actual) > allowed and _count(actual, delimiters) > allowed


def is_too_large(answer: bytes, expected: Any) -> bool:
    """Return whether an encoded value (`rpc.codec`) is far larger, or has far more parts, than any encoding of the
    expected value.

    An encoded value has at most a dozen delimiters for each character of the same value in JSON.
    """
    if len(answer) <= LENGTH_FREE_BYTES:
        return False
    size = len(json.dumps(expected, separators=(",", ":")))
    return (
        len(answer) > LENGTH_FREE_BYTES + LENGTH_FACTOR * size
        or _count(answer, b"[]{},:") > LENGTH_FREE_BYTES + 12 * size
    )


def require_judgeable(expected: bytes, delimiters: bytes) -> None:
    """Raise CheckerFailed if the expected output has more parts than a worker may hold in memory."""
    if len(expected) > MAX_DELIMITERS and _count(expected, delimiters) > MAX_DELIMITERS:
        raise CheckerFailed(f"the expected output has more than {MAX_DELIMITERS} parts, the maximum for this checker")


def _count(output: bytes, delimiters: bytes) -> int:
    return len(output) - len(output.translate(None, delimiters))
