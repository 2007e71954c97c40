"""The same tokens between ASCII white space, each equally often, in any order and on any line."""

from __future__ import annotations

from sandbox.verify.checkers import block_reader


def find_difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    large = len(actual) + len(expected) > block_reader.COUNTED_BYTES
    return block_reader.find_unordered_difference(
        "token", block_reader.iter_tokens(actual), block_reader.iter_tokens(expected), large
    )


def canonicalize(output: bytes) -> bytes:
    return b" ".join(sorted(output.split()))
