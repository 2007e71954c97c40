"""Tokens equal, or both finite numbers that differ by at most `absolute`, or by at most `relative` times the expected one.

NaN agrees with NaN whatever its sign, an infinity with the same infinity, and neither with anything else. Numbers are decimal, as C's strtod
reads them less its hexadecimal form; Python's digit-grouping underscores are not numbers.
"""

from __future__ import annotations

import math
import re

_NUMBER = re.compile(rb"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf(?:inity)?|nan)", re.IGNORECASE | re.ASCII)


def difference(actual: bytes, expected: bytes, absolute: float = 1e-9, relative: float = 1e-9) -> str:
    if actual == expected:
        return ""
    found, wanted = actual.split(), expected.split()
    if len(found) != len(wanted):
        return f"{len(found)} tokens, not {len(wanted)}"
    for number, (one, other) in enumerate(zip(found, wanted, strict=True), start=1):
        if one != other and not _near(one, other, absolute, relative):
            return f"token {number} differs by more than the tolerance"
    return ""


def _near(one: bytes, other: bytes, absolute: float, relative: float) -> bool:
    if not (_NUMBER.fullmatch(one) and _NUMBER.fullmatch(other)):
        return False
    found, wanted = float(one), float(other)
    if math.isnan(found) or math.isnan(wanted):
        return math.isnan(found) and math.isnan(wanted)
    if math.isinf(wanted) or (math.isinf(found) and _is_infinity(one)):
        return found == wanted and _is_infinity(one) == _is_infinity(other)
    return abs(found - wanted) <= max(absolute, relative * abs(wanted))


def _is_infinity(token: bytes) -> bool:
    """Spelt as an infinity: 1e999 is a number too large for a double, which is not the same."""
    return b"n" in token.lower()
