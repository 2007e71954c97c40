"""The same tokens between ASCII white space, each as often, in any order and on any line."""

from __future__ import annotations

from collections import Counter


def difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    found, wanted = Counter(actual.split()), Counter(expected.split())
    if found == wanted:
        return ""
    missing, surplus = (wanted - found).total(), (found - wanted).total()
    return f"{missing} tokens are missing, {surplus} are not expected"
