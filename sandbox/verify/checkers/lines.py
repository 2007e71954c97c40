"""Lines equal, once blanks at the end of each line and blank lines at the end are gone. CRLF counts as a line's end."""

from __future__ import annotations

BLANKS = b" \t\r\v\f"


def difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    found, wanted = _lines(actual), _lines(expected)
    for number, (one, other) in enumerate(zip(found, wanted, strict=False), start=1):
        if one != other:
            return f"line {number} differs"
    if len(found) != len(wanted):
        return f"{len(found)} lines, not {len(wanted)}"
    return ""


def _lines(output: bytes) -> list[bytes]:
    lines = [line.rstrip(BLANKS) for line in output.split(b"\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines
