"""The same lines, each as often, in any order. Blanks at the end of a line and blank lines do not count."""

from __future__ import annotations

from collections import Counter

from sandbox.verify.checkers.lines import BLANKS


def difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    found, wanted = _lines(actual), _lines(expected)
    if len(found) != len(wanted):
        return f"{len(found)} lines, not {len(wanted)}"
    return "" if Counter(found) == Counter(wanted) else "the lines are not the same"


def _lines(output: bytes) -> list[bytes]:
    return [line for line in (line.rstrip(BLANKS) for line in output.split(b"\n")) if line]
