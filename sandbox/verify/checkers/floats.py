"""Tokens equal, or both numbers that differ by at most `absolute`, or by at most `relative` times the expected one.

NaN agrees with NaN whatever its sign, an infinity with the same infinity, and neither with anything else. Numbers are
decimal, as C's strtod reads them less its hexadecimal form; Python's digit-grouping underscores are not numbers. A
number too large for a double, such as 1e400, is no infinity: it is compared by its decimal value.
"""

from __future__ import annotations

import math
import re
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, DecimalException

_NUMBER = re.compile(rb"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf(?:inity)?|nan)", re.IGNORECASE | re.ASCII)
_WIDE = Context(prec=40, Emax=MAX_EMAX, Emin=MIN_EMIN)


def difference(actual: bytes, expected: bytes, absolute: float = 1e-9, relative: float = 1e-9) -> str:
    if actual == expected:
        return ""
    found, wanted = actual.split(), expected.split()
    if len(found) != len(wanted):
        return f"{len(found)} tokens, not {len(wanted)}"
    for number, (one, other) in enumerate(zip(found, wanted, strict=True), start=1):
        if one != other and not near(one, other, absolute, relative):
            return f"token {number} differs by more than the tolerance"
    return ""


def near(one: bytes, other: bytes, absolute: float, relative: float) -> bool:
    """Whether both tokens are numbers, and the first is near enough to the second, which is the expected one."""
    if not (_NUMBER.fullmatch(one) and _NUMBER.fullmatch(other)):
        return False
    found, wanted = float(one), float(other)
    if math.isnan(found) or math.isnan(wanted):
        return math.isnan(found) and math.isnan(wanted)
    if _is_infinity(one) or _is_infinity(other):
        return found == wanted and _is_infinity(one) == _is_infinity(other)
    if math.isinf(found) or math.isinf(wanted):
        return _near_beyond_double(one, other, absolute, relative)
    return abs(found - wanted) <= max(absolute, relative * abs(wanted))


def _is_infinity(token: bytes) -> bool:
    """Spelt as an infinity: 1e999 is a number too large for a double, which is not the same."""
    return b"n" in token.lower()


def _near_beyond_double(one: bytes, other: bytes, absolute: float, relative: float) -> bool:
    try:
        found, wanted = _WIDE.create_decimal(one.decode()), _WIDE.create_decimal(other.decode())
        apart = _WIDE.abs(_WIDE.subtract(found, wanted))
        return apart <= max(Decimal(absolute), _WIDE.multiply(Decimal(relative), _WIDE.abs(wanted)))
    except DecimalException:  # an exponent of 18 digits: only the same spelling agrees
        return False
