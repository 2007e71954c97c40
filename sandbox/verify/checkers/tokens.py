"""Tokens between ASCII white space equal, in order."""

from __future__ import annotations

from sandbox.verify.checkers import pieces


def find_difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    start = pieces.find_divergence_start(actual, expected, pieces.SPACES)
    found, wanted = pieces.iter_tokens(actual, start), pieces.iter_tokens(expected, start)
    return pieces.find_first_difference("token", found, wanted, start=start)


def canonicalize(output: bytes) -> bytes:
    return b" ".join(output.split())
