"""The same tokens between ASCII white space, each as often, in any order and on any line."""

from __future__ import annotations

from sandbox.verify.checkers import pieces


def find_difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    large = len(actual) + len(expected) > pieces.COUNTED_BYTES
    return pieces.find_unordered_difference("token", pieces.iter_tokens(actual), pieces.iter_tokens(expected), large)


def canonicalize(output: bytes) -> bytes:
    return b" ".join(sorted(output.split()))
