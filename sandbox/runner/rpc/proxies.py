"""Proxies for objects, functions and classes of another process. Each use of a proxy asks the owner (`rpc_peer`).

A class of the program is also a class here, with the same special methods as the program's class. `callable`,
`isinstance`, `issubclass`, `hash` and the operators therefore give the same results as in a single process. A test may
derive from such a class.

How far the test trusts an object depends on the trust level of its class, because the program can return any object
with any `__eq__`:

- 0, untrusted: the test can hold the object, pass it back, print it, call it, enter it, compare it with other objects
  of the program, and use attributes that no plain value has. It cannot be used as a list or a number.
- 1, named: the test's source names the class in the style of a class (`Stack`, not `solve`). The program implements its
  operators and protocols, also with plain values. But `==` with a plain value is still False.
- 2, trusted: the test uses an attribute that no plain value has, `isinstance` or a subclass, or its source shows that
  it will (`object_factories`). The test expects an object of that class, and the program implements `==`.

The program trusts the test at level 2 from the start.
"""

from __future__ import annotations

import copyreg
import types
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from sandbox.runner.rpc.special_methods import BINARY_METHODS, CONVERSION_METHODS, SPECIAL_METHODS

if TYPE_CHECKING:
    from sandbox.runner.rpc.rpc_peer import RpcPeer

UNTRUSTED, NAMED, TRUSTED = 0, 1, 2
FUNCTION_CLASSES: dict[str, type] = {
    "function": types.FunctionType,
    "method": types.MethodType,
    "builtin": types.BuiltinFunctionType,
}
# The attributes that describe a function. Others are requested from its owner one by one.
METADATA = ("__name__", "__qualname__", "__doc__", "__module__", "__annotations__", "__defaults__", "__kwdefaults__")
# Special methods that work on an object of any class, even an untrusted one.
_UNGUARDED_METHODS = frozenset(
    {"__format__", "__bytes__", "__call__", "__enter__", "__get__", "__set__", "__set_name__"}
    | {"__aenter__", "__aiter__", "__anext__"}
)
_PLAIN_TYPES = (str, int, float, complex, bytes, list, tuple, dict, set, frozenset, range, type(None))
PLAIN_VALUE_ATTRIBUTES = frozenset(name for kind in _PLAIN_TYPES for name in dir(kind))


class Proxy:
    """A reference to an object of the other side."""

    __slots__ = ("__weakref__", "_number", "_peer")
    _peer: RpcPeer
    _number: int

    def __init__(self, peer: RpcPeer, number: int) -> None:
        object.__setattr__(self, "_peer", peer)
        object.__setattr__(self, "_number", number)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _restore, (keep_for_pickle(self._peer.operate("deepcopy", self)),)

    def __copy__(self) -> Any:
        return self._peer.operate("copy", self)

    def __deepcopy__(self, memo: Any) -> Any:
        return self._peer.operate("deepcopy", self)


