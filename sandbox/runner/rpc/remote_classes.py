"""Build local classes for classes of the other side from their descriptions (`descriptions`).

Named tuples and enums are values, so each becomes a real local named tuple or enum with the standard `==`. Calls of
methods that the program adds to them are still forwarded to the program. An exception class becomes one that derives
from the same builtin exception. Every other class becomes a `ClassProxy`.
"""

from __future__ import annotations

import collections
import dataclasses
import sys
from collections.abc import Callable
from typing import Any, Protocol

from sandbox.runner.rpc.class_proxies import ClassProxy
from sandbox.runner.rpc.descriptions import ENUM_KINDS, MAX_NAMES
from sandbox.runner.rpc.library_names import STANDARD_LIBRARY
from sandbox.runner.rpc.object_proxies import ObjectProxy, build_special_method
from sandbox.runner.rpc.proxies import ProxyPeer
from sandbox.runner.rpc.special_methods import SPECIAL_METHODS


class ClassPeer(ProxyPeer, Protocol):
    """The peer of the side that owns the described classes."""

    program_name: str  # the `__module__` of the built classes


def build_class(peer: ClassPeer, number: int, description: dict[str, Any], decode: Callable[[Any], Any]) -> type:
    """Build the local class for a class of the other side: a proxy class, or a class for copied values.

    Raises LookupError, TypeError, ValueError or AttributeError if the description is invalid.
    """
    name = str(description["name"])
    members: dict[str, Any] = {
        "__qualname__": str(description["qualname"]),
        "__doc__": description["doc"],
        "__module__": peer.program_name,
    }
    special = [one for one in description["special"] if one in SPECIAL_METHODS]
    if description["error"]:
        known = _find_library_error(description.get("home"))
        bases = [decode(base) for base in description["bases"]] if known is None else [known]
        return _build_error(peer, number, name, bases, members, special)
    if "record" in description:
        return _build_record(peer, number, name, description, members, decode)
    if "enum" in description:
        return _build_enumeration(peer, number, name, description, members, decode)
    bases = [base for base in map(decode, description["bases"]) if isinstance(base, ClassProxy)]
    methods = {str(method) for method in description["methods"][:MAX_NAMES] if str(method) not in SPECIAL_METHODS}
    for base in bases:
        methods |= base._methods
    members.update(
        {one: build_special_method(one, "__next__" in special) for one in special if one not in {"__eq__", "__ne__"}},
        _class_peer=peer,
        _class_number=number,
        _methods=frozenset(methods),
        __slots__=(),
    )
    if description["compares"]:
        members["_defines_eq"] = True
    if description["unhashable"]:
        members["__hash__"] = None
    if description["based"]:
        members["_has_builtin_base"] = True
    if not bases:
        members["_trust_level"] = peer.trust.initial_level
    if "fields" in description:
        fields = [(str(field), Any, dataclasses.field(init=bool(init))) for field, init in description["fields"]]
        members["__dataclass_fields__"] = dataclasses.make_dataclass("fields", fields).__dataclass_fields__  # type: ignore[attr-defined]
    return ClassProxy(name, tuple(bases) or (ObjectProxy,), members)


class ValueClass(type):
    """The metaclass for copied values, such as named tuples.

    Missing attributes are looked up in the program's class.
    """

    _peer: ClassPeer

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return cls._peer.operate("getattr", cls, name)


def _find_library_error(home: Any) -> Any:
    """Find the local class for an exception class of the standard library, such as `json.JSONDecodeError`.

    A test can then catch the exception by its class. Return None for any other class, for a class of a module that this
    process has not imported, and for a class with a special meaning to a test framework, such as `unittest.SkipTest`.
    """
    module, name = map(str, home or ("", ""))
    package = module.partition(".")[0]
    if package in _FRAMEWORKS or not (package in STANDARD_LIBRARY or package == "numpy") or module not in sys.modules:
        return None
    found = vars(sys.modules[module]).get(name)
    is_error = isinstance(found, type) and issubclass(found, Exception) and not issubclass(AssertionError, found)
    return found if is_error and getattr(found, "__module__", "") == module else None


_FRAMEWORKS = frozenset({"builtins", "unittest", "doctest", "bdb", "pdb", "test"})


def _build_error(
    peer: ClassPeer, number: int, name: str, bases: list[Any], members: dict[str, Any], special: list[str]
) -> type:
    kinds = [base for base in bases if isinstance(base, type) and issubclass(base, Exception)] or [Exception]
    members.update(_class_number=number, __getattr__=_get_error_attribute, __setattr__=_set_error_attribute, _peer=peer)
    members["__init__"] = _init_error
    if "__str__" in special:
        members["__str__"] = lambda error: _find_remote_error(error).__dict__.get("_text", "")
    if "__eq__" in special:
        members.update(__eq__=_compare_errors, __hash__=object.__hash__)
    return ErrorClass(name, tuple(kinds), members)


