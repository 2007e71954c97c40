"""The rule of code-judge, the grader of the X-Coder recipe: both texts are equal after stripping both ends.

White space is what Python considers white space, including Unicode's. Nothing inside the text is changed, so CRLF and
blanks at the end of a line count. The original grader fails on output that is not UTF-8; here such bytes are compared
as they are.
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
        return "the stripped output has missing or extra lines at its end"
    return f"line {1 + longer.count(chr(10), 0, same)} of the stripped output differs"


def canonicalize(output: bytes) -> bytes:
    return decode_stripped(output).encode(errors="surrogateescape")
