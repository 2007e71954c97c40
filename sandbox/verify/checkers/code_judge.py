"""The rule of code-judge, the grader of the X-Coder recipe: both texts equal once stripped at both ends.

Stripped is what Python calls white space, Unicode's included; nothing inside is touched, so CRLF and blanks at
a line's end count. That grader fails on output that is not UTF-8; here such bytes are compared as themselves.
"""

from __future__ import annotations

from sandbox.verify.checkers.block_reader import count_common_prefix, decode_stripped


def find_difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    found, wanted = decode_stripped(actual), decode_stripped(expected)
    if found == wanted:
        return ""
    same = count_common_prefix(found, wanted)
    longer = max(found, wanted, key=len)
    if same == min(len(found), len(wanted)) and longer[same] == "\n":
        return "the stripped output has other lines at its end"
    return f"line {1 + longer.count(chr(10), 0, same)} of the stripped output differs"


def canonicalize(output: bytes) -> bytes:
    return decode_stripped(output).encode(errors="surrogateescape")
