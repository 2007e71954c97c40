"""Every byte equal."""

from __future__ import annotations

from sandbox.verify.checkers.pieces import common_prefix


def difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    return f"outputs differ at byte {common_prefix(actual, expected)}"


def form(output: bytes) -> bytes:
    return output
