"""Two JSON values with equal structure: the keys of an object in any order, the items of an array in order.

If a key occurs twice, the last one counts. Numbers are equal when their decimal values are exactly equal, whatever
their size (1 equals 1.0 and 10e-1). If the options give a tolerance, numbers within it also agree, by the rule of
`floats`. true does not equal 1. NaN, Infinity and -Infinity are accepted as Python and JavaScript libraries print them,
and equal themselves. White space between tokens does not count. Text that is not JSON, or not UTF-8, agrees only with
the same bytes.

The work is bounded. The brackets, braces, commas and colons of an output are counted before it is parsed: an output
with far more of them than the expected value can have is wrong. An expected value with more than 1,048,576 of them is
refused (`internal_error`), because it would take more memory than a worker may use. Parsing and comparing use explicit
stacks, so even a million nested brackets do not cause a crash.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from sandbox.verify.checkers import floats, size_limits

_TOKEN = re.compile(
    r"""[ \t\n\r]*+(?:(?P<mark>[\[\]{},:])
    |(?P<string>"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+")
    |(?P<number>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+|NaN|-?Infinity)
    |(?P<word>true|false|null))""",
    re.VERBOSE,
)
_BLANK = re.compile(r"[ \t\n\r]*+")
_WORDS = {"true": True, "false": False, "null": None}
_MAX_EXPONENT_DIGITS = 18
DELIMITERS = b"[]{},:"


class Number(str):
    """A number as written. It equals a JSON string with the same text, so check the type first."""

    __slots__ = ()


Value = None | bool | str | Number | list["Value"] | dict[str, "Value"]


_FAST_DECODE: Callable[[str], Value] = json.JSONDecoder(
    parse_int=Number, parse_float=Number, parse_constant=Number
).decode


class NotJSON(ValueError):
    """The text is not one JSON value."""


class TooDeep(Exception):
    """The value is nested more deeply than the standard library's parser supports."""


def find_difference(actual: bytes, expected: bytes, absolute: float = 0.0, relative: float = 0.0) -> str:
    if actual == expected:
        return ""
    size_limits.require_judgeable(expected, DELIMITERS)
    if size_limits.has_too_many(actual, expected, DELIMITERS):
        return size_limits.TOO_MANY_MESSAGE
    try:
        wanted, deep = _parse(expected)
    except NotJSON:
        return "the expected output is not JSON, and the bytes differ"
    try:
        found = parse(actual) if deep else _parse_shallow(actual)
    except NotJSON as error:
        return f"the output is not one JSON value: {error}"
    except TooDeep:
        return "the output is nested more deeply than the expected output"
    return _find_difference(found, wanted, absolute, relative)


def canonicalize(output: bytes, absolute: float = 0.0, relative: float = 0.0) -> bytes | None:
    """Return bytes that are equal for outputs that agree, or None with a tolerance, which is not transitive."""
    if absolute or relative:
        return None
    size_limits.require_judgeable(output, DELIMITERS)
    try:
        value = parse(output)
    except NotJSON:
        return b"not JSON " + output
    return _spell(value).encode(errors="surrogatepass")


def parse(data: bytes) -> Value:
    """Parse the single value in `data`. Raises NotJSON."""
    return _parse(data)[0]


def _parse(data: bytes) -> tuple[Value, bool]:
    """Return the value, and whether it was too deep for the standard library's parser."""
    try:
        return _parse_shallow(data), False
    except TooDeep:
        return parse_deep(data.decode()), True


def _parse_shallow(data: bytes) -> Value:
    try:
        return _FAST_DECODE(data.decode())
    except UnicodeDecodeError as error:
        raise NotJSON("it is not UTF-8") from error
    except RecursionError:
        raise TooDeep from None
    except ValueError as error:
        raise NotJSON(str(error)) from error


def parse_deep(text: str) -> Value:
    """Parse a value of any depth; ten times slower than the standard library's parser."""
    return _Reader(text).read_value()


