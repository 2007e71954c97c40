"""The same lines, each as often, in any order. Blanks at the end of a line and blank lines do not count.

An output with far more line ends than the expected output has bytes is wrong, even if most of its lines are blank.
"""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.verify.checkers import pieces, size
from sandbox.verify.checkers.lines import BLANKS


def difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    if size.has_too_many(actual.rstrip(), expected, b"\n"):
        return size.TOO_MANY
    large = len(actual) + len(expected) > pieces.COUNTED_BYTES
    return pieces.difference_in_any_order("line", _lines(actual), _lines(expected), large)


def form(output: bytes) -> bytes:
    return b"\n".join(sorted(_lines(output)))


def _lines(output: bytes) -> Iterator[bytes]:
    return filter(None, (line.rstrip(BLANKS) for line in pieces.lines(output.rstrip(), b"\n")))
