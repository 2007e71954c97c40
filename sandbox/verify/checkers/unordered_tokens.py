"""The same tokens between ASCII white space, each as often, in any order and on any line."""

from __future__ import annotations

from collections import Counter


def difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    found, wanted = actual.split(), expected.split()
    if len(found) != len(wanted):
        return f"{len(found)} tokens, not {len(wanted)}"
    return "" if Counter(found) == Counter(wanted) else "the tokens are not the same"