class FunctionProxy(Proxy):
    """A function or a bound method."""

    __slots__ = ("_kind", "_lookup_names", "_metadata", "_name")
    _metadata: dict[str, Any] | None
    _lookup_names: tuple[str, ...]  # the names under which the test looked it up
    _kind: str
    _name: str

    def __init__(self, peer: RpcPeer, number: int, name: str, kind: str) -> None:
        super().__init__(peer, number)
        for attribute, value in (("_name", name), ("_kind", kind), ("_metadata", None), ("_lookup_names", ())):
            object.__setattr__(self, attribute, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        result = self._peer.operate("call", self, *args, **kwargs)
        if self._lookup_names:
            first = result[0] if type(result) in (list, tuple) and result else result
            if isinstance(type(first), ClassProxy) and self._peer.expects_objects_of(self._lookup_names):
                trust_class(type(first))
        return result

    def __getattr__(self, name: str) -> Any:
        if name in METADATA or name in {"__code__", "__signature__"}:
            about = self._metadata
            if about is None:
                about = self._peer.fetch_metadata(self)
                object.__setattr__(self, "_metadata", about)
            if name in about:
                return about[name]
            raise AttributeError(name)
        if name == "__dict__":
            return {}
        if name.startswith("__") and name not in {"__wrapped__", "__self__", "__func__"}:
            raise AttributeError(name)
        return self._peer.operate("getattr", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in METADATA or name == "__signature__":
            self.__getattr__("__name__")
            about = self._metadata
            assert about is not None
            about[name] = value
        elif not name.startswith("__"):
            self._peer.operate("setattr", self, name, value)

    def __delattr__(self, name: str) -> None:
        self._peer.operate("delattr", self, name)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None or self._kind != "function" else types.MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<function {self._name}>"

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return FUNCTION_CLASSES.get(self._kind, type(self))


class MethodProxy(FunctionProxy):
    """A method of a remote object. It is requested only when needed, because most methods are called at once."""

    __slots__ = ("_owner",)

    def __init__(self, owner: Any, name: str) -> None:
        for attribute, value in (
            ("_peer", owner._peer),
            ("_name", name),
            ("_kind", "method"),
            ("_metadata", None),
            ("_lookup_names", ()),
        ):
            object.__setattr__(self, attribute, value)
        object.__setattr__(self, "_owner", owner)

    @property
    def _number(self) -> int:  # type: ignore[override]
        found = self._peer.operate("getattr", self._owner, self._name)
        return int(found._number)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._peer.operate("method", self._owner, self._name, *args, **kwargs)


def _build_forwarding_property(name: str) -> Any:
    return property(lambda self: FunctionProxy.__getattr__(self, name))


# A class defines these attributes itself, and an instance would find those. Properties take precedence.
for _kind in (FunctionProxy, MethodProxy):
    for _name in ("__doc__", "__module__", "__annotations__"):
        setattr(_kind, _name, _build_forwarding_property(_name))


class IteratorProxy(Proxy):
    """An iterator. Once it has ended, it stays ended like Python's own, whatever its owner returns."""

    __slots__ = ("_ended",)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if getattr(self, "_ended", False):
            raise StopIteration
        try:
            return self._peer.operate("next", self)
        except StopIteration:
            self._ended = True
            raise


class GeneratorProxy(IteratorProxy):
    __slots__ = ()

    def send(self, value: Any) -> Any:
        return self._peer.operate("resume", self, "send", value)

    def throw(self, *raised: Any) -> Any:
        return self._peer.operate("resume", self, "throw", *raised)

    def close(self) -> None:
        self._peer.operate("resume", self, "close")

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return types.GeneratorType


class ClassProxy(type):
    """The metaclass for proxies of one class of the other side."""

    _class_peer: RpcPeer
    _class_number: int
    _trust_level: int
    _methods: frozenset[str]

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        if "_class_number" in namespace:
            return super().__new__(mcs, name, bases, namespace)
        return derive_class(mcs, name, bases, namespace, options)

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> None:
        super().__init__(name, bases, namespace)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return cls._class_peer.operate("call", cls, *args, **kwargs)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__") and name not in {"__signature__", "__wrapped__", "__members__", "__match_args__"}:
            raise AttributeError(name)
        if name == "__signature__":
            return cls._class_peer.fetch_metadata(cls)[name]
        cls._class_peer.check_attribute(cls, name)
        found = cls._class_peer.operate("getattr", cls, name)
        trust_class_by_attribute(cls, name)
        return found

    def __setattr__(cls, name: str, value: Any) -> None:
        if name.startswith("__abc") or name in {"__abstractmethods__", "__doc__", "__module__"}:
            super().__setattr__(name, value)
            return
        derived = cls.__dict__.get("_derived", False)
        if not name.startswith("__") or (derived and callable(value)):
            cls._class_peer.operate("setattr", cls, name, value)
        if derived or name in SPECIAL_METHODS:
            super().__setattr__(name, value)

    def __delattr__(cls, name: str) -> None:
        cls._class_peer.operate("delattr", cls, name)

    def __instancecheck__(cls, instance: Any) -> bool:
        trust_class(cls)
        return super().__instancecheck__(instance)

    def __getitem__(cls, key: Any) -> Any:
        return cls._class_peer.operate("getitem", cls, key)

    def __iter__(cls) -> Iterator[Any]:
        return iter(cls._class_peer.operate("iter", cls))

    def __contains__(cls, item: Any) -> bool:
        return bool(cls._class_peer.operate("contains", cls, item))

    def __len__(cls) -> int:
        return int(cls._class_peer.operate("len", cls))

    def __bool__(cls) -> bool:
        return True


def trust_class(kind: Any) -> None:
    """Trust a class fully. The test uses it as a class and therefore expects objects of the program."""
    type.__setattr__(kind, "_trust_level", TRUSTED)


def trust_class_by_attribute(kind: Any, name: str) -> None:
    """Trust a class if the test has used an attribute that no plain value has."""
    if name not in PLAIN_VALUE_ATTRIBUTES:
        trust_class(kind)


class ObjectProxy(Proxy):
    """An instance of a class of the other side. Its class is a proxy class that defines its special methods."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name == "__dict__":
            return self._peer.operate("vars", self)
        if name.startswith("__"):
            raise AttributeError(name)
        kind: Any = type(self)
        self._peer.check_attribute(kind, name)
        found = MethodProxy(self, name) if name in kind._methods else self._peer.operate("getattr", self, name)
        trust_class_by_attribute(kind, name)
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        self._peer.operate("setattr", self, name, value)
        trust_class_by_attribute(type(self), name)

    def __delattr__(self, name: str) -> None:
        self._peer.operate("delattr", self, name)

    def __eq__(self, other: object) -> Any:
        if isinstance(other, Proxy):
            asked = self._defines_eq or self._has_builtin_base
            return self._number == other._number or (asked and self._peer.operate("eq", self, other))
        level = self._peer.get_trust_level(type(self))
        if self._defines_eq:
            return self._peer.operate("eq", self, other) if level == TRUSTED else NotImplemented
        if self._has_builtin_base and level != UNTRUSTED:
            return bool(self._peer.operate("plain", self) == other)
        return NotImplemented

    def __ne__(self, other: object) -> Any:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    __hash__ = object.__hash__

    def __dir__(self) -> Any:
        return self._peer.operate("dir", self)

    def __repr__(self) -> str:
        return str(self._peer.operate("repr", self))

    def __str__(self) -> str:
        return str(self._peer.operate("str", self))

    _defines_eq = False  # whether the class defines its own ==
    _has_builtin_base = False  # whether the class has a builtin base, whose value can be requested
    _methods: frozenset[str] = frozenset()
    _trust_level = UNTRUSTED


def build_special_method(name: str, is_iterator: bool = False) -> Callable[..., Any]:
    """Build a method for a proxy class that forwards a special method."""
    if is_iterator and name in {"__iter__", "__next__"}:
        return lambda self: self._peer.operate("special", self, name)
    if name in BINARY_METHODS:
        return _build_binary_method(*BINARY_METHODS[name])
    if name in CONVERSION_METHODS:
        return _build_guarded_method(CONVERSION_METHODS[name])
    if name in {"__hash__", "__bool__", "__str__", "__repr__"}:
        return lambda self: self._peer.operate(name.strip("_"), self)
    if name == "__contains__":
        return lambda self, item: bool(self._peer.operate_if_trusted(type(self), "contains", self, item))
    if name in {"__exit__", "__aexit__"}:
        return lambda self, kind, error, trace: self._peer.exit_context(name.strip("_"), self, error)
    if name == "__await__":
        return lambda self: self._peer.await_object(self)
    if name in _UNGUARDED_METHODS:
        return lambda self, *args, **kwargs: self._peer.operate("special", self, name, *args, **kwargs)
    return lambda self, *args: self._peer.operate_if_trusted(type(self), "special", self, name, *args)


def _build_binary_method(operation: str, swapped: bool) -> Callable[..., Any]:
    def operate(self: Any, other: Any, *more: Any) -> Any:
        operands = (other, self) if swapped else (self, other)
        return self._peer.operate_if_trusted(type(self), operation, *operands, *more)

    return operate


def _build_guarded_method(operation: str) -> Callable[..., Any]:
    return lambda self, *args: self._peer.operate_if_trusted(type(self), operation, self, *args)


def derive_class(
    mcs: type[ClassProxy], name: str, bases: tuple[type, ...], namespace: dict[str, Any], options: dict[str, Any]
) -> Any:
    """Define a local class that derives from classes of the other side.

    A matching class is created on the other side; its methods call back here. The local methods reach those of the
    bases through `super()`.
    """
    remote = next(base for base in bases if isinstance(base, ClassProxy))
    peer = remote._class_peer
    for base in bases:
        if isinstance(base, ClassProxy):
            trust_class(base)
    members = {key: value for key, value in namespace.items() if key not in _CLASS_BODY_NAMES}
    number = peer.derive_class(name, bases, members, options)
    layer_namespace: dict[str, Any] = {"_class_number": remote._class_number, "__slots__": ()}
    for method in {*remote._methods, *(key for key in SPECIAL_METHODS if hasattr(remote, key)), "__init__"}:
        layer_namespace[method] = _build_inherited_method(remote, method)
    layer = type.__new__(mcs, f"super({remote.__name__})", tuple(b for b in bases if b is not object), layer_namespace)
    own = {"_class_number": number, "_derived": True, "_trust_level": TRUSTED, **namespace}
    if "__eq__" in namespace:
        own["_defines_eq"] = True
        own.setdefault("__hash__", None)
    own["_methods"] = frozenset()
    own.pop("__slots__", None)
    own["__slots__"] = ()
    derived = type.__new__(mcs, name, (layer,), own)
    peer.register_class(derived, number)
    return derived


_CLASS_BODY_NAMES = frozenset({"__module__", "__qualname__", "__classcell__", "__dict__", "__weakref__", "__slots__"})


def _build_inherited_method(owner: Any, name: str) -> Callable[..., Any]:
    return lambda self, *args, **kwargs: owner._class_peer.operate("inherited", owner, name, self, *args, **kwargs)


_pickled_values: list[Any] = []


def keep_for_pickle(value: Any) -> int:
    """Store the object that a pickle refers to. Only the process that wrote the pickle ever loads it."""
    if not _pickled_values:
        # A pickle names this function by its module, and modules of this package cannot be imported then.
        _restore.__module__, _restore.__qualname__ = copyreg.__name__, _restore.__name__
        vars(copyreg)[_restore.__name__] = _restore
    _pickled_values.append(value)
    return len(_pickled_values) - 1


def _restore(index: int) -> Any:
    return _pickled_values[index].__deepcopy__({})
