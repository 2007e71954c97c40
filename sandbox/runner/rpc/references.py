"""Encode objects that travel between a test and its program by reference, and copied values that are not builtin types.

Each side numbers the objects that it sends by reference and keeps them alive. The other side keeps one proxy per number
as long as the proxy is in use, so `is` works. A class is described when it is first used (`descriptions`).
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from decimal import Decimal
from fractions import Fraction
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, NoReturn, Protocol
from weakref import WeakValueDictionary

from sandbox.runner.rpc import codec, library_codec, library_names
from sandbox.runner.rpc.codec import UnsupportedValue
from sandbox.runner.rpc.coroutines import AsyncIteratorProxy, wrap_remote_coroutine
from sandbox.runner.rpc.exception_codec import ExceptionCodec
from sandbox.runner.rpc.function_proxies import FunctionProxy
from sandbox.runner.rpc.object_factories import PLAIN_VALUE_ATTRIBUTES
from sandbox.runner.rpc.object_proxies import ObjectProxy
from sandbox.runner.rpc.permissions import MOCK_MODULE
from sandbox.runner.rpc.proxies import GeneratorProxy, IteratorProxy, Proxy
from sandbox.runner.rpc.remote_classes import ClassPeer, build_class
from sandbox.runner.rpc.special_methods import BUILTIN_BASES, extract_builtin_value
from sandbox.runner.rpc.trust_policy import UNTRUSTED

MAX_NAME_CHARS = 1_000
_VALUE_TYPES = frozenset({set, frozenset, bytes, complex, range, Fraction, Decimal})
_ROUTINE_TYPES = (FunctionType, MethodType, BuiltinFunctionType, functools.partial, type(functools.cache(len)))


class ReferencePeer(ClassPeer, Protocol):
    """The peer of the side that owns the objects behind the proxies."""

    def fetch_description(self, number: int) -> dict[str, Any]:
        """Return the other side's description of one of its classes. Raises UnsupportedValue."""

    def note_path_object(self, value: Any) -> None:
        """Share the folder of an object that is sent by reference, if the object is a path."""


