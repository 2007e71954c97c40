"""Describe classes and functions to the other side, and build classes from such descriptions.

A description contains only names: a class's special methods, its methods, its fields. Named tuples and enums are
values, so they are built as real ones with the `==` of tuples and of `enum`. Calls of methods that the program adds to
them are still forwarded to the program. Every other class becomes a `ClassProxy`.
"""

from __future__ import annotations

import collections
import dataclasses
import inspect
import sys
from collections.abc import Callable
from types import FunctionType, SimpleNamespace, WrapperDescriptorType
from typing import TYPE_CHECKING, Any

from sandbox.runner.rpc.proxies import METADATA, TRUSTED, UNTRUSTED, ClassProxy, ObjectProxy, build_special_method
from sandbox.runner.rpc.special_methods import BUILTIN_BASES, SPECIAL_METHODS

if TYPE_CHECKING:
    from sandbox.runner.rpc.rpc_peer import RpcPeer

ENUM_KINDS = ("IntFlag", "Flag", "IntEnum", "StrEnum", "Enum")
MAX_NAMES = 10_000


def describe_class(kind: type, encode: Callable[[Any], Any], is_shared: Callable[[type], bool]) -> dict[str, Any]:
    """Describe a class. `is_shared` returns whether the other side has a base class, too, or does not need it."""
    own = _collect_members(kind, is_shared)
    description: dict[str, Any] = {
        "name": kind.__name__,
        "qualname": kind.__qualname__,
        "doc": kind.__doc__ if isinstance(kind.__doc__, str) else None,
        "bases": [encode(base) for base in kind.__bases__ if base is not object and not is_shared(base)],
        "special": [name for name in SPECIAL_METHODS & own.keys() if own[name] is not None],
        "compares": "__eq__" in own and not isinstance(own["__eq__"], WrapperDescriptorType),
        "unhashable": own.get("__hash__", 0) is None,
        "methods": [
            name for name, value in own.items() if isinstance(value, FunctionType | classmethod | staticmethod)
        ],
        "based": issubclass(kind, BUILTIN_BASES),
        "error": issubclass(kind, BaseException),
    }
    if description["error"]:
        description["home"] = [kind.__module__, kind.__qualname__]
    if issubclass(kind, tuple) and isinstance(getattr(kind, "_fields", None), tuple):
        description["record"] = [*kind._fields]  # type: ignore[attr-defined]
        description["defaults"] = [encode(value) for value in getattr(kind, "_field_defaults", {}).values()]
        description["special"] = _filter_own_methods(own, kind.__module__, description["special"])
    if "enum" in sys.modules and isinstance(kind, sys.modules["enum"].EnumMeta):
        description["enum"] = _describe_enumeration(kind, encode)
        description["special"] = _filter_own_methods(own, kind.__module__, description["special"])
    if dataclasses.is_dataclass(kind):
        description["fields"] = [[field.name, field.init] for field in dataclasses.fields(kind)]
    return description


def _collect_members(kind: type, is_shared: Callable[[type], bool]) -> dict[str, Any]:
    """Return the members of a class, including those of base classes that are not described."""
    members: dict[str, Any] = {}
    for one in reversed(kind.__mro__):
        if one is kind or (one is not object and is_shared(one)):
            members.update(vars(one))
    return members


def _filter_own_methods(own: dict[str, Any], module: str, names: list[str]) -> list[str]:
    """Return only the special methods that the class's own module defines, without those the standard library
    generates.
    """
    return [name for name in names if getattr(own[name], "__globals__", {}).get("__name__") == module]


def _describe_enumeration(kind: Any, encode: Callable[[Any], Any]) -> dict[str, Any]:
    names = [base.__name__ for base in kind.__mro__]
    mixin = kind._member_type_
    return {
        "kind": next(name for name in ENUM_KINDS if name in names),
        "mixin": mixin.__name__ if mixin in (str, int, float) else "",
        "members": [[name, encode(member.value)] for name, member in kind.__members__.items()],
    }


_SUSPENDABLE_FLAGS = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


def describe_function(function: Any, encode: Callable[[Any], Any], with_defaults: bool) -> dict[str, Any]:
    """Describe a function or the constructor of a class: its names, its documentation, its parameters.

    A test does not reveal default values to its program, because they may contain what it expects. Of a function's code
    it reveals only whether it is a coroutine or generator.
    """
    description: dict[str, Any] = {}
    for name in METADATA:
        value = getattr(function, name, None)
        if with_defaults or name not in {"__defaults__", "__kwdefaults__"}:
            description[name] = _encode_or_text(value, encode)
    code = getattr(function, "__code__", None)
    if code is not None and (with_defaults or code.co_flags & _SUSPENDABLE_FLAGS):
        flags = {name: getattr(code, name) for name in ("co_name", "co_argcount", "co_kwonlyargcount", "co_flags")}
        description["__code__"] = {**flags, "co_varnames": [*code.co_varnames]}
    try:
        parameters = inspect.signature(function).parameters.values()
        returned = inspect.signature(function).return_annotation
    except (ValueError, TypeError):
        return description
    description["__signature__"] = [
        [
            one.name,
            one.kind.name,
            None if one.default is one.empty else [_encode_or_text(one.default, encode) if with_defaults else None],
            None if one.annotation is one.empty else [_encode_or_text(one.annotation, encode)],
        ]
        for one in parameters
    ]
    description["__returns__"] = None if returned is inspect.Signature.empty else [_encode_or_text(returned, encode)]
    return description


