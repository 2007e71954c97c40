"""Whether the value a function returned is the one a test expects.

What came out of a box is compared as it came, in `runner.values`' encoding: nothing hostile is made into an object
whose making or hashing could take for ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.runner import values
from sandbox.runner.values import NotPlain
from sandbox.verify.tolerance import values_within

MAX_DEPTH = 400
MAX_DEPTH_IN_SETS = 50
MAX_COLLECTIONS = 3_000_000  # each takes a hundred bytes here and two in an answer
_SEQUENCES = frozenset({"tuple", "deque"})
_SETS = frozenset({"set", "frozenset"})


def too_many(answer: bytes) -> bool:
    """Whether an encoded answer holds more lists and objects than a worker should make."""
    return answer.count(b"[") + answer.count(b"{") > MAX_COLLECTIONS


def same(actual: Any, expected: Any, absolute: float = 0.0, relative: float = 0.0, depth: int = 0) -> bool:
    """Compare an encoded value with what JSON says is right. Raises NotPlain for what is not encoded so.

    JSON has neither tuples nor sets nor keys that are not strings: a tuple is compared as a list, a set with a list in
    any order, a key with the key as JSON writes it. NaN equals NaN. Numbers equal by value, or within the tolerances.
    """
    if depth > MAX_DEPTH:
        return False
    kind, content = _opened(actual)
    if kind == "dict":
        return isinstance(expected, Mapping) and _same_mapping(content, expected, absolute, relative, depth)
    if kind in _SETS:
        return isinstance(expected, list | tuple) and _same_set(content, expected)
    if kind in _SEQUENCES or kind == "range":
        items = values.decode(actual) if kind == "range" else content
        if not isinstance(expected, list | tuple) or not _as_long(items, expected):
            return False
        return all(same(one, other, absolute, relative, depth + 1) for one, other in zip(items, expected, strict=True))
    value = values.decode(actual) if kind else content
    loose = bool(absolute or relative) and type(value) is type(expected) is int
    if loose or isinstance(value, float) or isinstance(expected, float):
        return _same_number(value, expected, absolute, relative)
    return bool(value == expected)


def _opened(encoded: Any) -> tuple[str, Any]:
    """Kind and content of an encoded value; a list is a tuple here, and what JSON has itself is of no kind."""
    if isinstance(encoded, list):
        return "tuple", encoded
    if not isinstance(encoded, dict):
        return "", encoded
    if len(encoded) != 1:
        raise NotPlain("an object with other than one key")
    ((kind, content),) = encoded.items()
    if kind in _SEQUENCES | _SETS | {"dict", "range"} and not isinstance(content, list):
        raise NotPlain(f"a {kind} that is none")
    return kind, content


def _as_long(items: Sequence[Any], expected: Sequence[Any]) -> bool:
    try:
        return len(items) == len(expected)
    except OverflowError:  # a range longer than any list
        return False


def _same_set(content: list[Any], expected: Sequence[Any]) -> bool:
    """Each item has one of its own among the expected; for a frozenset that is a list in any order."""
    if len(content) != len(expected):
        return False
    wanted = [values.encode(item) for item in expected]
    left = Counter(map(_canonical, wanted))
    frozen = [item for item in content if _opened(item)[0] in _SETS]
    left.subtract(_canonical(item) for item in content if _opened(item)[0] not in _SETS)
    if not frozen or min(left.values()) < 0:
        return not any(left.values())
    in_any_order = {_canonical(item): _canonical({"set": item}) for item in wanted if isinstance(item, list)}
    loose = Counter(in_any_order.get(text, text) for text in left.elements())
    return loose == Counter(map(_canonical, frozen))


def _same_mapping(pairs: list[Any], expected: Mapping[str, Any], absolute: float, relative: float, depth: int) -> bool:
    try:
        by_name = {_as_json_key(key): value for key, value in pairs}
    except (TypeError, ValueError) as error:
        raise NotPlain("a dict that is none") from error
    if len(by_name) != len(pairs) or by_name.keys() != {_as_json_key(key) for key in expected}:
        return False
    found = ((by_name[_as_json_key(key)], value) for key, value in expected.items())
    return all(same(one, other, absolute, relative, depth + 1) for one, other in found)


def _as_json_key(key: Any) -> str:
    if isinstance(key, bool) or key is None:
        return {True: "true", False: "false", None: "null"}[key]
    if isinstance(key, int):
        return hex(key) if key.bit_length() > 8_192 else str(key)
    if isinstance(key, str | float):
        return str(key)
    return _canonical(key)


def _canonical(encoded: Any, depth: int = 0) -> str:
    """One text for encoded values that are equal, and only for those: hashed with a key nobody outside knows."""
    if depth > MAX_DEPTH_IN_SETS:
        raise NotPlain(f"nested over {MAX_DEPTH_IN_SETS} deep in a set")
    kind, content = _opened(encoded)
    if kind in _SETS:
        return "{" + ",".join(sorted(_canonical(item, depth + 1) for item in content)) + "}"
    if kind in _SEQUENCES:
        return "[" + ",".join(_canonical(item, depth + 1) for item in content) + "]"
    if kind == "dict":
        pairs = (f"{_canonical(key, depth + 1)}:{_canonical(item, depth + 1)}" for key, item in content)
        return "{" + ",".join(sorted(pairs)) + ":}"
    value = values.decode(encoded) if kind else content
    if isinstance(value, bool | int):
        return hex(value)
    if isinstance(value, float):
        return hex(int(value)) if value.is_integer() else repr(value)
    return f"{type(value).__name__} {value!r}"


def _same_number(actual: Any, expected: Any, absolute: float, relative: float) -> bool:
    numbers = (int, float)
    if not (isinstance(actual, numbers) and isinstance(expected, numbers)):
        return bool(actual == expected)
    return values_within(actual, expected, absolute, relative)
