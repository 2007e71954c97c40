"""The rule by which SandboxFusion grades standard output.

Both texts are stripped and split at line feeds, and there have to be as many lines. Two lines agree when they are equal
once stripped, in any case, or when each is one number as Python's `float` reads it and they differ by less than 1e-5 of
the expected one, which counts as 1e-10 where it is smaller: 5e-16 is 0. NaN agrees with NaN, an infinity with itself.
"""

from __future__ import annotations

RELATIVE, SMALLEST = 1e-5, 1e-10
MAX_NUMBER_CHARS = 1_000


def difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    found, wanted = _lines(actual), _lines(expected)
    if len(found) != len(wanted):
        return f"{len(found)} lines, not {len(wanted)}"
    for number, (one, other) in enumerate(zip(found, wanted, strict=True), start=1):
        if one != other and one.strip() != other.strip() and not _near(one, other):
            return f"line {number} differs"
    return ""


def _lines(output: bytes) -> list[str]:
    return output.decode(errors="surrogateescape").strip().lower().split("\n")


def _near(one: str, other: str) -> bool:
    if max(len(one), len(other)) > MAX_NUMBER_CHARS:
        return False
    try:
        found, wanted = float(one), float(other)
    except ValueError:
        return False
    return abs(found - wanted) / max(abs(wanted), SMALLEST) < RELATIVE
