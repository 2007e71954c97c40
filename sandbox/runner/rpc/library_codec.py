"""Encode values of the standard library as JSON: dates, counters, paths and similar types.

They travel only between a test and its program. Each is rebuilt from builtin values by a constructor named in this
module. Its `==` is therefore that of the standard library, no matter who sent it. Subclasses that a program defines are
not supported here and travel as their builtin base type.
"""

from __future__ import annotations

import base64
import collections
import importlib
from collections.abc import Callable
from typing import Any

from sandbox.runner.rpc import codec
from sandbox.runner.rpc.codec import ReferenceCodec


def encode(value: Any, depth: int, references: ReferenceCodec) -> Any:
    """Encode a value of the standard library; return None for any other."""
    kind = type(value)
    name = _NAMES.get((kind.__module__, kind.__qualname__))
    if name is None or (name == "bounded_deque" and value.maxlen is None):
        return None
    return {name: _ENCODERS[name](value, lambda item: codec.encode(item, depth + 1, references))}


def decode(kind: str, content: Any, references: ReferenceCodec) -> Any:
    """Decode a value that `encode` returned.

    Raises LookupError for an unknown kind, and any error of the constructor.
    """
    return _DECODERS[kind](content, lambda item: codec.decode(item, references))


EncodeItem = Callable[[Any], Any]
DecodeItem = Callable[[Any], Any]


def _import_attribute(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def _encode_dict(value: Any, encode: EncodeItem) -> Any:
    return [[encode(key), encode(item)] for key, item in dict.items(value)]


def _encode_datetime(value: Any, encode: EncodeItem) -> Any:
    """Encode a date, a time or both as its fields, `fold` and the time zone."""
    fields = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    numbers = [getattr(value, name) for name in fields if hasattr(value, name)]
    return [numbers, value.fold, encode(value.tzinfo)]


def _build_datetime_decoder(name: str) -> Callable[[Any, DecodeItem], Any]:
    def decode_datetime(content: Any, decode: DecodeItem) -> Any:
        numbers, fold, zone = content
        return _import_attribute("datetime", name)(*map(int, numbers), tzinfo=decode(zone), fold=int(fold))

    return decode_datetime


def _encode_zone(value: Any, encode: EncodeItem) -> Any:
    offset, *name = value.__getinitargs__()
    return [encode(offset), *name]


def _build_text_decoder(module: str, name: str) -> Callable[[Any, DecodeItem], Any]:
    return lambda content, decode: _import_attribute(module, name)(str(content))


def _decode_defaultdict(content: Any, decode: DecodeItem) -> Any:
    factory, pairs = content
    return collections.defaultdict(decode(factory), _decode_pairs(pairs, decode))


def _build_wrapper_decoder(name: str) -> Callable[[Any, DecodeItem], Any]:
    return lambda content, decode: getattr(collections, name)(decode(content))


def _encode_buffer(value: Any, encode: EncodeItem) -> Any:
    return base64.b64encode(bytes(value)).decode()


def _build_buffer_decoder(kind: Callable[[bytes], Any]) -> Callable[[Any, DecodeItem], Any]:
    return lambda content, decode: kind(base64.b64decode(content, validate=True))


def _decode_pairs(content: Any, decode: DecodeItem) -> list[Any]:
    return [(decode(key), decode(item)) for key, item in content]


_DATETIME_CLASSES = ("datetime", "time")
_TEXT_CLASSES = {
    "uuid": ("UUID",),
    "pathlib": ("PurePosixPath", "PureWindowsPath", "PosixPath"),
    "ipaddress": ("IPv4Address", "IPv6Address", "IPv4Network", "IPv6Network", "IPv4Interface", "IPv6Interface"),
}
# For each class, by module and name: the function that encodes its values and the one that decodes them.
_CODECS: dict[tuple[str, str], tuple[Callable[[Any, EncodeItem], Any], Callable[[Any, DecodeItem], Any]]] = {
    ("collections", "Counter"): (
        _encode_dict,
        lambda content, decode: collections.Counter(dict(_decode_pairs(content, decode))),
    ),
    ("collections", "OrderedDict"): (
        _encode_dict,
        lambda content, decode: collections.OrderedDict(_decode_pairs(content, decode)),
    ),
    ("collections", "defaultdict"): (
        lambda value, encode: [encode(value.default_factory), _encode_dict(value, encode)],
        _decode_defaultdict,
    ),
    ("collections", "ChainMap"): (
        lambda value, encode: [encode(one) for one in value.maps],
        lambda content, decode: collections.ChainMap(*map(decode, content)),
    ),
    **{
        ("collections", name): (lambda value, encode: encode(value.data), _build_wrapper_decoder(name))
        for name in ("UserDict", "UserList", "UserString")
    },
    ("builtins", "dict_keys"): (
        lambda value, encode: encode([*value]),
        lambda content, decode: dict.fromkeys(decode(content)).keys(),
    ),
    ("builtins", "dict_values"): (
        lambda value, encode: encode([*value]),
        lambda content, decode: dict(enumerate(decode(content))).values(),
    ),
    ("builtins", "dict_items"): (
        lambda value, encode: encode([*value]),
        lambda content, decode: dict(decode(content)).items(),
    ),
    ("builtins", "mappingproxy"): (
        _encode_dict,
        lambda content, decode: _import_attribute("types", "MappingProxyType")(dict(_decode_pairs(content, decode))),
    ),
    ("collections", "deque"): (
        lambda value, encode: [encode([*value]), value.maxlen],
        lambda content, decode: collections.deque(decode(content[0]), content[1]),
    ),
    **{("builtins", kind.__name__): (_encode_buffer, _build_buffer_decoder(kind)) for kind in (bytearray, memoryview)},
    ("builtins", "slice"): (
        lambda value, encode: [encode(item) for item in (value.start, value.stop, value.step)],
        lambda content, decode: slice(*map(decode, content)),
    ),
    ("builtins", "ellipsis"): (lambda value, encode: 0, lambda content, decode: ...),
    ("builtins", "NotImplementedType"): (lambda value, encode: 0, lambda content, decode: NotImplemented),
    ("datetime", "date"): (
        lambda value, encode: [value.year, value.month, value.day],
        lambda content, decode: _import_attribute("datetime", "date")(*map(int, content)),
    ),
    ("datetime", "timedelta"): (
        lambda value, encode: [value.days, value.seconds, value.microseconds],
        lambda content, decode: _import_attribute("datetime", "timedelta")(*map(int, content)),
    ),
    ("datetime", "timezone"): (
        _encode_zone,
        lambda content, decode: _import_attribute("datetime", "timezone")(decode(content[0]), *map(str, content[1:])),
    ),
    ("zoneinfo", "ZoneInfo"): (lambda value, encode: value.key, _build_text_decoder("zoneinfo", "ZoneInfo")),
    ("array", "array"): (
        lambda value, encode: [value.typecode, value.tolist()],
        lambda content, decode: _import_attribute("array", "array")(str(content[0]), content[1]),
    ),
    **{("datetime", name): (_encode_datetime, _build_datetime_decoder(name)) for name in _DATETIME_CLASSES},
    **{
        (module, name): (lambda value, encode: str(value), _build_text_decoder(module, name))
        for module, names in _TEXT_CLASSES.items()
        for name in names
    },
}
_NAMES = {key: "bounded_deque" if key[1] == "deque" else key[1] for key in _CODECS}
_ENCODERS = {_NAMES[key]: pair[0] for key, pair in _CODECS.items()}
_DECODERS = {_NAMES[key]: pair[1] for key, pair in _CODECS.items()}
