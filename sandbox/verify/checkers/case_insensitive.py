"""Tokens between ASCII white space equal, in order, whatever their case.

Case is folded as Unicode says (`str.casefold`: "STRASSE" agrees with "straße"); bytes that are not UTF-8 are
themselves.
"""

from __future__ import annotations

from sandbox.verify.checkers import pieces

MOST_GROWTH = 9  # folding makes a character's UTF-8 at most three times as long, or a third


def difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    start = pieces.differ_from(actual, expected, pieces.SPACES)
    found, wanted = pieces.tokens(actual, start), pieces.tokens(expected, start)
    return pieces.first_difference("token", found, wanted, _same, start)


def form(output: bytes) -> bytes:
    return b" ".join(_folded(output).split())


def _same(one: bytes, other: bytes) -> bool:
    return len(one) <= MOST_GROWTH * len(other) and _folded(one) == _folded(other)


def _folded(output: bytes) -> bytes:
    return output.decode(errors="surrogateescape").casefold().encode(errors="surrogateescape")
