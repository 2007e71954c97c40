"""Encode plain Python values as JSON without loss, for calls between boxes.

JSON alone loses distinctions that Python makes: tuples, sets, bytes, keys that are not strings, complex numbers,
infinities. A value that JSON supports is written unchanged; any other becomes an object with one key that names its
kind. Nothing is ever rebuilt from a class name. The result of `decode` consists of builtin types only, with their own
`==`, no matter who sent it.

Two connected RPC peers send more: values of the standard library (`library_codec`) and references to objects that
cannot be copied (`references`). They pass a `ReferenceCodec` that encodes these.
"""

from __future__ import annotations

import base64
import importlib
import math
import re
from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from types import GeneratorType
from typing import Any, Protocol

MAX_DEPTH = 400
# longer ones travel as hexadecimal: decimal conversion takes quadratic time and is limited to 4,300 digits
MAX_INT_BITS = 8_192
MAX_FRACTION_BITS = 65_536  # reducing to lowest terms takes quadratic time, so the numbers must be small

NUMPY_DTYPE = re.compile(r"[<>|=][biufcUS]\d+")
LARGE_INT = 1 << (MAX_INT_BITS - 1)
_UNCHANGED_TYPES = frozenset({str, bool, type(None)})
_JSON_SCALARS = frozenset({str, bool, type(None), int, float})


class UnsupportedValue(Exception):
    """Raised for a value that contains unsupported types or is nested too deeply, or for invalid encoded data."""


class ReferenceCodec(Protocol):
    """Encodes values that are not made of builtin types, for two connected peers."""

    keeps_arrays: bool  # whether numpy arrays stay arrays

    def encode(self, value: Any, depth: int) -> Any:
        """Encode a value that has a special encoding; return None for any other value."""

    def encode_reference(self, value: Any, depth: int) -> Any:
        """Encode a value whose type does not derive from a builtin type. Raises UnsupportedValue."""

    def decode(self, kind: str, content: Any) -> Any:
        """Decode what `encode` or `encode_reference` of the other side returned. Raises UnsupportedValue."""


def encode(value: Any, depth: int = 0, references: ReferenceCodec | None = None) -> Any:
    """Convert a value to types that JSON supports. `depth` is the current nesting depth. Raises UnsupportedValue.

    An instance of a subclass is converted to its builtin base type. Numpy arrays become lists. Iterators become lists
    too, unless `references` is given.
    """
    if value is None or value is True or value is False:
        return value
    if depth > MAX_DEPTH:
        raise UnsupportedValue(f"the value is nested more than {MAX_DEPTH} levels deep")
    kind = type(value)
    if kind is str:
        return value
    if kind is int:
        return value if value.bit_length() < MAX_INT_BITS else {"int": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if kind is list:
        return value if _is_json(value) else [encode(item, depth + 1, references) for item in value]
    if kind is tuple:
        return {"tuple": [*value] if _is_json(value) else [encode(item, depth + 1, references) for item in value]}
    if kind is dict:
        return {"dict": encode_pairs(value, depth, references)}
    return _encode_other(value, depth, references)


def _is_json(items: list[Any] | tuple[Any, ...]) -> bool:
    """Return whether all items can be written to JSON unchanged. The check is fast for a list of a single type."""
    kinds = set(map(type, items))
    if kinds <= _UNCHANGED_TYPES:
        return True
    if kinds == {int}:
        return bool(max(abs(min(items)), max(items)) < LARGE_INT)
    return kinds == {float} and all(map(math.isfinite, items))


def encode_pairs(value: Any, depth: int, references: ReferenceCodec | None) -> list[Any]:
    """Encode a mapping's keys and values, read through the builtin type's methods even if a subclass overrides them."""
    pairs = dict.items(value)
    return [[encode(key, depth + 1, references), encode(item, depth + 1, references)] for key, item in pairs]


def _encode_other(value: Any, depth: int, references: ReferenceCodec | None) -> Any:
    if references is not None and (encoded := references.encode(value, depth)) is not None:
        return encoded
    if isinstance(value, set | frozenset):
        items = set.union(set(), value)  # through the builtin method, whatever the subclass overrides
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
    for base, plain in _BUILTIN_BASES:
        if isinstance(value, base):
            return encode(plain(value), depth, references)
    return _encode_equivalent(value, depth, references)


def _encode_equivalent(value: Any, depth: int, references: ReferenceCodec | None) -> Any:
    """Encode values with a builtin equivalent but no builtin base: ranges, deques, views, numpy arrays and scalars."""
    if isinstance(value, range):
        return {"range": [value.start, value.stop, value.step]}
    if isinstance(value, deque) or type(value) in _VIEW_TYPES:
        items = [encode(item, depth + 1, references) for item in value]
        return {"deque": items} if isinstance(value, deque) else items
    if not isinstance(value, type) and type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist"):
        items = encode(value.tolist(), depth, references)
        keeps = references is not None and references.keeps_arrays
        if keeps and type(value).__name__ == "ndarray" and NUMPY_DTYPE.fullmatch(value.dtype.str):
            return {"ndarray": [value.dtype.str, items, list(value.shape)]}
        return items
    if references is not None:
        return references.encode_reference(value, depth)
    if isinstance(value, Iterator | GeneratorType):
        return [encode(item, depth + 1) for item in value]
    raise UnsupportedValue(f"a {type(value).__name__} is not a plain value")


_VIEW_TYPES: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))
# Uses the builtin's own iterator and value, never a method that the subclass may override.
_BUILTIN_BASES: tuple[tuple[type, Any], ...] = (
    (str, lambda value: str.__str__(value)),
    (int, lambda value: int.__int__(value)),
    (float, lambda value: float.__float__(value)),
    (list, lambda value: [*list.__iter__(value)]),
    (tuple, lambda value: (*tuple.__iter__(value),)),
    (dict, lambda value: {**dict(dict.items(value))}),
)