class _Reader:
    """Builds a value token by token. `_open` holds the unfinished containers, `_keys` the current key of each."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._open: list[list[Value] | dict[str, Value]] = []
        self._keys: list[str] = []

    def read_value(self) -> Value:
        while True:
            value, filled = self._start_value()
            while filled:
                if not self._open:
                    self._expect_end()
                    return value
                value, filled = self._put(value)

    def _next_token(self) -> tuple[str, str]:
        match = _TOKEN.match(self._text, self._position)
        if match is None or match.lastgroup is None:
            raise NotJSON(f"unexpected text at character {self._position}")
        self._position = match.end()
        return match.lastgroup, match[match.lastgroup]

    def _expect_end(self) -> None:
        blank = _BLANK.match(self._text, self._position)
        if blank is None or blank.end() != len(self._text):
            raise NotJSON(f"text after the value at character {self._position}")

    def _start_value(self) -> tuple[Value, bool]:
        """Read the next value; also return whether it is complete, which an opened container is not."""
        kind, token = self._next_token()
        if kind == "string":
            return _decode_string(token), True
        if kind == "number":
            return Number(token), True
        if kind == "word":
            return _WORDS[token], True
        if token == "[":
            return self._open_container([], "]")
        if token == "{":
            return self._open_container({}, "}")
        raise NotJSON(f"unexpected {token} before character {self._position}")

    def _open_container(self, container: list[Value] | dict[str, Value], end: str) -> tuple[Value, bool]:
        if self._accept_delimiter(end):
            return container, True
        self._open.append(container)
        self._keys.append(self._read_key() if end == "}" else "")
        return None, False

    def _accept_delimiter(self, delimiter: str) -> bool:
        match = _TOKEN.match(self._text, self._position)
        if match is None or match["mark"] != delimiter:
            return False
        self._position = match.end()
        return True

    def _read_key(self) -> str:
        kind, token = self._next_token()
        if kind != "string" or self._next_token() != ("mark", ":"):
            raise NotJSON(f"an object's key is missing before character {self._position}")
        return _decode_string(token)

    def _put(self, value: Value) -> tuple[Value, bool]:
        """Add a complete value to the innermost container.

        If that closes the container, it is the next complete value.
        """
        container = self._open[-1]
        if isinstance(container, list):
            container.append(value)
        else:
            container[self._keys[-1]] = value
        kind, token = self._next_token()
        if kind == "mark" and token == ",":
            if isinstance(container, dict):
                self._keys[-1] = self._read_key()
            return None, False
        if kind == "mark" and token == ("]" if isinstance(container, list) else "}"):
            self._keys.pop()
            return self._open.pop(), True
        raise NotJSON(f"a comma or an end is missing before character {self._position}")


def _decode_string(token: str) -> str:
    return str(json.loads(token)) if "\\" in token else token[1:-1]


def _find_difference(found: Value, wanted: Value, absolute: float, relative: float) -> str:
    left: list[tuple[Value, Value, int]] = [(found, wanted, 0)]
    while left:
        one, other, depth = left.pop()
        if isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                return f"an array at depth {depth} has {len(one)} items, not {len(other)}"
            pairs = zip(reversed(one), reversed(other), strict=True)
            left.extend((a, b, depth + 1) for a, b in pairs if not _scalars_equal(a, b))
        elif isinstance(one, dict) and isinstance(other, dict):
            if one.keys() != other.keys():
                return f"an object at depth {depth} has different keys"
            left.extend((one[key], other[key], depth + 1) for key in other if not _scalars_equal(one[key], other[key]))
        elif isinstance(one, Number) and isinstance(other, Number):
            if not _numbers_equal(one, other, absolute, relative):
                return f"a number at depth {depth} differs"
        elif type(one) is not type(other) or one != other:
            return f"a value at depth {depth} differs"
    return ""


def _spell(value: Value) -> str:
    """Write equal values the same way. Every part ends with a delimiter, so no part is a prefix of another."""
    parts: list[str] = []
    left: list[Value | _End] = [value]
    while left:
        one = left.pop()
        if isinstance(one, _End):
            parts.append(one)
        elif isinstance(one, list):
            parts.append("[")
            left.append(_ARRAY_END)
            left.extend(reversed(one))
        elif isinstance(one, dict):
            parts.append("{")
            left.append(_OBJECT_END)
            for key in sorted(one, reverse=True):
                left += (one[key], key)
        elif isinstance(one, Number):
            parts.append("/".join(map(str, _normalize_number(one))) + ",")
        else:
            parts.append(json.dumps(one) + ",")
    return "".join(parts)


class _End(str):
    """Marks the end of a container while it is written."""

    __slots__ = ()


_ARRAY_END, _OBJECT_END = _End("]"), _End("}")


def _scalars_equal(one: Value, other: Value) -> bool:
    """Return whether two scalars are equal. Containers are not compared here, because `==` would recurse."""
    return type(one) is type(other) and not isinstance(one, (list, dict)) and one == other


def _numbers_equal(one: str, other: str, absolute: float, relative: float) -> bool:
    if one == other or _normalize_number(one) == _normalize_number(other):
        return True
    return bool(absolute or relative) and floats.are_close(one.encode(), other.encode(), absolute, relative)


def _normalize_number(text: str) -> tuple[str, str, int | str]:
    """Return sign, digits and exponent of a number's shortest form. int() and Decimal do not accept every length."""
    if text[-1] in "Ny":
        return ("", text, "")
    mantissa, _, exponent = text.lower().partition("e")
    sign, whole = ("-", mantissa[1:]) if mantissa[0] == "-" else ("", mantissa)
    whole, _, fraction = whole.partition(".")
    digits = (whole + fraction).lstrip("0")
    short = digits.rstrip("0")
    if not short:
        return ("", "0", 0)
    if len(exponent) > _MAX_EXPONENT_DIGITS:
        return (sign, digits, exponent)
    return (sign, short, int(exponent or "0") - len(fraction) + len(digits) - len(short))
