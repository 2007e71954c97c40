"""What travels between a test and its program by reference, and what is copied though it is no builtin value.

Each side numbers the objects that it refers to and keeps them. The other side has one stand-in for a number as long as
it uses it, so `is` holds. A class is described when it is first met (`descriptions`).
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

from sandbox.runner import descriptions, library_values, values
from sandbox.runner.coroutines import RemoteAsyncIterator, remote_coroutine
from sandbox.runner.permissions import MOCK
from sandbox.runner.remotes import (
    PLAIN_ATTRIBUTES,
    STRANGER,
    Remote,
    RemoteFunction,
    RemoteGenerator,
    RemoteIterator,
    RemoteObject,
)
from sandbox.runner.source_names import NUMERIC
from sandbox.runner.specials import BUILTIN_BASES, plain_base
from sandbox.runner.values import NotPlain

if TYPE_CHECKING:
    from sandbox.runner.peers import Peer

MAX_NAME = 1_000
LIBRARIES = sys.stdlib_module_names | NUMERIC
_VALUES = frozenset({set, frozenset, bytes, complex, range, Fraction, Decimal})
_ROUTINES = (FunctionType, MethodType, BuiltinFunctionType, functools.partial, type(functools.cache(len)))
# Builtins that a program may hand to its test as they are: they compute, and reach nothing.
_SAFE_BUILTINS = frozenset(
    {"abs", "all", "any", "ascii", "bin", "callable", "chr", "divmod", "format", "hash", "hex", "isinstance"}
    | {"issubclass", "iter", "len", "max", "min", "next", "oct", "ord", "pow", "repr", "round", "sorted", "sum"}
)
_SAFE_MODULES = frozenset({"builtins", "collections", "datetime", "decimal", "fractions", "uuid", "pathlib", "types"})


class References:
    """One side's objects that the other may name, and its stand-ins for the other's."""

    keeps_arrays = True

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._classes: dict[int, Any] = {}
        self._class_numbers: dict[int, int] = {}
        self._functions: dict[int, Any] = {}
        self._stand_ins: WeakValueDictionary[int, Any] | None = None
        self.parts: list[Any] = []  # the containers among the arguments of the call whose answer is being read

    # Encoding.

    def encode(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind in _VALUES or (kind is FunctionType and value.__module__ in self._peer.own_modules):
            return None
        if isinstance(value, type):
            return self.encode_class(value)
        if issubclass(kind, Remote):
            return {"yours": value._number}
        if issubclass(kind, BaseException):
            return {"raised": self._peer.errors.encode(value)}
        if issubclass(kind, tuple) and isinstance(getattr(kind, "_fields", None), tuple):
            items = [values.encode(item, depth + 1, self) for item in tuple.__iter__(value)]
            return {"record": [self.encode_class(kind), items]}
        if "enum" in sys.modules and isinstance(value, sys.modules["enum"].Enum):
            return {"enum": [self.encode_class(kind), value.name, values.encode(value.value, depth + 1, self)]}
        encoded = library_values.encode(value, depth, self)
        if encoded is not None:
            return encoded
        if issubclass(kind, BUILTIN_BASES) and self._peer.trusting and kind.__module__ in self._peer.own_modules:
            plain = values.encode(plain_base(value), depth, self)
            return {"object": [self.number_of(value), self._own_class(kind), plain]}
        if kind is re.Pattern and not self._peer.trusting and isinstance(value.pattern, str):
            return {"pattern": [value.pattern, value.flags]}
        return self._encode_global(value) if callable(value) and not issubclass(kind, RemoteObject) else None

    def refer(self, value: Any, depth: int) -> Any:
        if isinstance(value, ModuleType):
            if self._peer.trusting:
                raise NotPlain("a module is not a plain value")
            return {"global": [value.__name__, ""]}
        number = self.number_of(value)
        if isinstance(value, _ROUTINES) or type(value).__name__ in _METHOD_TYPES:
            return {"function": [number, _name_of(value), _kind_of(value)]}
        module = type(value).__module__
        if module not in self._peer.own_modules and module != MOCK:
            if isinstance(value, Coroutine):
                return {"coroutine": number}
            if isinstance(value, AsyncIterator):
                return {"async iterator": number}
            if isinstance(value, Iterator) and module in _ITERATORS:
                return {"generator" if hasattr(value, "send") else "iterator": number}
        self._peer.mention(value)
        return {"object": [number, self._own_class(type(value))]}

    def encode_class(self, kind: type) -> Any:
        """Encode a class: the other side's own, one of a library that both have, or one of ours."""
        if id(kind) in self._class_numbers:
            return {"yours": self._class_numbers[id(kind)]}
        return self._encode_global(kind) or self._own_class(kind)

    def _own_class(self, kind: type) -> Any:
        if id(kind) in self._class_numbers:
            return {"yours": self._class_numbers[id(kind)]}
        return {"class": [self.number_of(kind), kind.__name__[:MAX_NAME]]}

    def is_shared(self, kind: type) -> bool:
        """Whether the other side need not know a base class: a library's, whose methods count as the derived one's."""
        return kind.__module__.partition(".")[0] in LIBRARIES and not issubclass(kind, BaseException)

    def _encode_global(self, value: Any) -> Any:
        """Encode a class or a function of the standard library that both sides have."""
        if isinstance(value, type) and value in _UNNAMED:
            return {"global": ["types", _UNNAMED[value]]}
        module = getattr(value, "__module__", None) or getattr(getattr(value, "__objclass__", None), "__module__", None)
        name = getattr(value, "__qualname__", None)
        if not (isinstance(module, str) and isinstance(name, str)) or isinstance(value, MethodType):
            return None
        if module.partition(".")[0] not in LIBRARIES or not self._may_share(module, name):
            return None
        return {"global": [module, name]} if _found(sys.modules.get(module), name) is value else None

    def _may_share(self, module: str, name: str) -> bool:
        if not self._peer.trusting:
            return module not in self._peer.own_modules
        if module == "builtins" and not isinstance(_found(builtins, name), type):
            return name in _SAFE_BUILTINS
        return module in _SAFE_MODULES and isinstance(_found(sys.modules.get(module), name), type)

    def number_of(self, value: Any) -> int:
        """Return the number of an object of ours; it gets one where it has none."""
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._objects)
            self._objects.append(value)
        return number

    # Decoding.

    def decode(self, kind: str, content: Any) -> Any:
        decoder = _DECODERS.get(kind)
        return library_values.decode(kind, content, self) if decoder is None else decoder(self, content)

    def _own(self, number: Any) -> Any:
        return self._objects[_index(number)]

    def _stand_in(self, kind: Any, number: Any, *content: Any) -> Any:
        found = self._functions.get(_index(number))
        if found is None:
            found = self._functions[number] = kind(self._peer, number, *map(str, content))
        return found

    def class_of(self, content: Any) -> Any:
        number = _index(content[0])
        if number not in self._classes:
            described = self._peer.describe(number)
            try:
                built = descriptions.build_class(self._peer, number, described, lambda item: values.decode(item, self))
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                raise NotPlain(f"not a class: {error!r}") from error
            self.register_class(built, number)
        return self._classes[number]

    def register_class(self, built: Any, number: int) -> None:
        self._classes[number] = built
        self._class_numbers[id(built)] = number

    def _object(self, content: Any) -> Any:
        number, kind, *plain = content
        built = values.decode(kind, self)
        if plain and (self._peer.trusting or self._peer.level(built) == STRANGER):
            return values.decode(plain[0], self)
        if not (isinstance(built, type) and issubclass(built, RemoteObject)):
            raise NotPlain("an object of a class that is not its sender's")
        if self._stand_ins is None:
            self._stand_ins = WeakValueDictionary()
        found = self._stand_ins.get(_index(number))
        if found is None:
            found = object.__new__(built)
            Remote.__init__(found, self._peer, number)
            self._stand_ins[number] = found
        return found

    def _enum_member(self, content: Any) -> Any:
        kind, name, value = content
        enumeration = values.decode(kind, self)
        if not isinstance(enumeration, sys.modules["enum"].EnumMeta):
            raise NotPlain("not an enumeration")
        members: Any = enumeration.__members__
        return members[name] if name in members else enumeration(values.decode(value, self))

    def _record(self, content: Any) -> Any:
        kind = values.decode(content[0], self)
        items = [values.decode(item, self) for item in content[1]]
        if not issubclass(kind, tuple) or len(items) != len(kind._fields):
            raise NotPlain("not a named tuple")
        if any(field in PLAIN_ATTRIBUTES and callable(item) for field, item in zip(kind._fields, items, strict=True)):
            raise NotPlain("a named tuple with a method of a plain value")
        return tuple.__new__(kind, items)

    def _global(self, content: Any) -> Any:
        module, name = map(str, content)
        if self._peer.trusting:
            return _found(importlib.import_module(module), name)
        if module in _SAFE_MODULES:
            found = _found(importlib.import_module(module), name)
            if isinstance(found, type):  # no class that the module has only imported, such as `types.CodeType`
                is_its_own = found.__module__ == module or found in _UNNAMED
            else:
                is_its_own = module == "builtins" and name in _SAFE_BUILTINS
            if is_its_own:
                return found
        raise NotPlain(f"{module}.{name} is not a plain value")

    def _pattern(self, content: Any) -> Any:
        if not self._peer.trusting:
            raise NotPlain("a pattern is not a plain value")
        return re.compile(str(content[0]), int(content[1]))


