"""Decide when two sources are the same program: same tokens except comments, or same text except white space.

Python is compared by tokens, without comments, blank lines and the depth of indentation. Its parser would also ignore
redundant parentheses, but it takes a hundred times a hostile source's size in memory, and deep nesting overflows its
stack. Other languages, and Python that cannot be tokenized, are compared as text in which every run of white space is
one space.
"""

from __future__ import annotations

import io
import token
import tokenize
from collections.abc import Sequence
from hashlib import sha256

_PYTHON = frozenset({"python", "pypy"})
_MAX_TOKENIZED_CHARS = 1 << 16  # takes 0.3 s if every character is a token; longer sources are compared as text
_IGNORED_TOKENS = frozenset({token.COMMENT, token.NL, token.ENCODING, token.ENDMARKER})
_LAYOUT = {token.NEWLINE: "\n", token.INDENT: "\t>", token.DEDENT: "\t<"}


def find_first_equivalents(programs: Sequence[tuple[str, str]]) -> list[int]:
    """Return, for each (language, code), the index of the first that is the same program.

    Languages must be given by their canonical names.
    """
    first: dict[bytes, int] = {}
    return [first.setdefault(_compute_key(language, code), index) for index, (language, code) in enumerate(programs)]


def normalize_source(language: str, code: str) -> str:
    if language in _PYTHON and len(code) <= _MAX_TOKENIZED_CHARS:
        try:
            return _normalize_tokens(code)
        except (tokenize.TokenError, SyntaxError, ValueError):  # not Python: compare it as text
            pass
    return " ".join(code.split())


def _normalize_tokens(code: str) -> str:
    lines = io.StringIO(code)
    return "\0".join(
        _LAYOUT.get(found.type, found.string)
        for found in tokenize.generate_tokens(lines.readline)
        if found.type not in _IGNORED_TOKENS
    )


def _compute_key(language: str, code: str) -> bytes:
    form = f"{language}\0{normalize_source(language, code)}"
    return sha256(form.encode(errors="surrogatepass")).digest()
