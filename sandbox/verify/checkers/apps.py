"""The rule by which APPS grades standard output. It is lenient: what agrees here may be wrong elsewhere.

The output is split into lines as `str.splitlines` does. What is expected is split at line feeds only, empty lines are
left out, and each line is stripped. They agree when any of these holds:

1. the output's lines, joined by line feeds, and the expected text are equal once stripped at both ends; or so with
   each line of the output stripped first;
2. the output's lines are those expected;
3. every line, but for empty ones, is one number, and each is within 1e-8 + 1e-5 |expected| of its counterpart
   (NaN agrees with nothing, an infinity with itself);
4. the set of the lines' sets of tokens is the same: neither the order nor the number of lines and of tokens in a line
   counts;
5. every token is a number, and rule 4 holds once they are rounded to three decimals.

An expected line of blanks only makes 3, 4 and 5 fail, as it does there. Bytes that are not UTF-8 are themselves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

ABSOLUTE, RELATIVE = 1e-8, 1e-5


def difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    found = actual.decode(errors="surrogateescape").splitlines()
    text = expected.decode(errors="surrogateescape")
    wanted = [line.strip() for line in text.split("\n") if line]
    if _same_text(found, text) or found == wanted:
        return ""
    found = [line for line in found if line]
    if found == wanted or _close(found, wanted) or _same_sets(found, wanted):
        return ""
    return "neither the text, the numbers nor the sets of tokens agree"


def _same_text(found: Sequence[str], text: str) -> bool:
    wanted = text.strip()
    return "\n".join(found).strip() == wanted or "\n".join(line.strip() for line in found).strip() == wanted


def _close(found: Sequence[str], wanted: Sequence[str]) -> bool:
    if len(found) != len(wanted):
        return False
    try:
        pairs = [(float(one), float(other)) for one, other in zip(found, wanted, strict=True)]
    except ValueError:
        return False
    return all(
        one == other or (math.isfinite(other) and abs(one - other) <= ABSOLUTE + RELATIVE * abs(other))
        for one, other in pairs
    )


def _same_sets(found: Sequence[str], wanted: Sequence[str]) -> bool:
    found_sets = {tokens for tokens in (frozenset(line.split()) for line in found) if tokens}
    wanted_sets = {frozenset(line.split()) for line in wanted}
    if found_sets == wanted_sets:
        return True
    try:
        return _rounded(found_sets) == _rounded(wanted_sets)
    except ValueError:
        return False


def _rounded(sets: set[frozenset[str]]) -> set[frozenset[float]]:
    return {frozenset(round(float(token), 3) for token in tokens) for tokens in sets}
