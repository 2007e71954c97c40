"""Every byte equal."""

from __future__ import annotations


def difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    length = min(len(actual), len(expected))
    at = next((index for index in range(length) if actual[index] != expected[index]), length)
    return f"outputs differ at byte {at}"
