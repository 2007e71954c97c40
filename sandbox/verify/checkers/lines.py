"""Lines are equal, ignoring blanks at the end of each line and blank lines at the end. CRLF counts as a line end."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.verify.checkers import block_reader

BLANKS = b" \t\r\v\f"


def find_difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    # blanks and line feeds together are all of ASCII's white space
    actual, expected = actual.rstrip(), expected.rstrip()
    start = block_reader.find_divergence_start(actual, expected, b"\n")
    return block_reader.find_first_difference(
        "line", _iter_lines(actual, start), _iter_lines(expected, start), start=start
    )


def canonicalize(output: bytes) -> bytes:
    return b"\n".join(_iter_lines(output.rstrip()))


def _iter_lines(output: bytes, start: int = 0) -> Iterator[bytes]:
    return (line.rstrip(BLANKS) for line in block_reader.iter_lines(output, b"\n", start))
