"""Encode what travels between a test and its program by reference, and copied values beyond the builtin types.

Each side numbers the objects that it refers to and keeps them alive. The other side keeps one proxy per number for as
long as the proxy is used, so `is` works. A class is described when it is first used (`descriptions`).
"""

from __future__ import annotations

import builtins
import functools
import importlib
import re
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from decimal import Decimal
from fractions import Fraction
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from sandbox.runner.rpc import codec, descriptions, library_codec
from sandbox.runner.rpc.codec import UnsupportedValue
from sandbox.runner.rpc.coroutines import AsyncIteratorProxy, wrap_remote_coroutine
from sandbox.runner.rpc.permissions import MOCK_MODULE
from sandbox.runner.rpc.proxies import (
    PLAIN_VALUE_ATTRIBUTES,
    UNTRUSTED,
    FunctionProxy,
    GeneratorProxy,
    IteratorProxy,
    ObjectProxy,
    Proxy,
)
from sandbox.runner.rpc.source_names import NUMERIC_PACKAGES
from sandbox.runner.rpc.special_methods import BUILTIN_BASES, extract_builtin_value

if TYPE_CHECKING:
    from sandbox.runner.rpc.rpc_peer import RpcPeer

MAX_NAME_CHARS = 1_000
LIBRARY_MODULES = sys.stdlib_module_names | NUMERIC_PACKAGES
_VALUE_TYPES = frozenset({set, frozenset, bytes, complex, range, Fraction, Decimal})
_ROUTINE_TYPES = (FunctionType, MethodType, BuiltinFunctionType, functools.partial, type(functools.cache(len)))
# Builtins that a program may pass to its test directly: they only compute and give access to nothing.
_SAFE_BUILTINS = frozenset(
    {"abs", "all", "any", "ascii", "bin", "callable", "chr", "divmod", "format", "hash", "hex", "isinstance"}
    | {"issubclass", "iter", "len", "max", "min", "next", "oct", "ord", "pow", "repr", "round", "sorted", "sum"}
)
_SAFE_MODULES = frozenset({"builtins", "collections", "datetime", "decimal", "fractions", "uuid", "pathlib", "types"})


