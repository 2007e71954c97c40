"""The same lines, each equally often, in any order. Blanks at the end of a line and blank lines do not count.

An output with far more line ends than the expected output has bytes is wrong, even if most of its lines are blank.
"""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.verify.checkers import block_reader, size_limits
from sandbox.verify.checkers.lines import BLANKS


def find_difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    if size_limits.has_too_many(actual.rstrip(), expected, b"\n"):
        return size_limits.TOO_MANY_MESSAGE
    large = len(actual) + len(expected) > block_reader.COUNTED_BYTES
    return block_reader.find_unordered_difference("line", _iter_lines(actual), _iter_lines(expected), large)


def canonicalize(output: bytes) -> bytes:
    return b"\n".join(sorted(_iter_lines(output)))


def _iter_lines(output: bytes) -> Iterator[bytes]:
    return filter(None, (line.rstrip(BLANKS) for line in block_reader.iter_lines(output.rstrip(), b"\n")))
