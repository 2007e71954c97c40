"""Plain Python values as JSON, losslessly, for calls that cross a box's wall.

JSON alone loses what Python tells apart: tuples, sets, bytes, keys that are not strings, complex numbers, infinities. A
value that JSON has is itself; any other is an object with one key that names its kind. Nothing is ever rebuilt from a
class name: what comes out of `decode` is made of builtin types only, with their own `==`, whatever sent it.
"""

from __future__ import annotations

import base64
import json
import math
from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from types import GeneratorType
from typing import Any

MAX_DEPTH = 500
MAX_NODES = 2_000_000


class NotPlain(Exception):
    """A value that is not made of builtin types, too deep, or not an encoded value at all."""


class ListNode:
    """A linked list's node, as the problem sets that speak of one define it."""

    def __init__(self, val: Any = 0, next: Any = None) -> None:
        self.val = val
        self.next = next


class TreeNode:
    """A binary tree's node, as the problem sets that speak of one define it."""

    def __init__(self, val: Any = 0, left: Any = None, right: Any = None) -> None:
        self.val = val
        self.left = left
        self.right = right


def dumps(value: Any) -> bytes:
    """Raises NotPlain."""
    try:
        return json.dumps(encode(value), ensure_ascii=True, separators=(",", ":")).encode()
    except (ValueError, RecursionError) as error:
        raise NotPlain(str(error)) from error


def loads(content: bytes) -> Any:
    """Raises NotPlain for anything that `dumps` does not write."""
    try:
        return decode(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise NotPlain(f"not an encoded value: {error}") from error


def encode(value: Any, depth: int = 0) -> Any:
    """A value as what JSON has. Subclasses become their builtin base; iterators and numpy's types become lists."""
    if value is None or value is True or value is False:
        return value
    if depth > MAX_DEPTH:
        raise NotPlain(f"nested over {MAX_DEPTH} deep")
    kind = type(value)
    if kind is str:
        return value
    if kind is int:
        return value if value.bit_length() < 8_192 else {"int": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if kind is list:
        return [encode(item, depth + 1) for item in value]
    if kind is tuple:
        return {"tuple": [encode(item, depth + 1) for item in value]}
    if kind is dict:
        return _encode_mapping(value, depth)
    return _encode_other(value, depth)


def _encode_mapping(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    return {"dict": [[encode(key, depth + 1), encode(item, depth + 1)] for key, item in dict.items(value)]}


def _encode_other(value: Any, depth: int) -> Any:
    if isinstance(value, set | frozenset):
        items = set.union(set(), value)  # through the builtin, whatever the subclass has replaced
        kind = "frozenset" if isinstance(value, frozenset) else "set"
        return {kind: sorted((encode(item, depth + 1) for item in items), key=repr)}
    if isinstance(value, bytes | bytearray):
        return {"bytes": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, complex):
        return {"complex": [repr(value.real), repr(value.imag)]}
    if isinstance(value, Fraction):
        return {"fraction": [hex(value.numerator), hex(value.denominator)]}
    for base, plain in _BASES:
        if isinstance(value, base):
            return encode(plain(value), depth)
    return _encode_shaped(value, depth)


def _encode_shaped(value: Any, depth: int) -> Any:
    """What is known by its shape: iterators, numpy's arrays and scalars, the nodes of lists and trees."""
    if isinstance(value, Iterator | GeneratorType | deque | range) or type(value) in _VIEWS:
        return [encode(item, depth + 1) for item in value]
    if hasattr(value, "tolist") and type(value).__module__.partition(".")[0] == "numpy":
        return encode(value.tolist(), depth)
    if hasattr(value, "val") and hasattr(value, "next"):
        return encode(list_of(value), depth)
    if hasattr(value, "val") and hasattr(value, "left") and hasattr(value, "right"):
        return encode(levels_of(value), depth)
    raise NotPlain(f"a {type(value).__name__} is not a plain value")


_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))
# Through the builtin's own iterator and value, never through a method the subclass may have replaced.
_BASES: tuple[tuple[type, Any], ...] = (
    (str, lambda value: str.__str__(value)),
    (int, lambda value: int.__int__(value)),
    (float, lambda value: float.__float__(value)),
    (list, lambda value: [*list.__iter__(value)]),
    (tuple, lambda value: (*tuple.__iter__(value),)),
    (dict, lambda value: {**dict(dict.items(value))}),
)


def decode(value: Any) -> Any:
    """The value that `encode` was given, made of builtin types. Raises NotPlain."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        raise NotPlain("an object with other than one key")
    ((kind, content),) = value.items()
    try:
        return _DECODERS[kind](content)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise NotPlain(f"not an encoded value: {error!r}") from error


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


_DECODERS: dict[str, Any] = {
    "int": lambda content: int(content, 16),
    "float": float,
    "tuple": lambda content: tuple(decode(item) for item in content),
    "dict": lambda content: {_hashable(decode(key)): decode(item) for key, item in content},
    "set": lambda content: {_hashable(decode(item)) for item in content},
    "frozenset": lambda content: frozenset(_hashable(decode(item)) for item in content),
    "bytes": lambda content: base64.b64decode(content, validate=True),
    "complex": lambda content: complex(float(content[0]), float(content[1])),
    "fraction": lambda content: Fraction(int(content[0], 16), int(content[1], 16)),
}


def linked(items: Iterable[Any]) -> ListNode | None:
    """A linked list of the items."""
    head: ListNode | None = None
    for item in reversed([*items]):
        head = ListNode(item, head)
    return head


def list_of(node: Any) -> list[Any]:
    """A linked list's values. Raises NotPlain for one that has no end."""
    values: list[Any] = []
    while node is not None:
        values.append(node.val)
        node = node.next
        if len(values) > MAX_NODES:
            raise NotPlain("a linked list without an end")
    return values


def tree(levels: Iterable[Any]) -> TreeNode | None:
    """A binary tree from its values level by level, None where a child is missing."""
    values = iter(levels)
    first = next(values, None)
    if first is None:
        return None
    root = TreeNode(first)
    waiting = deque([root])
    while waiting:
        node = waiting.popleft()
        for side in ("left", "right"):
            value = next(values, None)
            if value is not None:
                child = TreeNode(value)
                setattr(node, side, child)
                waiting.append(child)
    return root


def levels_of(root: Any) -> list[Any]:
    """A binary tree's values level by level, None where a child is missing, none at the end."""
    values: list[Any] = []
    waiting = deque([root])
    while waiting:
        node = waiting.popleft()
        values.append(None if node is None else node.val)
        if node is not None:
            waiting += (node.left, node.right)
        if len(values) > MAX_NODES:
            raise NotPlain("a tree without an end")
    while values and values[-1] is None:
        values.pop()
    return values
