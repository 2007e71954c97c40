"""Tokens are equal, or both are numbers that differ by at most `absolute`, or at most `relative` times the expected
one.

Differences and tolerances are computed in decimal, from the numbers as written: with `absolute` 0.01, 0.34 is close
enough to 0.33. NaN agrees with NaN whatever its sign, an infinity with the same infinity, and neither with anything
else. Numbers are decimal and have the syntax of C's strtod without its hexadecimal form; a token with Python's
digit-grouping underscores is not a number. A number too large for a double, such as 1e400, is not an infinity: it is
compared by its decimal value.
"""

from __future__ import annotations

import re
from functools import partial

from sandbox.verify import tolerance
from sandbox.verify.checkers import block_reader

# Possessive quantifiers: a long run of digits is read once, not once for each digit.
_NUMBER = re.compile(
    rb"[+-]?(?:(?:\d++(?:\.\d*+)?+|\.\d++)(?:[eE][+-]?\d++)?+|inf(?:inity)?|nan)", re.IGNORECASE | re.ASCII
)


def find_difference(actual: bytes, expected: bytes, absolute: float = 1e-9, relative: float = 1e-9) -> str:
    if actual == expected:
        return ""
    start = block_reader.find_divergence_start(actual, expected, block_reader.SPACES)
    found, wanted = block_reader.iter_tokens(actual, start), block_reader.iter_tokens(expected, start)
    same = partial(are_close, absolute=absolute, relative=relative)
    why = block_reader.find_first_difference("token", found, wanted, same, start)
    return f"{why} by more than the tolerance" if why.endswith("differs") else why


def are_close(one: bytes, other: bytes, absolute: float, relative: float) -> bool:
    """Return whether both tokens are numbers and the first is close enough to the second, the expected one."""
    if not (_NUMBER.fullmatch(one) and _NUMBER.fullmatch(other)):
        return False
    return tolerance.are_numerals_close(one.decode(), other.decode(), absolute, relative)
