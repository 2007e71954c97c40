"""Compare the value that a function returned with the one that a test expects.

A value from a box is compared in its encoded form (`rpc.codec`). No hostile answer is turned into an object that could
take forever to build or to hash. A program can write anything as its answer. So an encoding that `encode` never
produces, such as a set that contains an item twice, is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sandbox.runner.rpc import codec
from sandbox.runner.rpc.codec import UnsupportedValue
from sandbox.verify.tolerance import are_numbers_close

MAX_DEPTH_IN_SETS = 50
MAX_COLLECTIONS = 3_000_000  # each takes a hundred bytes here and two in an answer
STRING_CHUNK_BYTES = 1 << 16
_SEQUENCES = frozenset({"tuple", "deque"})
_SETS = frozenset({"set", "frozenset"})


class EqualityRule(NamedTuple):
    """How far a value may differ from the expected one: tolerances for numbers, order of collections."""

    absolute: float = 0.0
    relative: float = 0.0
    any_order: bool = False


EXACT_EQUALITY = EqualityRule()


def has_too_many_collections(answer: bytes) -> bool:
    """Return whether an encoded answer contains more lists and objects than a worker should build."""
    if answer.count(b"[") + answer.count(b"{") <= MAX_COLLECTIONS:
        return False
    return _count_collections(answer) > MAX_COLLECTIONS


def _count_collections(answer: bytes) -> int:
    """Count the brackets that open a list or an object, excluding those inside strings."""
    found, inside = 0, False
    text = answer.replace(b"\\\\", b"").replace(b'\\"', b"")
    for start in range(0, len(text), STRING_CHUNK_BYTES):
        for index, part in enumerate(text[start : start + STRING_CHUNK_BYTES].split(b'"')):
            inside = inside if index == 0 else not inside
            if not inside:
                found += part.count(b"[") + part.count(b"{")
    return found


def values_equal(actual: Any, expected: Any, rule: EqualityRule = EXACT_EQUALITY, depth: int = 0) -> bool:
    """Compare an encoded value with the expected one from JSON. Raises UnsupportedValue for an invalid encoding.

    JSON has no tuples and only string keys, so a tuple is compared as a list, and a key with the key as JSON writes it.
    NaN equals NaN. Numbers are equal by value, or within the tolerances. A set does not equal a list unless the rule
    ignores order. The nodes of a linked list or a tree equal the list of their values. An empty one also equals None,
    because LeetCode writes both.
    """
    if depth > codec.MAX_DEPTH:
        return False
    kind, content = _unpack(actual)
    if kind == "nodes":
        return not content if expected is None else values_equal(content, expected, rule, depth)
    if kind == "dict":
        return isinstance(expected, Mapping) and _mappings_equal(content, expected, rule, depth)
    if kind in _SETS:
        _refuse_duplicates(content)
        return rule.any_order and isinstance(expected, list | tuple) and _equal_in_any_order(content, expected)
    if kind in _SEQUENCES or kind == "range":
        items = codec.decode(actual) if kind == "range" else content
        if not isinstance(expected, list | tuple) or not _lengths_equal(items, expected):
            return False
        if rule.any_order and depth == 0 and _equal_in_any_order(items, expected):
            return True
        return all(values_equal(one, other, rule, depth + 1) for one, other in zip(items, expected, strict=True))
    value = codec.decode(actual) if kind else content
    loose = bool(rule.absolute or rule.relative) and type(value) is type(expected) is int
    if loose or isinstance(value, float) or isinstance(expected, float):
        return _numbers_equal(value, expected, rule)
    return bool(value == expected)


def _unpack(encoded: Any) -> tuple[str, Any]:
    """Return kind and content of an encoded value. A list counts as a tuple; other plain JSON values have no kind."""
    if isinstance(encoded, list):
        return "tuple", encoded
    if not isinstance(encoded, dict):
        return "", encoded
    if len(encoded) != 1:
        raise UnsupportedValue("an encoded object must have exactly one key")
    ((kind, content),) = encoded.items()
    if kind in _SEQUENCES | _SETS | {"dict", "range", "nodes"} and not isinstance(content, list):
        raise UnsupportedValue(f"the content of a {kind} is not a list")
    return kind, content


def _lengths_equal(items: Sequence[Any], expected: Sequence[Any]) -> bool:
    try:
        return len(items) == len(expected)
    except OverflowError:  # a range longer than any list
        return False


def _refuse_duplicates(content: Sequence[Any]) -> None:
    if len(set(map(_canonicalize, content))) != len(content):
        raise UnsupportedValue("a set contains an item twice")


def _equal_in_any_order(content: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Return whether the items match the expected ones one to one. A frozenset matches a list in any order."""
    if len(content) != len(expected):
        return False
    wanted = [codec.encode(item) for item in expected]
    left = Counter(map(_canonicalize, wanted))
    frozen = [item for item in content if _unpack(item)[0] in _SETS]
    left.subtract(_canonicalize(item) for item in content if _unpack(item)[0] not in _SETS)
    if not frozen or min(left.values()) < 0:
        return not any(left.values())
    in_any_order = {_canonicalize(item): _canonicalize({"set": item}) for item in wanted if isinstance(item, list)}
    loose = Counter(in_any_order.get(text, text) for text in left.elements())
    return loose == Counter(map(_canonicalize, frozen))


