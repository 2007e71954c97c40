"""Describe classes and functions to the other side, which builds a local class from a description (`remote_classes`).

The description of a class contains its names: the special methods, the methods, the fields. Only the values of an enum
and the defaults of a named tuple are part of it, because these classes are copied.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable
from types import FunctionType, SimpleNamespace, WrapperDescriptorType
from typing import Any

from sandbox.runner.rpc.special_methods import BUILTIN_BASES, SPECIAL_METHODS

# The attributes that describe a function. Others are requested from its owner one by one.
METADATA = ("__name__", "__qualname__", "__doc__", "__module__", "__annotations__", "__defaults__", "__kwdefaults__")
ENUM_KINDS = ("IntFlag", "Flag", "IntEnum", "StrEnum", "Enum")
MAX_NAMES = 10_000


def describe_class(kind: type, encode: Callable[[Any], Any], is_shared: Callable[[type], bool]) -> dict[str, Any]:
    """Describe a class.

    `is_shared` tells whether a base class needs no description, for example because both sides have it.
    """
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
    """Return the members of a class, including those inherited from base classes that are not described separately."""
    members: dict[str, Any] = {}
    for one in reversed(kind.__mro__):
        if one is kind or (one is not object and is_shared(one)):
            members.update(vars(one))
    return members


def _filter_own_methods(own: dict[str, Any], module: str, names: list[str]) -> list[str]:
    """Return the special methods that the class's own module defines.

    Methods that the standard library generates, such as those of a dataclass, are left out.
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
    """Describe a function or the constructor of a class: its names, documentation and parameters.

    A test does not reveal default values to its program, because they may contain expected results. The only thing it
    reveals about a function's code is whether the function is a coroutine function or a generator.
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
    """Decode a description from `describe_function` to the attributes of a function."""
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
