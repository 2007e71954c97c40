"""Whether the value a function returned is the one a test expects. Both are made of builtin types by now."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 500


def same(actual: Any, expected: Any, absolute: float = 0.0, relative: float = 0.0, depth: int = 0) -> bool:
    """Compare what came out of a box with what JSON says is right.

    JSON has neither tuples nor sets nor keys that are not strings: a tuple is compared as a list, a set with a list in
    any order, a key with the key as JSON writes it. NaN equals NaN. Numbers equal by value, or within the tolerances.
    """
    if depth > MAX_DEPTH:
        return False
    if isinstance(actual, list | tuple) and isinstance(expected, list | tuple):
        if len(actual) != len(expected):
            return False
        return all(same(one, other, absolute, relative, depth + 1) for one, other in zip(actual, expected, strict=True))
    if isinstance(actual, set | frozenset):
        return _same_set(actual, expected)
    if isinstance(actual, dict) and isinstance(expected, Mapping):
        return _same_mapping(actual, expected, absolute, relative, depth)
    if isinstance(actual, float) or isinstance(expected, float):
        return _same_number(actual, expected, absolute, relative)
    return bool(actual == expected)


def _same_set(actual: set[Any] | frozenset[Any], expected: Any) -> bool:
    if not isinstance(expected, list | tuple | set | frozenset) or len(actual) != len(expected):
        return False
    left = list(expected)
    for item in actual:
        found = next((index for index, other in enumerate(left) if same(item, other)), None)
        if found is None:
            return False
        left.pop(found)
    return True


def _same_mapping(
    actual: Mapping[Any, Any], expected: Mapping[str, Any], absolute: float, relative: float, depth: int
) -> bool:
    by_name = {_as_json_key(key): value for key, value in actual.items()}
    if len(by_name) != len(actual) or by_name.keys() != {_as_json_key(key) for key in expected}:
        return False
    pairs = ((by_name[_as_json_key(key)], value) for key, value in expected.items())
    return all(same(one, other, absolute, relative, depth + 1) for one, other in pairs)


def _as_json_key(key: Any) -> str:
    if isinstance(key, bool) or key is None:
        return {True: "true", False: "false", None: "null"}[key]
    return str(key)


def _same_number(actual: Any, expected: Any, absolute: float, relative: float) -> bool:
    numbers = (int, float)
    if not (isinstance(actual, numbers) and isinstance(expected, numbers)):
        return bool(actual == expected)
    if actual == expected:
        return True
    try:
        one, other = float(actual), float(expected)
    except OverflowError:
        return False
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    if math.isinf(one) or math.isinf(other):
        return False
    return abs(one - other) <= max(absolute, relative * abs(other))