def decode(value: Any, references: ReferenceCodec | None = None) -> Any:
    """Decode a value that `encode` returned. The result consists of builtin types. Raises UnsupportedValue."""
    if isinstance(value, list):
        return value if _JSON_SCALARS.issuperset(map(type, value)) else [decode(item, references) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        raise UnsupportedValue("an encoded object must have exactly one key")
    ((kind, content),) = value.items()
    try:
        if kind in _COLLECTIONS:
            return _COLLECTIONS[kind]([decode(item, references) for item in content])
        if kind == "dict":
            return {_make_hashable(decode(key, references)): decode(item, references) for key, item in content}
        if kind in _DECODERS:
            return _DECODERS[kind](content)
        if references is not None:
            return _decode_array(content) if kind == "ndarray" else references.decode(kind, content)
        raise UnsupportedValue(f"unknown kind of value: {kind:.100}")
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise UnsupportedValue(f"invalid encoded value: {error!r}") from error


def _make_hashable(value: Any) -> Any:
    return tuple(map(_make_hashable, value)) if isinstance(value, list) else value


def _check_distinct(found: Any, items: list[Any]) -> Any:
    if len(found) != len(items):
        raise ValueError("a set contains an item twice")
    return found


def _decode_array(content: Any) -> Any:
    kind, items, shape = content
    if not NUMPY_DTYPE.fullmatch(kind):
        raise ValueError("the array does not hold plain values")
    return importlib.import_module("numpy").array(decode(items), dtype=kind).reshape(shape)


def _decode_fraction(content: Any) -> Fraction:
    if max(map(len, content)) * 4 > MAX_FRACTION_BITS + 64:
        raise ValueError("the numbers of a fraction are too large")
    return Fraction(int(content[0], 16), int(content[1], 16))


_COLLECTIONS: dict[str, Any] = {
    "tuple": tuple,
    "set": lambda items: _check_distinct(set(map(_make_hashable, items)), items),
    "frozenset": lambda items: _check_distinct(frozenset(map(_make_hashable, items)), items),
    "deque": deque,
}
_DECODERS: dict[str, Any] = {
    "int": lambda content: int(content, 16),
    "float": float,
    "bytes": lambda content: base64.b64decode(content, validate=True),
    "complex": lambda content: complex(float(content[0]), float(content[1])),
    "fraction": _decode_fraction,
    "decimal": Decimal,
    "range": lambda content: range(*map(int, content)),
}
