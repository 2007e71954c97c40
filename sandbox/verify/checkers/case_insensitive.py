"""Tokens between ASCII white space equal, in order, whatever their case.

Case is folded as Unicode says (`str.casefold`: "STRASSE" agrees with "straße"); bytes that are not UTF-8 are
themselves.
"""

from __future__ import annotations

from sandbox.verify.checkers import tokens


def difference(actual: bytes, expected: bytes) -> str:
    return tokens.difference(_folded(actual), _folded(expected))


def _folded(output: bytes) -> bytes:
    return output.decode(errors="surrogateescape").casefold().encode(errors="surrogateescape")
