"""The rule by which APPS grades standard output. It is lenient: outputs that agree here may be wrong elsewhere.

The output is split into lines as `str.splitlines` does. The expected text is split at line feeds only, empty lines are
dropped, and each line is stripped. They agree if any of these holds:

1. the output's lines, joined by line feeds, and the expected text are equal after stripping both ends, possibly after
   stripping each line of the output first;
2. the output's lines equal the expected lines;
3. every line except empty ones is one number, and each is within 1e-8 + 1e-5 |expected| of its counterpart (NaN agrees
   with nothing, an infinity with itself);
4. both have the same set of lines, where each line counts as its set of tokens: neither the order nor the number of
   lines, or of tokens in a line, matters;
5. every token is a number, and rule 4 holds after rounding them to three decimals.

An expected line of only blanks makes 3, 4 and 5 fail, as in APPS. Bytes that are not UTF-8 are compared as they are.
Unlike in APPS, the work is bounded. An output with far more lines and tokens than the expected output has bytes is
wrong. An expected output with more than 1,048,576 lines and tokens is refused (`internal_error`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence

from sandbox.verify.checkers import block_reader, size_limits

ABSOLUTE, RELATIVE = 1e-8, 1e-5
LINE_ENDS = b"\n\v\f\r\x1c\x1d\x1e"
SPACES = LINE_ENDS + b" \t\x1f"
SPACES_FACTOR = 16  # columns may be padded


def find_difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    size_limits.require_judgeable(expected, SPACES)
    too_many_lines = size_limits.has_too_many(actual, expected, LINE_ENDS)
    if too_many_lines or size_limits.has_too_many(actual, expected, SPACES, SPACES_FACTOR):
        return size_limits.TOO_MANY_MESSAGE
    found = actual.decode(errors="surrogateescape").splitlines()
    text = expected.decode(errors="surrogateescape")
    wanted = [line.strip() for line in text.split("\n") if line]
    if _texts_equal(found, text) or found == wanted:
        return ""
    found = [line for line in found if line]
    large = len(actual) + len(expected) > block_reader.BLOCK_BYTES
    if found == wanted or _are_all_close(found, wanted) or _token_sets_equal(found, wanted, large):
        return ""
    return "the texts, the numbers and the sets of tokens all differ"


def _texts_equal(found: Sequence[str], text: str) -> bool:
    wanted = text.strip()
    return "\n".join(found).strip() == wanted or "\n".join(line.strip() for line in found).strip() == wanted


def _are_all_close(found: Sequence[str], wanted: Sequence[str]) -> bool:
    if len(found) != len(wanted):
        return False
    try:
        return all(_is_close(float(one), float(other)) for one, other in zip(found, wanted, strict=True))
    except ValueError:
        return False


def _is_close(one: float, other: float) -> bool:
    return one == other or (math.isfinite(other) and abs(one - other) <= ABSOLUTE + RELATIVE * abs(other))


RowKey = Callable[[Iterable[str]], Hashable]


def _token_sets_equal(found: Sequence[str], wanted: Sequence[str], large: bool) -> bool:
    """Check rules 4 and 5. For large texts only keyed hashes of the rows are kept, because a set takes 216 bytes."""

    def build_row_key(tokens: Iterable[str]) -> Hashable:
        return hash(frozenset(tokens)) if large else frozenset(tokens)

    def build_rounded_row_key(tokens: Iterable[str]) -> Hashable:
        return build_row_key(map(_round_token, tokens))

    try:
        return _rows_equal(found, wanted, build_row_key) or _rows_equal(found, wanted, build_rounded_row_key)
    except ValueError:  # a token is not a number
        return False


def _rows_equal(found: Sequence[str], wanted: Sequence[str], row_key: RowKey) -> bool:
    wanted_rows = {row_key(line.split()) for line in wanted}
    seen = set()
    for line in found:
        if tokens := line.split():
            found_row = row_key(tokens)
            if found_row not in wanted_rows:
                return False
            seen.add(found_row)
    return len(seen) == len(wanted_rows)


def _round_token(token: str) -> str:
    """Return the number's canonical form at three decimals. Raises ValueError for non-numbers and for NaN."""
    number = round(float(token), 3) + 0.0  # -0.0 becomes 0.0
    if math.isnan(number):
        raise ValueError(token)
    return repr(number)
