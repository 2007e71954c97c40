"""The rule by which SandboxFusion grades standard output.

Both texts are stripped and split at line feeds, and must have the same number of lines. Two lines agree if they are
equal once stripped, ignoring case. They also agree if each is one number that Python's `float` accepts and they differ
by less than 1e-5 of the expected number, or of 1e-10 if the expected number is smaller: 5e-16 is 0. NaN agrees with
NaN, and an infinity with itself.
"""

from __future__ import annotations

from sandbox.verify.checkers import block_reader

RELATIVE, SMALLEST = 1e-5, 1e-10
MAX_NUMBER_CHARS = 1_000


def find_difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    found, wanted = block_reader.decode_stripped(actual), block_reader.decode_stripped(expected)
    lines = found.count("\n"), wanted.count("\n")
    if lines[0] != lines[1]:  # before creating an object for each line
        return f"{lines[0] + 1} lines, not {lines[1] + 1}"
    found, wanted = found.lower(), wanted.lower()
    if found == wanted:
        return ""
    pairs = zip(block_reader.iter_lines(found, "\n"), block_reader.iter_lines(wanted, "\n"), strict=True)
    for number, (one, other) in enumerate(pairs, start=1):
        if one != other and one.strip() != other.strip() and not _is_close(one, other):
            return f"line {number} differs"
    return ""


def _is_close(one: str, other: str) -> bool:
    if max(len(one), len(other)) > MAX_NUMBER_CHARS:
        return False
    try:
        found, wanted = float(one), float(other)
    except ValueError:
        return False
    return abs(found - wanted) / max(abs(wanted), SMALLEST) < RELATIVE
