"""Whether the value a function returned is the one a test expects.

What came out of a box is compared as it came, in the encoding of `runner.values`: no hostile answer is turned into an
object that could take forever to build or to hash. A program can write anything as its answer, so a frame that
`encode` never writes, such as a set that holds an item twice, is refused.
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
    """How far a value may differ from the expected one: numbers by the tolerances, collections by their order."""

    absolute: float = 0.0
    relative: float = 0.0
    any_order: bool = False


EXACT_EQUALITY = EqualityRule()


def has_too_many_collections(answer: bytes) -> bool:
    """Whether an encoded answer holds more lists and objects than a worker should build."""
    if answer.count(b"[") + answer.count(b"{") <= MAX_COLLECTIONS:
        return False
    return _count_collections(answer) > MAX_COLLECTIONS


def _count_collections(answer: bytes) -> int:
    """Count the brackets that open a list or an object. A bracket within a string opens nothing."""
    found, inside = 0, False
    text = answer.replace(b"\\\\", b"").replace(b'\\"', b"")
    for start in range(0, len(text), STRING_CHUNK_BYTES):
        for index, part in enumerate(text[start : start + STRING_CHUNK_BYTES].split(b'"')):
            inside = inside if index == 0 else not inside
            if not inside:
                found += part.count(b"[") + part.count(b"{")
    return found


def values_equal(actual: Any, expected: Any, rule: EqualityRule = EXACT_EQUALITY, depth: int = 0) -> bool:
    """Compare an encoded value with the expected one, as JSON has it. Raises NotPlain for a frame nobody encodes.

    JSON has no tuples and no keys that are not strings: a tuple is compared as a list, a key with the key as JSON
    writes it. NaN equals NaN. Numbers are equal by value, or within the tolerances. A set equals no list unless the
    rule says that order does not matter. The nodes of a linked list or a tree equal the list of their values, and an
    empty one also equals None, because LeetCode writes both.
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
    """Kind and content of an encoded value; a list is a tuple here, and what JSON has itself is of no kind."""
    if isinstance(encoded, list):
        return "tuple", encoded
    if not isinstance(encoded, dict):
        return "", encoded
    if len(encoded) != 1:
        raise UnsupportedValue("an object with other than one key")
    ((kind, content),) = encoded.items()
    if kind in _SEQUENCES | _SETS | {"dict", "range", "nodes"} and not isinstance(content, list):
        raise UnsupportedValue(f"a {kind} that is none")
    return kind, content


def _lengths_equal(items: Sequence[Any], expected: Sequence[Any]) -> bool:
    try:
        return len(items) == len(expected)
    except OverflowError:  # a range longer than any list
        return False


def _refuse_duplicates(content: Sequence[Any]) -> None:
    if len(set(map(_canonicalize, content))) != len(content):
        raise UnsupportedValue("a set that holds an item twice")


def _equal_in_any_order(content: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Whether each item has one of its own among the expected; a frozenset matches a list in any order."""
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
        raise UnsupportedValue("not the pairs of a dict") from error
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
    """One text for encoded values that are equal, and only for those: hashed with a key nobody outside knows."""
    if depth > MAX_DEPTH_IN_SETS:
        raise UnsupportedValue(f"nested over {MAX_DEPTH_IN_SETS} deep in a set")
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
    """Python's `==`, which compares an int and a float exactly, or a difference of at most the larger tolerance.

    The difference is taken in decimal, of the numbers as they are written: 0.33 and 0.34 differ by 0.01.
    """
    numbers = (int, float)
    if not (isinstance(actual, numbers) and isinstance(expected, numbers)):
        return bool(actual == expected)
    return are_numbers_close(actual, expected, rule.absolute, rule.relative)
