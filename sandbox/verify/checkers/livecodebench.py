"""The rule by which LiveCodeBench grades standard output.

Both texts are stripped, split at line feeds, and each line is stripped, by Python's idea of white space. The number of
lines has to be equal. Two lines agree when they are equal, or when every token of both is a decimal number as
Python's `Decimal` reads it (1_0, Infinity and NaN included) and the numbers are equal in value, exactly: 1.0 is 1,
but 0.1 is not 0.1000001 and NaN is nothing. Where that grader would break down (a signalling NaN), the lines differ.
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
    except (InvalidOperation, ValueError):  # a token is no number, a NaN refuses to be compared, or one line is longer
        return False


def _canonicalize_line(line: str) -> str:
    """The values of a line of numbers, each in its one spelling; another line as it is, after a mark."""
    try:
        return " ".join(map(_canonicalize_number, _iter_tokens(line)))
    except (InvalidOperation, ValueError):
        return "=" + line


def _canonicalize_number(token: str) -> str:
    number = Decimal(token)
    if number.is_nan():
        raise InvalidOperation
    return str(number.normalize(_EXACT)) if number else "0"
