"""Limits of the JSON parser for request bodies: it rejects very long integers and very deep nesting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

MAX_DIGITS = 4_300
MAX_DEPTH = 200
MAX_PATH_PARTS = 8  # in the path of an error: nobody can use a path of 200 brackets
TOO_LONG = f"an integer may have at most {MAX_DIGITS} digits"
TOO_DEEP = f"arrays and objects may be nested at most {MAX_DEPTH} deep"
JsonPath = tuple[str | int, ...]


class _OversizedInteger:
    """Stands for an integer with too many digits, which would take quadratic time to parse."""


def find_violation(data: bytes) -> tuple[JsonPath, str] | None:
    """Return the path of the first value over a limit, and the limit's message.

    Return None if the body is not JSON, or is nested too deeply to check.
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
    """Yield the objects, arrays and oversized integers of a JSON document, each with its path."""
    waiting: list[tuple[JsonPath, Any]] = [((), content)]
    while waiting:
        path, value = waiting.pop()
        yield path, value
        if isinstance(value, dict | list):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            waiting += [
                ((*path, key), item) for key, item in items if isinstance(item, dict | list | _OversizedInteger)
            ]
