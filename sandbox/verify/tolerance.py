"""Decide whether one number is close enough to another, using exact decimal arithmetic.

A number is within the tolerances if it differs from the expected one by at most `absolute`, or by at most `relative`
times the expected one. Numbers and tolerances are used as written. 0.34 is within 0.01 of 0.33, although the doubles
nearest to them are further apart. 2**53 + 1 is not within 0 of 2**53, although both are the same double. Doubles decide
if the difference and the tolerance are clearly apart, which is nearly always the case; only the rest is computed in
decimal. NaN agrees with NaN, an infinity with the same infinity, and neither with anything else.
"""

from __future__ import annotations

import math
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, DecimalException
from functools import lru_cache

# A double's relative error is 2**-53; a difference accumulates four of them.
_ROUNDING = 4.5e-16
_SMALLEST = 1e-300  # smaller doubles lose digits
# Enough digits to make differences of ordinary numbers exact; longer ones are rounded far below any tolerance.
_EXACT_CONTEXT = Context(prec=2_000, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])


def are_numerals_close(found: str, wanted: str, absolute: float, relative: float) -> bool:
    """Compare two numbers written in decimal that `float` accepts, without underscores."""
    try:
        return _are_close(found, wanted, float(found), float(wanted), absolute, relative)
    except (ValueError, DecimalException):  # not a number, or an exponent of 18 digits
        return False


def are_numbers_close(found: float, wanted: float, absolute: float, relative: float) -> bool:
    """Compare two ints or floats. A float stands for its shortest decimal representation."""
    if found == wanted:
        return True
    doubles = [_to_double(one) for one in (found, wanted)]
    if not absolute and not relative:
        return math.isnan(doubles[0]) and math.isnan(doubles[1])
    return _are_close(found, wanted, doubles[0], doubles[1], absolute, relative)


def _are_close(
    found: str | float, wanted: str | float, one: float, other: float, absolute: float, relative: float
) -> bool:
    if math.isfinite(one) and math.isfinite(other):
        apart, allowed = abs(one - other), max(absolute, relative * abs(other))
        doubt = (abs(one) + abs(other) + allowed) * _ROUNDING + _SMALLEST
        if abs(apart - allowed) > doubt:
            return apart < allowed
    return _are_decimals_close(_to_decimal(found), _to_decimal(wanted), _to_decimal(absolute), _to_decimal(relative))


def _are_decimals_close(found: Decimal, wanted: Decimal, absolute: Decimal, relative: Decimal) -> bool:
    if found.is_nan() or wanted.is_nan():
        return found.is_nan() and wanted.is_nan()
    if found.is_infinite() or wanted.is_infinite():
        return found == wanted
    apart = _EXACT_CONTEXT.abs(_EXACT_CONTEXT.subtract(found, wanted))
    if not apart:
        return found == wanted
    return apart <= max(absolute, _EXACT_CONTEXT.multiply(relative, _EXACT_CONTEXT.abs(wanted)))


def _to_double(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


@lru_cache(maxsize=64)
def _tolerance_to_decimal(value: float) -> Decimal:
    return Decimal(repr(value))


def _to_decimal(value: str | float) -> Decimal:
    if isinstance(value, str):
        return Decimal(value)
    return Decimal(value) if isinstance(value, int) else _tolerance_to_decimal(value)