# Classes that no module has under their own name.
_UNNAMED: dict[Any, str] = {
    type(None): "NoneType",
    type(...): "EllipsisType",
    type(NotImplemented): "NotImplementedType",
}
_UNNAMED |= {FunctionType: "FunctionType", BuiltinFunctionType: "BuiltinFunctionType", MethodType: "MethodType"}
_ITERATORS = frozenset({"builtins", "itertools", "collections", "functools"})
_DECODERS: dict[str, Callable[[References, Any], Any]] = {
    "yours": References._own,
    "part": lambda self, number: self.parts[_index(number)],
    "function": lambda self, content: self._stand_in(RemoteFunction, *content),
    "iterator": lambda self, number: self._stand_in(RemoteIterator, number),
    "generator": lambda self, number: self._stand_in(RemoteGenerator, number),
    "coroutine": lambda self, number: remote_coroutine(self._peer, self._stand_in(Remote, number)),
    "async iterator": lambda self, number: self._stand_in(RemoteAsyncIterator, number),
    "class": References.class_of,
    "object": References._object,
    "raised": lambda self, content: self._peer.errors.decode(content),
    "enum": References._enum_member,
    "record": References._record,
    "global": References._global,
    "pattern": References._pattern,
}
_METHOD_TYPES = frozenset({"method_descriptor", "wrapper_descriptor", "method-wrapper", "classmethod_descriptor"})


def _index(number: Any) -> int:
    if type(number) is not int or number < 0:
        raise LookupError("not a number of an object")
    return number


def _found(module: Any, name: str) -> Any:
    """What a dotted name is in a module; None where it is nothing."""
    found = module
    for part in name.split(".") if name else ():
        found = getattr(found, part, None)
    return found


def _name_of(function: Any) -> str:
    name = getattr(function, "__name__", None)
    return name[:MAX_NAME] if isinstance(name, str) else type(function).__name__


def _kind_of(function: Any) -> str:
    if isinstance(function, FunctionType):
        return "function"
    if isinstance(function, MethodType):
        return "method"
    return "builtin" if isinstance(function, BuiltinFunctionType) else "callable"
