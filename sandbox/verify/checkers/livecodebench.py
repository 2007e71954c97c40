"""The rule by which LiveCodeBench grades standard output.

Both texts are stripped and split at line feeds, and each line is stripped; Python defines what white space is. The
number of lines must be equal. Two lines agree if they are equal. They also agree if every token of both is a decimal
number that Python's `Decimal` accepts (including 1_0, Infinity and NaN) and the numbers are exactly equal. For example,
1.0 equals 1, but 0.1 does not equal 0.1000001, and NaN equals nothing. Where the original grader would crash (on a
signaling NaN), the lines differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, InvalidOperation

from sandbox.verify.checkers import block_reader

_TOKEN = re.compile(r"\S+")
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)


def find_difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    return block_reader.find_first_difference("line", _iter_lines(actual), _iter_lines(expected), _numbers_equal)


def canonicalize(output: bytes) -> bytes:
    return "\n".join(map(_canonicalize_line, _iter_lines(output))).encode(errors="surrogateescape")


def _iter_lines(output: bytes) -> Iterator[str]:
    return (line.strip() for line in block_reader.iter_lines(block_reader.decode_stripped(output), "\n"))


def _iter_tokens(line: str) -> Iterable[str]:
    if len(line) <= block_reader.BLOCK_BYTES:
        return line.split()
    return (match[0] for match in _TOKEN.finditer(line))


def _numbers_equal(one: str, other: str) -> bool:
    try:
        return all(Decimal(a) == Decimal(b) for a, b in zip(_iter_tokens(one), _iter_tokens(other), strict=True))
    # a token is not a number, a NaN cannot be compared, or one line has more tokens
    except (InvalidOperation, ValueError):
        return False


def _canonicalize_line(line: str) -> str:
    """Return the values of a line of numbers in canonical form; any other line unchanged after a marker."""
    try:
        return " ".join(map(_canonicalize_number, _iter_tokens(line)))
    except (InvalidOperation, ValueError):
        return "=" + line


def _canonicalize_number(token: str) -> str:
    number = Decimal(token)
    if number.is_nan():
        raise InvalidOperation
    return str(number.normalize(_EXACT)) if number else "0"
