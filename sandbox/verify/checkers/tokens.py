"""Tokens between ASCII white space equal, in order."""

from __future__ import annotations


def difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    found, wanted = actual.split(), expected.split()
    if found == wanted:
        return ""
    for number, (one, other) in enumerate(zip(found, wanted, strict=False), start=1):
        if one != other:
            return f"token {number} differs"
    return f"{len(found)} tokens, not {len(wanted)}"
