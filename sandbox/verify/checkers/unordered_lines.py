"""The same lines, each as often, in any order. Blanks at the end of a line and blank lines do not count."""

from __future__ import annotations

from collections import Counter

from sandbox.verify.checkers.lines import BLANKS


def difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    found, wanted = _lines(actual), _lines(expected)
    if found == wanted:
        return ""
    missing, surplus = (wanted - found).total(), (found - wanted).total()
    return f"{missing} lines are missing, {surplus} are not expected"


def _lines(output: bytes) -> Counter[bytes]:
    return Counter(line for line in (line.rstrip(BLANKS) for line in output.split(b"\n")) if line)
