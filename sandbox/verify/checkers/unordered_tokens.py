"""The same tokens between ASCII white space, each as often, in any order and on any line."""

from __future__ import annotations

from sandbox.verify.checkers import pieces


def difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    large = len(actual) + len(expected) > pieces.COUNTED_BYTES
    return pieces.difference_in_any_order("token", pieces.tokens(actual), pieces.tokens(expected), large)


def form(output: bytes) -> bytes:
    return b" ".join(sorted(output.split()))
