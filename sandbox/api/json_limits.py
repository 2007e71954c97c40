"""JSON that is valid and that the reader of request bodies does not take: very long integers and very deep nesting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

MAX_DIGITS = 4_300
MAX_DEPTH = 200
MAX_PATH_PARTS = 8  # of the place of an error; a path of 200 brackets tells nobody anything
TOO_LONG = f"an integer may have at most {MAX_DIGITS} digits"
TOO_DEEP = f"arrays and objects may be nested at most {MAX_DEPTH} deep"
JsonPath = tuple[str | int, ...]


class _OversizedInteger:
    """Stands for an integer of too many digits, which would take quadratic time to read."""


def find_violation(data: bytes) -> tuple[JsonPath, str] | None:
    """Find what a body exceeds: the path to the value and what the limit is. None for a body that is not JSON,
    or so deep that nobody can tell.
    """
    try:
        content = json.loads(data, parse_int=lambda digits: _OversizedInteger() if len(digits) > MAX_DIGITS else 0)
    except (ValueError, RecursionError):
        return None
    for path, value in _walk(content):
        if isinstance(value, _OversizedInteger):
            return path[:MAX_PATH_PARTS], TOO_LONG
        if len(path) >= MAX_DEPTH:
            return path[:MAX_PATH_PARTS], TOO_DEEP
    return None


def _walk(content: Any) -> Iterator[tuple[JsonPath, Any]]:
    """The collections and the long integers in a JSON document, each with its path."""
    waiting: list[tuple[JsonPath, Any]] = [((), content)]
    while waiting:
        path, value = waiting.pop()
        yield path, value
        if isinstance(value, dict | list):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            waiting += [
                ((*path, key), item) for key, item in items if isinstance(item, dict | list | _OversizedInteger)
            ]
