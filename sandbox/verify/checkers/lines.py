"""Lines equal, once blanks at the end of each line and blank lines at the end are gone. CRLF counts as a line's end."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.verify.checkers import pieces

BLANKS = b" \t\r\v\f"


def difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    actual, expected = actual.rstrip(), expected.rstrip()  # blanks and line feeds: all of ASCII's white space
    start = pieces.differ_from(actual, expected, b"\n")
    return pieces.first_difference("line", _lines(actual, start), _lines(expected, start), start=start)


def form(output: bytes) -> bytes:
    return b"\n".join(_lines(output.rstrip()))


def _lines(output: bytes, start: int = 0) -> Iterator[bytes]:
    return (line.rstrip(BLANKS) for line in pieces.lines(output, b"\n", start))