class ErrorClass(ValueClass):
    """The metaclass for exception classes of the other side. Calling one creates the exception there.

    A class derived from it belongs to this side.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if "_class_number" in cls.__dict__:
            return cls._peer.operate("call", cls, *args, **kwargs)
        return super().__call__(*args, **kwargs)


def _init_error(error: Any, *args: Any, **kwargs: Any) -> None:
    """Initialize an exception of a derived class.

    The other side also creates an exception, which holds the attributes.
    """
    base = next(kind for kind in type(error).__mro__ if "_class_number" in kind.__dict__)
    remote_error = base(*args, **kwargs)
    error.__dict__["_origin"] = remote_error
    error.args = remote_error.args


def _find_remote_error(error: Any) -> Any:
    return error.__dict__.get("_origin", error)


def _get_error_attribute(error: Any, name: str) -> Any:
    remote_error = _find_remote_error(error)
    if name.startswith("_") or "_number" not in remote_error.__dict__:
        raise AttributeError(name)
    if not remote_error.__dict__.get("_caught"):
        error._peer.check_attribute(type(error), name)
    return error._peer.operate("getattr", remote_error, name)


def _set_error_attribute(error: Any, name: str, value: Any) -> None:
    if not name.startswith("_") and name != "args" and "_number" in error.__dict__:
        error._peer.operate("setattr", error, name, value)
    else:
        Exception.__setattr__(error, name, value)


def _compare_errors(error: Any, other: Any) -> Any:
    if "_number" in error.__dict__ and isinstance(other, Exception) and "_number" in other.__dict__:
        return bool(error._peer.operate("eq", error, other))
    return NotImplemented


def _get_value_attribute(value: Any, name: str) -> Any:
    kind: Any = type(value)
    if name.startswith("_"):
        raise AttributeError(name)
    kind._peer.check_attribute(kind, name)
    return kind._peer.operate("getattr", value, name)


def _build_record(
    peer: ClassPeer,
    number: int,
    name: str,
    description: dict[str, Any],
    members: dict[str, Any],
    decode: Callable[[Any], Any],
) -> type:
    defaults = [decode(value) for value in description["defaults"]]
    fields = [str(field) for field in description["record"]]
    plain = collections.namedtuple("plain", fields, defaults=defaults)  # type: ignore[misc]
    forwarded = {
        one: build_special_method(one)
        for one in description["special"]
        if one in SPECIAL_METHODS and one not in _VALUE_METHODS
    }
    members.update(forwarded, __slots__=(), __getattr__=_get_value_attribute, _peer=peer, _class_number=number)
    members["_trust_level"] = peer.trust.initial_level
    return ValueClass(name, (plain,), members)


_VALUE_METHODS = frozenset({"__eq__", "__ne__", "__hash__", "__iter__", "__len__", "__contains__", "__getitem__"})


class _MethodForwarder:
    """A descriptor that forwards a method of an enum to the other side, for the class and its members."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, member: Any, kind: Any) -> Any:
        kind._peer.check_attribute(kind, self._name)
        return kind._peer.operate("getattr", kind if member is None else member, self._name)


def _build_enumeration(
    peer: ClassPeer,
    number: int,
    name: str,
    description: dict[str, Any],
    members: dict[str, Any],
    decode: Callable[[Any], Any],
) -> type:
    enum = sys.modules["enum"]
    values = description["enum"]
    contents = [(str(one), decode(value)) for one, value in values["members"]]
    if values["kind"] not in ENUM_KINDS or not all(_is_member(*one) for one in contents):
        raise ValueError("not an enum")
    base = getattr(enum, values["kind"])
    mixin = {"str": str, "int": int, "float": float}.get(values["mixin"]) if values["kind"] == "Enum" else None
    bases = (base,) if mixin is None else (mixin, base)
    namespace = enum.EnumMeta.__prepare__(name, bases)
    for key, value in {**members, "__getattr__": _get_value_attribute}.items():
        namespace[key] = value
    for member, value in contents:
        namespace[member] = value
    built: Any = enum.EnumMeta(name, bases, namespace)
    own: dict[str, Any] = {one: build_special_method(one) for one in description["special"] if one in _MEMBER_METHODS}
    for method in description["methods"]:
        if not str(method).startswith("_") and not hasattr(base, str(method)):
            own[str(method)] = _MethodForwarder(str(method))
    own.update(_peer=peer, _class_number=number, _trust_level=peer.trust.initial_level)
    for key, value in own.items():
        type.__setattr__(built, key, value)
    return built  # type: ignore[no-any-return]


def _is_member(name: str, value: Any) -> bool:
    """Return whether an enum can have a member with this name and value. A function would become a method instead."""
    return name.isidentifier() and not name.startswith("_") and name != "mro" and not hasattr(type(value), "__get__")


_MEMBER_METHODS = frozenset({"__str__", "__format__", "__lt__", "__le__", "__gt__", "__ge__", "__call__"})
