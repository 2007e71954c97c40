"""Tokens between ASCII white space are equal, in order, ignoring case.

Case is folded according to Unicode (`str.casefold`: "STRASSE" agrees with "straße"). Bytes that are not UTF-8 are
compared as they are.
"""

from __future__ import annotations

from sandbox.verify.checkers import block_reader

MAX_GROWTH = 9  # folding makes a character's UTF-8 at most three times as long, or a third as long


def find_difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    start = block_reader.find_divergence_start(actual, expected, block_reader.SPACES)
    found, wanted = block_reader.iter_tokens(actual, start), block_reader.iter_tokens(expected, start)
    return block_reader.find_first_difference("token", found, wanted, _equals_ignoring_case, start)


def canonicalize(output: bytes) -> bytes:
    return b" ".join(_fold_case(output).split())


def _equals_ignoring_case(one: bytes, other: bytes) -> bool:
    return len(one) <= MAX_GROWTH * len(other) and _fold_case(one) == _fold_case(other)


def _fold_case(output: bytes) -> bytes:
    return output.decode(errors="surrogateescape").casefold().encode(errors="surrogateescape")