def _encode_or_text(value: Any, encode: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {"dict": [[str(key), _encode_or_text(item, encode)] for key, item in value.items()]}
    module = getattr(type(value), "__module__", "")
    return encode(str(value) if module == "typing" else value)


def decode_metadata(description: dict[str, Any], decode: Callable[[Any], Any]) -> dict[str, Any]:
    """Decode the attributes of a function that `describe_function` returned."""
    found = {name: decode(value) for name, value in description.items() if name in METADATA}
    if "__code__" in description:
        code = {str(name): value for name, value in description["__code__"].items()}
        found["__code__"] = SimpleNamespace(**{**code, "co_varnames": tuple(code["co_varnames"])})
    if "__signature__" in description:
        empty = inspect.Signature.empty
        parameters = [
            inspect.Parameter(
                str(name),
                inspect._ParameterKind[kind],
                default=empty if default is None else decode(default[0]),
                annotation=empty if annotation is None else decode(annotation[0]),
            )
            for name, kind, default, annotation in description["__signature__"]
        ]
        returned = description["__returns__"]
        found["__signature__"] = inspect.Signature(
            parameters, return_annotation=empty if returned is None else decode(returned[0])
        )
    return found


def build_class(peer: RpcPeer, number: int, description: dict[str, Any], decode: Callable[[Any], Any]) -> type:
    """Build a class for the proxies, or for the copies, of objects of a class of the other side."""
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
        members["_trust_level"] = TRUSTED if peer.is_trusting else UNTRUSTED
    if "fields" in description:
        fields = [(str(field), Any, dataclasses.field(init=bool(init))) for field, init in description["fields"]]
        members["__dataclass_fields__"] = dataclasses.make_dataclass("fields", fields).__dataclass_fields__  # type: ignore[attr-defined]
    return ClassProxy(name, tuple(bases) or (ObjectProxy,), members)


def _find_library_error(home: Any) -> Any:
    """Return the standard library exception class, such as `json.JSONDecodeError`, for one of the other side.

    It allows a test to catch the exception by its class. Return None for any other class, for one in a module that this
    process has not imported by itself, and for one with a special meaning to a test framework, such as
    `unittest.SkipTest`.
    """
    module, name = map(str, home or ("", ""))
    if module not in sys.modules or module.partition(".")[0] not in _ERROR_MODULES:
        return None
    found = vars(sys.modules[module]).get(name)
    is_error = isinstance(found, type) and issubclass(found, Exception) and not issubclass(AssertionError, found)
    return found if is_error and getattr(found, "__module__", "") == module else None


_ERROR_MODULES = (sys.stdlib_module_names | {"numpy"}) - {"builtins", "unittest", "doctest", "bdb", "pdb", "test"}


def _build_error(
    peer: RpcPeer, number: int, name: str, bases: list[Any], members: dict[str, Any], special: list[str]
) -> type:
    kinds = [base for base in bases if isinstance(base, type) and issubclass(base, Exception)] or [Exception]
    members.update(_class_number=number, __getattr__=_get_error_attribute, __setattr__=_set_error_attribute, _peer=peer)
    members["__init__"] = _init_error
    if "__str__" in special:
        members["__str__"] = lambda error: _find_remote_error(error).__dict__.get("_text", "")
    if "__eq__" in special:
        members.update(__eq__=_compare_errors, __hash__=object.__hash__)
    return ErrorClass(name, tuple(kinds), members)


class ValueClass(type):
    """The metaclass for copied values, such as named tuples.

    Missing attributes are looked up in the program's class.
    """

    _peer: RpcPeer

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return cls._peer.operate("getattr", cls, name)


class ErrorClass(ValueClass):
    """The metaclass for exception classes of the other side. Calling one creates the exception there.

    A class derived from it belongs to this side.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if "_class_number" in cls.__dict__:
            return cls._peer.operate("call", cls, *args, **kwargs)
        return super().__call__(*args, **kwargs)


def _init_error(error: Any, *args: Any, **kwargs: Any) -> None:
    """Initialize an exception of a derived class. The other side creates one, too, which holds the attributes."""
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
    peer: RpcPeer,
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
    members["_trust_level"] = TRUSTED if peer.is_trusting else UNTRUSTED
    return ValueClass(name, (plain,), members)


_VALUE_METHODS = frozenset({"__eq__", "__ne__", "__hash__", "__iter__", "__len__", "__contains__", "__getitem__"})


class _MethodForwarder:
    """Forwards a method of an enum of the other side, for the class and its members."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, member: Any, kind: Any) -> Any:
        kind._peer.check_attribute(kind, self._name)
        return kind._peer.operate("getattr", kind if member is None else member, self._name)


def _build_enumeration(
    peer: RpcPeer,
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
    own.update(_peer=peer, _class_number=number, _trust_level=TRUSTED if peer.is_trusting else UNTRUSTED)
    for key, value in own.items():
        type.__setattr__(built, key, value)
    return built  # type: ignore[no-any-return]


def _is_member(name: str, value: Any) -> bool:
    """Return whether a name and a value can form an enum member. A function would become a method of the members."""
    return name.isidentifier() and not name.startswith("_") and name != "mro" and not hasattr(type(value), "__get__")


_MEMBER_METHODS = frozenset({"__str__", "__format__", "__lt__", "__le__", "__gt__", "__ge__", "__call__"})
