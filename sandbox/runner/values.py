"""Plain Python values as JSON, losslessly, for calls that cross a box's wall.

JSON alone loses what Python tells apart: tuples, sets, bytes, keys that are not strings, complex numbers, infinities. A
value that JSON has is itself; any other is an object with one key that names its kind. Nothing is ever rebuilt from a
class name: what comes out of `decode` is made of builtin types only, with their own `==`, whatever sent it.
"""

from __future__ import annotations

import base64
import importlib
import math
import re
from collections import deque
from collections.abc import Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from types import GeneratorType
from typing import Any, Protocol

MAX_DEPTH = 400
MAX_NODES = 2_000_000
MAX_FRACTION_BITS = 65_536  # what is reduced to lowest terms in quadratic time must be small

NUMPY_TYPE = re.compile(r"[<>|=][biufcUS]\d+")


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


class References(Protocol):
    """How values that are not plain travel between two that talk with each other: by reference."""

    def known(self, value: Any) -> Any:
        """The encoding of a value that is the other side's, None for any other."""

    def refer(self, value: Any) -> Any:
        """The encoding of a value of ours that is not plain."""

    def take(self, kind: str, content: Any) -> Any:
        """What an encoding of `known` or `refer` stands for."""


def encode(value: Any, depth: int = 0, references: References | None = None) -> Any:
    """A value as what JSON has. Subclasses become their builtin base; numpy's arrays become lists, and so do iterators
    where nothing travels by reference. Raises NotPlain.
    """
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
        return [encode(item, depth + 1, references) for item in value]
    if kind is tuple:
        return {"tuple": [encode(item, depth + 1, references) for item in value]}
    if kind is dict:
        return _encode_mapping(value, depth, references)
    return _encode_other(value, depth, references)


def _encode_mapping(value: dict[Any, Any], depth: int, references: References | None) -> dict[str, Any]:
    pairs = dict.items(value)
    return {"dict": [[encode(key, depth + 1, references), encode(item, depth + 1, references)] for key, item in pairs]}


def _encode_other(value: Any, depth: int, references: References | None) -> Any:
    if references is not None and (known := references.known(value)) is not None:
        return known
    if isinstance(value, set | frozenset):
        items = set.union(set(), value)  # through the builtin, whatever the subclass has replaced
        kind = "frozenset" if isinstance(value, frozenset) else "set"
        return {kind: sorted((encode(item, depth + 1, references) for item in items), key=repr)}
    if isinstance(value, bytes | bytearray):
        return {"bytes": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, complex):
        return {"complex": [repr(value.real), repr(value.imag)]}
    if isinstance(value, Fraction) and max(map(int.bit_length, value.as_integer_ratio())) <= MAX_FRACTION_BITS:
        return {"fraction": [hex(value.numerator), hex(value.denominator)]}
    if isinstance(value, Decimal):
        return {"decimal": Decimal.__str__(value)}
    for base, plain in _BASES:
        if isinstance(value, base):
            return encode(plain(value), depth, references)
    return _encode_shaped(value, depth, references)


def _encode_shaped(value: Any, depth: int, references: References | None) -> Any:
    """What is known by its shape: iterators, numpy's arrays and scalars, the nodes of lists and trees."""
    if isinstance(value, range):
        return {"range": [value.start, value.stop, value.step]}
    if isinstance(value, deque) or type(value) in _VIEWS:
        items = [encode(item, depth + 1, references) for item in value]
        return {"deque": items} if isinstance(value, deque) else items
    if references is None and isinstance(value, Iterator | GeneratorType):
        return [encode(item, depth + 1) for item in value]
    if hasattr(value, "tolist") and type(value).__module__.partition(".")[0] == "numpy":
        items = encode(value.tolist(), depth, references)
        if references is not None and type(value).__name__ == "ndarray" and NUMPY_TYPE.fullmatch(value.dtype.str):
            return {"ndarray": [value.dtype.str, items]}
        return items
    if not isinstance(value, type) and hasattr(value, "val"):
        if hasattr(value, "next"):
            return encode(list_of(value), depth, references)
        if hasattr(value, "left") and hasattr(value, "right"):
            return encode(levels_of(value), depth, references)
    if references is not None:
        return references.refer(value)
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


def decode(value: Any, references: References | None = None) -> Any:
    """The value that `encode` was given, made of builtin types. Raises NotPlain."""
    if isinstance(value, list):
        return [decode(item, references) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        raise NotPlain("an object with other than one key")
    ((kind, content),) = value.items()
    try:
        if kind in _COLLECTIONS:
            return _COLLECTIONS[kind](decode(item, references) for item in content)
        if kind == "dict":
            return {_hashable(decode(key, references)): decode(item, references) for key, item in content}
        if references is not None and kind in REFERENCES:
            return references.take(kind, content)
        if references is not None and kind == "ndarray":
            return _array(content)
        return _DECODERS[kind](content)
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise NotPlain(f"not an encoded value: {error!r}") from error


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


def _array(content: Any) -> Any:
    kind, items = content
    if not NUMPY_TYPE.fullmatch(kind):
        raise ValueError("not an array of plain values")
    return importlib.import_module("numpy").array(decode(items), dtype=kind)


def _fraction(content: Any) -> Fraction:
    if max(map(len, content)) * 4 > MAX_FRACTION_BITS + 64:
        raise ValueError("a fraction of too large numbers")
    return Fraction(int(content[0], 16), int(content[1], 16))


REFERENCES = frozenset({"mine", "yours"})
_COLLECTIONS: dict[str, Any] = {
    "tuple": tuple,
    "set": lambda items: set(map(_hashable, items)),
    "frozenset": lambda items: frozenset(map(_hashable, items)),
    "deque": deque,
}
_DECODERS: dict[str, Any] = {
    "int": lambda content: int(content, 16),
    "float": float,
    "bytes": lambda content: base64.b64decode(content, validate=True),
    "complex": lambda content: complex(float(content[0]), float(content[1])),
    "fraction": _fraction,
    "decimal": Decimal,
    "range": lambda content: range(*map(int, content)),
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
