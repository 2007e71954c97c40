"""The rule of code-judge, the grader of the X-Coder recipe: both texts equal once stripped at both ends.

Stripped is what Python calls white space, Unicode's included; nothing inside is touched, so CRLF and blanks at
a line's end count. That grader fails on output that is not UTF-8; here such bytes are compared as themselves.
"""

from __future__ import annotations


def difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    found, wanted = stripped(actual), stripped(expected)
    if found == wanted:
        return ""
    line = next(
        (n for n, (a, b) in enumerate(zip(found.split("\n"), wanted.split("\n"), strict=False), 1) if a != b), 0
    )
    return f"line {line} of the stripped output differs" if line else "the stripped output has other lines at its end"


def stripped(output: bytes) -> str:
    return output.decode(errors="surrogateescape").strip()
