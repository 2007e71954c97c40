"""The rule of HumanEval's tests, `assert candidate(...) == expected`, applied to printed values.

HumanEval itself judges by running asserts and ignores printed output; use assert tests for that. Here both outputs are
parsed as one Python literal each, as printed by `repr`, and compared like `==`: 1 equals 1.0 and True, a list does not
equal a tuple, sets and dicts have no order, and the last occurrence of a duplicate key counts. If either output is not
a literal, both texts must be equal after stripping, as if `print` had shown strings.

A literal is None, a bool, an int, a float, a string or bytes, or a tuple, list, set or dict of literals, nested at most
200 levels deep (Python's own limit). Complex numbers and adjacent strings are not supported. Every value is reduced to
a canonical form, because Python's parser takes gigabytes and its hashes of ints can be made to collide.

The work is bounded. An output with far more brackets, commas and colons than the expected literal can have is wrong
without being parsed. An expected output with more than 1,048,576 of them is refused (`internal_error`).
"""

from __future__ import annotations

import ast
import hashlib
import re
from dataclasses import dataclass, field
from functools import lru_cache

from sandbox.verify.checkers import block_reader, size_limits

MAX_DEPTH = 200
DELIMITERS = b"[](){},:"
_MAX_DIGITS = 4_300
_TOKEN = re.compile(
    r"""\s*+(?:(?P<mark>[\[\](){},:])
    |(?P<string>[bB]?(?:'[^'\\\n]*+(?:\\[\\'"nrtxuU][^'\\\n]*+)*+'|"[^"\\\n]*+(?:\\[\\'"nrtxuU][^"\\\n]*+)*+"))
    |(?P<number>[+-]?(?:0[xX][0-9a-fA-F]++|[0-9]++(?:\.[0-9]*+)?+(?:[eE][+-]?[0-9]++)?+|\.[0-9]++(?:[eE][+-]?[0-9]++)?+)
    (?![0-9a-zA-Z_.]))
    |(?P<word>None|True|False|set\(\)))""",
    re.VERBOSE | re.ASCII,
)
_WORDS = {"None": "N;", "True": "n1;", "False": "n0;", "set()": "s{}"}
_ENDS = {"[": "]", "(": ")", "{": "}"}


class NotALiteral(ValueError):
    """The text is not one literal."""


@dataclass(slots=True)
class _Container:
    """An unfinished container: its canonical items, and for a dict their keys."""

    bracket: str
    items: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    commas: int = 0


def find_difference(actual: bytes, expected: bytes) -> str:
    if actual == expected:
        return ""
    size_limits.require_judgeable(expected, DELIMITERS)
    try:
        wanted = canonicalize_literal(expected)
    except NotALiteral:
        return _find_text_difference(actual, expected)
    if size_limits.has_too_many(actual, expected, DELIMITERS):
        return size_limits.TOO_MANY_MESSAGE
    try:
        return "" if canonicalize_literal(actual) == wanted else "the values differ"
    except NotALiteral:
        return _find_text_difference(actual, expected)


def canonicalize(output: bytes) -> bytes:
    size_limits.require_judgeable(output, DELIMITERS)
    try:
        return canonicalize_literal(output).encode(errors="surrogatepass")
    except NotALiteral:
        return b"text " + block_reader.decode_stripped(output).encode(errors="surrogateescape")


def _find_text_difference(actual: bytes, expected: bytes) -> str:
    same = block_reader.decode_stripped(actual) == block_reader.decode_stripped(expected)
    return "" if same else "the texts differ, and at least one is not a literal"


def canonicalize_literal(data: bytes) -> str:
    """Return a string that is equal for two literals exactly when `==` holds between them. Raises NotALiteral."""
    try:
        text = data.decode().strip()
    except UnicodeDecodeError as error:
        raise NotALiteral from error
    return _parse(text)


