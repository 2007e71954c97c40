"""Every byte is equal."""

from __future__ import annotations

from sandbox.verify.checkers.block_reader import count_common_prefix


def find_difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    return f"outputs differ at byte {count_common_prefix(actual, expected)}"


def canonicalize(output: bytes) -> bytes:
    return output
