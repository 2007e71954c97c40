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

Unlike in APPS, the work is bounded: an output with far more lines and tokens than the expected output has bytes is
wrong, and an expected output with more than 1,048,576 lines and tokens is refused (`internal_error`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence

from sandbox.verify.checkers import pieces, size

ABSOLUTE, RELATIVE = 1e-8, 1e-5
LINE_ENDS = b"\n\v\f\r\x1c\x1d\x1e"
SPACES = LINE_ENDS + b" \t\x1f"
SPACES_FACTOR = 16  # columns may be padded


def difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    size.require_judgeable(expected, SPACES)
    too_many_lines = size.has_too_many(actual, expected, LINE_ENDS)
    if too_many_lines or size.has_too_many(actual, expected, SPACES, SPACES_FACTOR):
        return size.TOO_MANY
    found = actual.decode(errors="surrogateescape").splitlines()
    text = expected.decode(errors="surrogateescape")
    wanted = [line.strip() for line in text.split("\n") if line]
    if _same_text(found, text) or found == wanted:
        return ""
    found = [line for line in found if line]
    large = len(actual) + len(expected) > pieces.BLOCK_BYTES
    if found == wanted or _close(found, wanted) or _same_sets(found, wanted, large):
        return ""
    return "neither the text, the numbers nor the sets of tokens agree"


def _same_text(found: Sequence[str], text: str) -> bool:
    wanted = text.strip()
    return "\n".join(found).strip() == wanted or "\n".join(line.strip() for line in found).strip() == wanted


def _close(found: Sequence[str], wanted: Sequence[str]) -> bool:
    if len(found) != len(wanted):
        return False
    try:
        return all(_near(float(one), float(other)) for one, other in zip(found, wanted, strict=True))
    except ValueError:
        return False


def _near(one: float, other: float) -> bool:
    return one == other or (math.isfinite(other) and abs(one - other) <= ABSOLUTE + RELATIVE * abs(other))


Row = Callable[[Iterable[str]], Hashable]


def _same_sets(found: Sequence[str], wanted: Sequence[str], large: bool) -> bool:
    """Rules 4 and 5. Of a large text's rows only the hashes are kept, which are keyed: a set takes 216 bytes."""

    def row(tokens: Iterable[str]) -> Hashable:
        return hash(frozenset(tokens)) if large else frozenset(tokens)

    def rounded(tokens: Iterable[str]) -> Hashable:
        return row(map(_rounded, tokens))

    try:
        return _same_rows(found, wanted, row) or _same_rows(found, wanted, rounded)
    except ValueError:  # a token is no number
        return False


def _same_rows(found: Sequence[str], wanted: Sequence[str], row: Row) -> bool:
    wanted_rows = {row(line.split()) for line in wanted}
    seen = set()
    for line in found:
        if tokens := line.split():
            found_row = row(tokens)
            if found_row not in wanted_rows:
                return False
            seen.add(found_row)
    return len(seen) == len(wanted_rows)


def _rounded(token: str) -> str:
    """The number's one spelling at three decimals. Raises ValueError for none, and for NaN, which equals nothing."""
    number = round(float(token), 3) + 0.0  # -0.0 is 0.0
    if math.isnan(number):
        raise ValueError(token)
    return repr(number)