def _parse(text: str) -> str:
    stack: list[_Container] = []
    whole: str | None = None  # the last value that has not yet been followed by a comma, a colon or an end
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise NotALiteral
        at = match.end()
        kind, token = match.lastgroup, match[match.lastgroup]
        if kind == "mark" and token not in _ENDS:
            if not stack:
                raise NotALiteral
            whole = _take_delimiter(stack, token, whole)
        elif whole is not None:
            raise NotALiteral
        elif kind == "mark":
            stack.append(_Container(token))
            if len(stack) > MAX_DEPTH:
                raise NotALiteral
        else:
            whole = (_canonicalize_scalar_cached if len(token) < 32 else _canonicalize_scalar)(kind, token)
    if whole is None or stack:
        raise NotALiteral
    return whole


def _take_delimiter(stack: list[_Container], delimiter: str, whole: str | None) -> str | None:
    """Process a comma, a colon or an end; return the container that an end completes."""
    container = stack[-1]
    if delimiter == ":":
        if whole is None or container.bracket != "{" or len(container.keys) != len(container.items):
            raise NotALiteral
        container.keys.append(_require_hashable(whole))
        return None
    if whole is not None:
        container.items.append(whole)
    if container.keys and len(container.keys) != len(container.items):
        raise NotALiteral
    if delimiter == ",":
        if whole is None:
            raise NotALiteral
        container.commas += 1
        return None
    if _ENDS[container.bracket] != delimiter:
        raise NotALiteral
    stack.pop()
    return _close_container(container)


def _close_container(container: _Container) -> str:
    if container.bracket == "(" and len(container.items) == 1 and not container.commas:
        return container.items[0]
    if container.bracket == "(":
        return _shorten("t" if all(item[0] not in "lsdu" for item in container.items) else "u", container.items)
    if container.bracket == "[":
        return _shorten("l", container.items)
    if container.keys or not container.items:
        pairs = dict(zip(container.keys, container.items, strict=True))
        return _shorten("d", [part for key in sorted(pairs) for part in (key, pairs[key])])
    return _shorten("s", sorted({_require_hashable(item) for item in container.items}))


def _require_hashable(item: str) -> str:
    if item[0] in "lsdu":  # a list, a set, a dict, or a tuple that contains one of them
        raise NotALiteral
    return item


def _shorten(kind: str, items: list[str]) -> str:
    """Return a container's canonical form, or a digest if it is long, so nesting does not multiply the size."""
    form = f"{kind}{{{''.join(items)}}}"
    if len(form) <= 64:
        return form
    return f"{kind}#{hashlib.sha256(form.encode(errors='surrogatepass')).hexdigest()};"


def _canonicalize_scalar(kind: str, token: str) -> str:
    if kind == "word":
        return _WORDS[token]
    if kind == "number":
        return _canonicalize_number(token)
    try:
        value = ast.literal_eval(token)
    except (SyntaxError, ValueError) as error:
        raise NotALiteral from error
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    return f"{'b' if isinstance(value, bytes) else 'q'}{len(text)}:{text}"


_canonicalize_scalar_cached = lru_cache(maxsize=4_096)(_canonicalize_scalar)


def _canonicalize_number(token: str) -> str:
    """Format an int or float by its exact value: 2**53 + 1 does not equal float(2**53).

    The result ends with a delimiter, so no number is a prefix of another.
    """
    try:
        if token.lstrip("+-")[:2] in {"0x", "0X"}:
            return _format_integer(int(token, 16))
        if not any(mark in token for mark in ".eE"):
            return _format_integer(int(token)) if len(token) <= _MAX_DIGITS and not _is_octal(token) else _reject()
        value = float(token)
    except ValueError as error:
        raise NotALiteral from error
    if value.is_integer():
        return _format_integer(int(value))
    return f"n{value.hex()};"


def _is_octal(token: str) -> bool:
    digits = token.lstrip("+-")
    return digits[0] == "0" and digits.strip("0") != ""


def _reject() -> str:
    raise NotALiteral


def _format_integer(value: int) -> str:
    return f"n{value:x};"