class ReferenceTable:
    """The objects of this side that the other side can refer to, and the proxies for objects of the other side."""

    keeps_arrays = True

    def __init__(self, peer: ReferencePeer, end_process: Callable[[str], NoReturn]) -> None:
        self._peer, self._trust = peer, peer.trust
        self.exceptions: ExceptionCodec = ExceptionCodec(self, peer.trust, end_process)
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._classes: dict[int, Any] = {}
        self._class_numbers: dict[int, int] = {}
        self._function_proxies: dict[int, Any] = {}
        self._object_proxies: WeakValueDictionary[int, Any] | None = None
        # The containers among the arguments of the call whose answer is being read.
        self.argument_containers: list[Any] = []

    # Encoding.

    def encode(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind in _VALUE_TYPES or (kind is FunctionType and value.__module__ in self._trust.own_modules):
            return None
        if isinstance(value, type):
            return self.encode_class(value)
        if issubclass(kind, Proxy):
            return {"yours": value._number}
        if issubclass(kind, BaseException):
            return {"raised": self.exceptions.encode(value)}
        if issubclass(kind, tuple) and isinstance(getattr(kind, "_fields", None), tuple):
            items = [codec.encode(item, depth + 1, self) for item in tuple.__iter__(value)]
            return {"record": [self.encode_class(kind), items]}
        if "enum" in sys.modules and isinstance(value, sys.modules["enum"].Enum):
            return {"enum": [self.encode_class(kind), value.name, codec.encode(value.value, depth + 1, self)]}
        encoded = library_codec.encode(value, depth, self)
        if encoded is not None:
            return encoded
        if issubclass(kind, BUILTIN_BASES) and self._trust.is_trusting and kind.__module__ in self._trust.own_modules:
            plain = codec.encode(extract_builtin_value(value), depth, self)
            return {"object": [self.get_number(value), self._encode_own_class(kind), plain]}
        if kind is re.Pattern and not self._trust.is_trusting and isinstance(value.pattern, str):
            return {"pattern": [value.pattern, value.flags]}
        if callable(value) and not issubclass(kind, ObjectProxy):
            return library_names.encode(value, self._trust)
        return None

    def encode_reference(self, value: Any, depth: int) -> Any:
        if isinstance(value, ModuleType):
            if self._trust.is_trusting:
                raise UnsupportedValue("a module is not a plain value")
            return {"global": [value.__name__, ""]}
        number = self.get_number(value)
        if isinstance(value, _ROUTINE_TYPES) or type(value).__name__ in _METHOD_TYPES:
            return {"function": [number, _get_name(value), _get_kind(value)]}
        module = type(value).__module__
        if module not in self._trust.own_modules and module != MOCK_MODULE:
            if isinstance(value, Coroutine):
                return {"coroutine": number}
            if isinstance(value, AsyncIterator):
                return {"async iterator": number}
            if isinstance(value, Iterator) and module in _ITERATOR_MODULES:
                return {"generator" if hasattr(value, "send") else "iterator": number}
        self._peer.note_path_object(value)
        return {"object": [number, self._encode_own_class(type(value))]}

    def encode_class(self, kind: type) -> Any:
        """Encode a class of this side, of the other side, or of a library that both sides have."""
        if id(kind) in self._class_numbers:
            return {"yours": self._class_numbers[id(kind)]}
        return library_names.encode(kind, self._trust) or self._encode_own_class(kind)

    def _encode_own_class(self, kind: type) -> Any:
        if id(kind) in self._class_numbers:
            return {"yours": self._class_numbers[id(kind)]}
        return {"class": [self.get_number(kind), kind.__name__[:MAX_NAME_CHARS]]}

    def get_number(self, value: Any) -> int:
        """Return the number of an object of this side; assign one if it has none."""
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._objects)
            self._objects.append(value)
        return number

    # Decoding.

    def decode(self, kind: str, content: Any) -> Any:
        decoder = _DECODERS.get(kind)
        return library_codec.decode(kind, content, self) if decoder is None else decoder(self, content)

    def _get_own_object(self, number: Any) -> Any:
        return self._objects[_check_number(number)]

    def _get_proxy(self, kind: Any, number: Any, *content: Any) -> Any:
        found = self._function_proxies.get(_check_number(number))
        if found is None:
            found = self._function_proxies[number] = kind(self._peer, number, *map(str, content))
        return found

    def get_class(self, content: Any) -> Any:
        number = _check_number(content[0])
        if number not in self._classes:
            description = self._peer.fetch_description(number)
            try:
                built = build_class(self._peer, number, description, lambda item: codec.decode(item, self))
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                raise UnsupportedValue(f"invalid class description: {error!r}") from error
            self.register_class(built, number)
        return self._classes[number]

    def register_class(self, built: Any, number: int) -> None:
        self._classes[number] = built
        self._class_numbers[id(built)] = number

    def _decode_object(self, content: Any) -> Any:
        number, kind, *plain = content
        built = codec.decode(kind, self)
        if plain and (self._trust.is_trusting or self._trust.get_level(built) == UNTRUSTED):
            return codec.decode(plain[0], self)
        if not (isinstance(built, type) and issubclass(built, ObjectProxy)):
            raise UnsupportedValue("the sender does not own the class of the object")
        if self._object_proxies is None:
            self._object_proxies = WeakValueDictionary()
        found = self._object_proxies.get(_check_number(number))
        if found is None:
            found = object.__new__(built)
            Proxy.__init__(found, self._peer, number)
            self._object_proxies[number] = found
        return found

    def _decode_enum_member(self, content: Any) -> Any:
        kind, name, value = content
        enumeration = codec.decode(kind, self)
        if not isinstance(enumeration, sys.modules["enum"].EnumMeta):
            raise UnsupportedValue("not an enum")
        members: Any = enumeration.__members__
        return members[name] if name in members else enumeration(codec.decode(value, self))

    def _decode_record(self, content: Any) -> Any:
        kind = codec.decode(content[0], self)
        items = [codec.decode(item, self) for item in content[1]]
        if not issubclass(kind, tuple) or len(items) != len(kind._fields):
            raise UnsupportedValue("not a named tuple")
        if any(
            field in PLAIN_VALUE_ATTRIBUTES and callable(item) for field, item in zip(kind._fields, items, strict=True)
        ):
            raise UnsupportedValue("a field of the named tuple replaces a method of a plain value")
        return tuple.__new__(kind, items)

    def _decode_pattern(self, content: Any) -> Any:
        if not self._trust.is_trusting:
            raise UnsupportedValue("a pattern is not a plain value")
        return re.compile(str(content[0]), int(content[1]))


_ITERATOR_MODULES = frozenset({"builtins", "itertools", "collections", "functools"})
_DECODERS: dict[str, Callable[[ReferenceTable, Any], Any]] = {
    "yours": ReferenceTable._get_own_object,
    "part": lambda self, number: self.argument_containers[_check_number(number)],
    "function": lambda self, content: self._get_proxy(FunctionProxy, *content),
    "iterator": lambda self, number: self._get_proxy(IteratorProxy, number),
    "generator": lambda self, number: self._get_proxy(GeneratorProxy, number),
    "coroutine": lambda self, number: wrap_remote_coroutine(self._peer, self._get_proxy(Proxy, number)),
    "async iterator": lambda self, number: self._get_proxy(AsyncIteratorProxy, number),
    "class": ReferenceTable.get_class,
    "object": ReferenceTable._decode_object,
    "raised": lambda self, content: self.exceptions.decode(content),
    "enum": ReferenceTable._decode_enum_member,
    "record": ReferenceTable._decode_record,
    "global": lambda self, content: library_names.decode(content, self._trust),
    "pattern": ReferenceTable._decode_pattern,
}
_METHOD_TYPES = frozenset({"method_descriptor", "wrapper_descriptor", "method-wrapper", "classmethod_descriptor"})


def _check_number(number: Any) -> int:
    if type(number) is not int or number < 0:
        raise LookupError("invalid object number")
    return number


def _get_name(function: Any) -> str:
    name = getattr(function, "__name__", None)
    return name[:MAX_NAME_CHARS] if isinstance(name, str) else type(function).__name__


def _get_kind(function: Any) -> str:
    if isinstance(function, FunctionType):
        return "function"
    if isinstance(function, MethodType):
        return "method"
    return "builtin" if isinstance(function, BuiltinFunctionType) else "callable"