def _mappings_equal(pairs: list[Any], expected: Mapping[str, Any], rule: EqualityRule, depth: int) -> bool:
    try:
        by_name = {_to_json_key(key): value for key, value in pairs}
    except (TypeError, ValueError) as error:
        raise UnsupportedValue("the content of a dict is not a list of pairs") from error
    if len(by_name) != len(pairs) or by_name.keys() != {_to_json_key(key) for key in expected}:
        return False
    found = ((by_name[_to_json_key(key)], value) for key, value in expected.items())
    return all(values_equal(one, other, rule, depth + 1) for one, other in found)


def _to_json_key(key: Any) -> str:
    if isinstance(key, bool) or key is None:
        return {True: "true", False: "false", None: "null"}[key]
    if isinstance(key, int):
        return hex(key) if key.bit_length() > codec.MAX_INT_BITS else str(key)
    if isinstance(key, str | float):
        return str(key)
    return _canonicalize(key)


def _canonicalize(encoded: Any, depth: int = 0) -> str:
    """Return a text that is the same for equal encoded values, and only for those. Its hash has a secret key."""
    if depth > MAX_DEPTH_IN_SETS:
        raise UnsupportedValue(f"a set is nested more than {MAX_DEPTH_IN_SETS} levels deep")
    kind, content = _unpack(encoded)
    if kind in _SETS:
        return "{" + ",".join(sorted(_canonicalize(item, depth + 1) for item in content)) + "}"
    if kind in _SEQUENCES or kind == "nodes":
        return "[" + ",".join(_canonicalize(item, depth + 1) for item in content) + "]"
    if kind == "dict":
        pairs = (f"{_canonicalize(key, depth + 1)}:{_canonicalize(item, depth + 1)}" for key, item in content)
        return "{" + ",".join(sorted(pairs)) + ":}"
    value = codec.decode(encoded) if kind else content
    if isinstance(value, bool | int):
        return hex(value)
    if isinstance(value, float):
        return hex(int(value)) if value.is_integer() else repr(value)
    return f"{type(value).__name__} {value!r}"


def _numbers_equal(actual: Any, expected: Any, rule: EqualityRule) -> bool:
    """Return whether two numbers are equal under Python's `==`, or differ by no more than the larger tolerance.

    The difference is computed in decimal from the numbers as written: 0.33 and 0.34 differ by 0.01.
    """
    numbers = (int, float)
    if not (isinstance(actual, numbers) and isinstance(expected, numbers)):
        return bool(actual == expected)
    return are_numbers_close(actual, expected, rule.absolute, rule.relative)