class ReferenceTable:
    """The objects of one side that the other can refer to, and the proxies for those of the other side."""

    keeps_arrays = True

    def __init__(self, peer: RpcPeer) -> None:
        self._peer = peer
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._classes: dict[int, Any] = {}
        self._class_numbers: dict[int, int] = {}
        self._function_proxies: dict[int, Any] = {}
        self._object_proxies: WeakValueDictionary[int, Any] | None = None
        self.argument_containers: list[
            Any
        ] = []  # the containers among the arguments of the call whose answer is being read

    # Encoding.

    def encode(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind in _VALUE_TYPES or (kind is FunctionType and value.__module__ in self._peer.own_modules):
            return None
        if isinstance(value, type):
            return self.encode_class(value)
        if issubclass(kind, Proxy):
            return {"yours": value._number}
        if issubclass(kind, BaseException):
            return {"raised": self._peer.exception_codec.encode(value)}
        if issubclass(kind, tuple) and isinstance(getattr(kind, "_fields", None), tuple):
            items = [codec.encode(item, depth + 1, self) for item in tuple.__iter__(value)]
            return {"record": [self.encode_class(kind), items]}
        if "enum" in sys.modules and isinstance(value, sys.modules["enum"].Enum):
            return {"enum": [self.encode_class(kind), value.name, codec.encode(value.value, depth + 1, self)]}
        encoded = library_codec.encode(value, depth, self)
        if encoded is not None:
            return encoded
        if issubclass(kind, BUILTIN_BASES) and self._peer.is_trusting and kind.__module__ in self._peer.own_modules:
            plain = codec.encode(extract_builtin_value(value), depth, self)
            return {"object": [self.get_number(value), self._encode_own_class(kind), plain]}
        if kind is re.Pattern and not self._peer.is_trusting and isinstance(value.pattern, str):
            return {"pattern": [value.pattern, value.flags]}
        return self._encode_global(value) if callable(value) and not issubclass(kind, ObjectProxy) else None

    def encode_reference(self, value: Any, depth: int) -> Any:
        if isinstance(value, ModuleType):
            if self._peer.is_trusting:
                raise UnsupportedValue("a module is not a plain value")
            return {"global": [value.__name__, ""]}
        number = self.get_number(value)
        if isinstance(value, _ROUTINE_TYPES) or type(value).__name__ in _METHOD_TYPES:
            return {"function": [number, _get_name(value), _get_kind(value)]}
        module = type(value).__module__
        if module not in self._peer.own_modules and module != MOCK_MODULE:
            if isinstance(value, Coroutine):
                return {"coroutine": number}
            if isinstance(value, AsyncIterator):
                return {"async iterator": number}
            if isinstance(value, Iterator) and module in _ITERATOR_MODULES:
                return {"generator" if hasattr(value, "send") else "iterator": number}
        self._peer.note_path_object(value)
        return {"object": [number, self._encode_own_class(type(value))]}

    def encode_class(self, kind: type) -> Any:
        """Encode a class: one of the other side, one of a library that both sides have, or one of this side."""
        if id(kind) in self._class_numbers:
            return {"yours": self._class_numbers[id(kind)]}
        return self._encode_global(kind) or self._encode_own_class(kind)

    def _encode_own_class(self, kind: type) -> Any:
        if id(kind) in self._class_numbers:
            return {"yours": self._class_numbers[id(kind)]}
        return {"class": [self.get_number(kind), kind.__name__[:MAX_NAME_CHARS]]}

    def is_shared(self, kind: type) -> bool:
        """Return whether the other side can skip a base class: one of a library, whose methods count as the derived
        class's.
        """
        return kind.__module__.partition(".")[0] in LIBRARY_MODULES and not issubclass(kind, BaseException)

    def _encode_global(self, value: Any) -> Any:
        """Encode a class or function of the standard library that both sides have."""
        if isinstance(value, type) and value in _UNNAMED_CLASSES:
            return {"global": ["types", _UNNAMED_CLASSES[value]]}
        module = getattr(value, "__module__", None) or getattr(getattr(value, "__objclass__", None), "__module__", None)
        name = getattr(value, "__qualname__", None)
        if not (isinstance(module, str) and isinstance(name, str)) or isinstance(value, MethodType):
            return None
        if module.partition(".")[0] not in LIBRARY_MODULES or not self._may_share(module, name):
            return None
        return {"global": [module, name]} if _look_up(sys.modules.get(module), name) is value else None

    def _may_share(self, module: str, name: str) -> bool:
        if not self._peer.is_trusting:
            return module not in self._peer.own_modules
        if module == "builtins" and not isinstance(_look_up(builtins, name), type):
            return name in _SAFE_BUILTINS
        return module in _SAFE_MODULES and isinstance(_look_up(sys.modules.get(module), name), type)

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
                built = descriptions.build_class(self._peer, number, description, lambda item: codec.decode(item, self))
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
        if plain and (self._peer.is_trusting or self._peer.get_trust_level(built) == UNTRUSTED):
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

    def _decode_global(self, content: Any) -> Any:
        module, name = map(str, content)
        if self._peer.is_trusting:
            return _look_up(importlib.import_module(module), name)
        if module in _SAFE_MODULES:
            found = _look_up(importlib.import_module(module), name)
            if isinstance(found, type):  # excludes classes that the module only imports, such as `types.CodeType`
                is_its_own = found.__module__ == module or found in _UNNAMED_CLASSES
            else:
                is_its_own = module == "builtins" and name in _SAFE_BUILTINS
            if is_its_own:
                return found
        raise UnsupportedValue(f"{module}.{name} is not a plain value")

    def _decode_pattern(self, content: Any) -> Any:
        if not self._peer.is_trusting:
            raise UnsupportedValue("a pattern is not a plain value")
        return re.compile(str(content[0]), int(content[1]))


# Classes that no module exposes under their own name.
_UNNAMED_CLASSES: dict[Any, str] = {
    type(None): "NoneType",
    type(...): "EllipsisType",
    type(NotImplemented): "NotImplementedType",
}
_UNNAMED_CLASSES |= {FunctionType: "FunctionType", BuiltinFunctionType: "BuiltinFunctionType", MethodType: "MethodType"}
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
    "raised": lambda self, content: self._peer.exception_codec.decode(content),
    "enum": ReferenceTable._decode_enum_member,
    "record": ReferenceTable._decode_record,
    "global": ReferenceTable._decode_global,
    "pattern": ReferenceTable._decode_pattern,
}
_METHOD_TYPES = frozenset({"method_descriptor", "wrapper_descriptor", "method-wrapper", "classmethod_descriptor"})


def _check_number(number: Any) -> int:
    if type(number) is not int or number < 0:
        raise LookupError("invalid object number")
    return number


def _look_up(module: Any, name: str) -> Any:
    """Look up a dotted name in a module; return None if it is undefined."""
    found = module
    for part in name.split(".") if name else ():
        found = getattr(found, part, None)
    return found


def _get_name(function: Any) -> str:
    name = getattr(function, "__name__", None)
    return name[:MAX_NAME_CHARS] if isinstance(name, str) else type(function).__name__


def _get_kind(function: Any) -> str:
    if isinstance(function, FunctionType):
        return "function"
    if isinstance(function, MethodType):
        return "method"
    return "builtin" if isinstance(function, BuiltinFunctionType) else "callable"
