"""When two sources are the same program: the same tokens but for comments, or the same text but for white space.

Python is compared by its tokens, without comments, blank lines and the depth of indentation. Its parser would see
through parentheses too, but takes a hundred times a hostile source's size in memory, and deep ones overflow its
stack. Other languages, and Python that is not even tokens, are compared by their text with every run of white space
as one space.
"""

from __future__ import annotations

import io
import token
import tokenize
from collections.abc import Sequence
from hashlib import sha256

_PYTHON = frozenset({"python", "pypy"})
_MAX_TOKENIZED_CHARS = 1 << 16  # characters, 0.3 s when every one is a token; longer sources are text
_IGNORED_TOKENS = frozenset({token.COMMENT, token.NL, token.ENCODING, token.ENDMARKER})
_LAYOUT = {token.NEWLINE: "\n", token.INDENT: "\t>", token.DEDENT: "\t<"}


def find_first_equivalents(programs: Sequence[tuple[str, str]]) -> list[int]:
    """For each (language, code) the index of the first that is the same program; languages by their canonical names."""
    first: dict[bytes, int] = {}
    return [first.setdefault(_compute_key(language, code), index) for index, (language, code) in enumerate(programs)]


def normalize_source(language: str, code: str) -> str:
    if language in _PYTHON and len(code) <= _MAX_TOKENIZED_CHARS:
        try:
            return _normalize_tokens(code)
        except (tokenize.TokenError, SyntaxError, ValueError):  # not Python: let it be text
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
