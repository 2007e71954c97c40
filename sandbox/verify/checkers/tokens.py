"""Tokens between ASCII white space equal, in order."""

from __future__ import annotations

from sandbox.verify.checkers import pieces


def difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    start = pieces.differ_from(actual, expected, pieces.SPACES)
    found, wanted = pieces.tokens(actual, start), pieces.tokens(expected, start)
    return pieces.first_difference("token", found, wanted, start=start)


def form(output: bytes) -> bytes:
    return b" ".join(output.split())
