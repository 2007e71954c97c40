"""Tokens between ASCII white space are equal, in order."""

from __future__ import annotations

from sandbox.verify.checkers import block_reader


def find_difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    start = block_reader.find_divergence_start(actual, expected, block_reader.SPACES)
    found, wanted = block_reader.iter_tokens(actual, start), block_reader.iter_tokens(expected, start)
    return block_reader.find_first_difference("token", found, wanted, start=start)


def canonicalize(output: bytes) -> bytes:
    return b" ".join(output.split())
