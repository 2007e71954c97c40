"""The standard checker of Codeforces problems that have none of their own: testlib's `wcmp`, which compares tokens.

A token is a run of bytes other than space, tab, line feed and carriage return; a vertical tab or a form feed is part of
a token. The tokens have to be equal, case included, in order and in number. Numbers are compared as they are spelt.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(rb"[^ \t\r\n]+")


def difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    found, wanted = _TOKEN.findall(actual), _TOKEN.findall(expected)
    if found == wanted:
        return ""
    for number, (one, other) in enumerate(zip(found, wanted, strict=False), start=1):
        if one != other:
            return f"token {number} differs"
    return f"{len(found)} tokens, not {len(wanted)}"
