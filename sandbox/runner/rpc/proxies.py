"""Stand-ins for the objects, functions and classes of another process: each use of one asks its owner (`peers`).

A class of the program is a class here, too, with the special methods that the program's has, so that `callable`,
`isinstance`, `issubclass`, `hash` and the operators say what they would in one process. A test may derive from it.

How far the test believes an object is the level of its class. The program can return any object, with any `__eq__`:

* 0, a stranger: the object can be held, passed back, compared with other objects of the program, printed, called and
  entered, and has the attributes that no plain value has. Nothing else: it cannot be taken for a list or a number.
* 1, named: the test's source names the class, as classes are named (`Stack`, not `solve`). Its operators and its
  protocols are the program's, with plain values, too. `==` with a plain value is False all the same.
* 2, used as a class: the test uses an attribute that no plain value has, `isinstance` or a subclass, or its source says
  that it will (`used_as_objects`). It expects an object of that class, and `==` is the program's own.

The program believes the test at level 2 from the start.
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
# What a function says of itself, besides what its other attributes are asked for.
METADATA = ("__name__", "__qualname__", "__doc__", "__module__", "__annotations__", "__defaults__", "__kwdefaults__")
# Special methods that an object of any class may be asked for.
_UNGUARDED_METHODS = frozenset(
    {"__format__", "__bytes__", "__call__", "__enter__", "__get__", "__set__", "__set_name__"}
    | {"__aenter__", "__aiter__", "__anext__"}
)
_PLAIN_TYPES = (str, int, float, complex, bytes, list, tuple, dict, set, frozenset, range, type(None))
PLAIN_VALUE_ATTRIBUTES = frozenset(name for kind in _PLAIN_TYPES for name in dir(kind))


class Proxy:
    """Something that belongs to the other side."""

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
    _lookup_names: tuple[str, ...]  # the names under which the test has looked it up
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
    """A method of a remote object, not asked for before it is needed: most are called at once."""

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


# A class has these attributes itself, and an instance would find those: properties come first.
for _kind in (FunctionProxy, MethodProxy):
    for _name in ("__doc__", "__module__", "__annotations__"):
        setattr(_kind, _name, _build_forwarding_property(_name))


class IteratorProxy(Proxy):
    """An iterator. Once it has ended it stays ended, as Python's own do, whatever its owner would say."""

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
    """The class of the stand-ins for one class of the other side's."""

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
    """The test uses a class as a class, so it expects the objects of the program's."""
    type.__setattr__(kind, "_trust_level", TRUSTED)


def trust_class_by_attribute(kind: Any, name: str) -> None:
    """The test has used an attribute that the object has. Where no plain value has it, the test expects an object."""
    if name not in PLAIN_VALUE_ATTRIBUTES:
        trust_class(kind)


class ObjectProxy(Proxy):
    """An instance of a class of the other side's. Its special methods are those of its own stand-in class."""

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

    _defines_eq = False  # whether the class defines an order of its own for ==
    _has_builtin_base = False  # whether the class has a builtin base, whose value can be asked for
    _methods: frozenset[str] = frozenset()
    _trust_level = UNTRUSTED


def build_special_method(name: str, is_iterator: bool = False) -> Callable[..., Any]:
    """Make the method of a stand-in class that forwards a special method."""
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
    """Define a class here that derives from classes of the other side: it gets a class of its own there, whose methods
    call back, and its methods here reach those of the bases by `super()`.
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
    """Keep what a pickle stands for: it is only ever loaded by the process that wrote it."""
    if not _pickled_values:
        # A pickle names this function by a module that can be imported, and none of ours can be.
        _restore.__module__, _restore.__qualname__ = copyreg.__name__, _restore.__name__
        vars(copyreg)[_restore.__name__] = _restore
    _pickled_values.append(value)
    return len(_pickled_values) - 1


def _restore(index: int) -> Any:
    return _pickled_values[index].__deepcopy__({})
