"""The rule by which LiveCodeBench grades standard output.

Both texts are stripped, split at line feeds, and each line is stripped, by Python's idea of white space. The number of
lines has to be equal. Two lines agree when they are equal, or when every token of both is a decimal number as
Python's `Decimal` reads it (1_0, Infinity and NaN included) and the numbers are equal in value, exactly: 1.0 is 1,
but 0.1 is not 0.1000001 and NaN is nothing. Where that grader would break down (a signalling NaN), the lines differ.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation


def difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    found, wanted = _lines(actual), _lines(expected)
    if len(found) != len(wanted):
        return f"{len(found)} lines, not {len(wanted)}"
    for number, (one, other) in enumerate(zip(found, wanted, strict=True), start=1):
        if one != other and not _same_numbers(one, other):
            return f"line {number} differs"
    return ""


def _lines(output: bytes) -> list[str]:
    return [line.strip() for line in output.decode(errors="surrogateescape").strip().split("\n")]


def _same_numbers(one: str, other: str) -> bool:
    try:
        return [Decimal(token) for token in one.split()] == [Decimal(token) for token in other.split()]
    except (InvalidOperation, ValueError):  # a token is no number, or a NaN refuses to be compared
        return False
