"""JSON that the reader cannot take although it is JSON: integers of thousands of digits, and very deep nesting.

Such a body is not malformed, so the answer names the field and the limit instead of a syntax error.
"""

from __future__ import annotations

import json
from typing import Any

MAX_DIGITS = 4_300  # what Python converts; beyond it takes quadratic time
MAX_DEPTH = 200
_OUT_OF_RANGE, _TOO_DEEP = "number out of range", "recursion limit exceeded"


class _TooLong:
    """Stands for an integer that is too long."""


def limit_error(data: bytes, message: str) -> dict[str, Any] | None:
    """Return the error that names the limit which `data` exceeds, given the reader's message; None if it is no such."""
    if _TOO_DEEP in message:
        return _error((), f"is nested more than {MAX_DEPTH} levels deep")
    if _OUT_OF_RANGE not in message:
        return None
    try:
        document = json.loads(data, parse_int=lambda text: _TooLong if len(text) > MAX_DIGITS else 0)
    except (ValueError, RecursionError):
        return None
    return _error(_path_to_long_integer(document), f"integers may have at most {MAX_DIGITS} digits")


def _path_to_long_integer(document: Any) -> tuple[str | int, ...]:
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        if value is _TooLong:
            return path
        if isinstance(value, dict):
            waiting += [((*path, name), item) for name, item in value.items()]
        elif isinstance(value, list):
            waiting += [((*path, index), item) for index, item in enumerate(value) if not isinstance(item, str)]
    return ()


def _error(path: tuple[str | int, ...], message: str) -> dict[str, Any]:
    return {"type": "value_error", "loc": ("body", *path), "msg": message}
