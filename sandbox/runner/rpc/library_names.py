"""Encode classes and functions of libraries that both sides have as the name of their module and their own name.

The program may send its test only harmless names: a safe builtin, or a class from a module of plain values.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from sandbox.runner.rpc.codec import UnsupportedValue
from sandbox.runner.rpc.source_names import NUMERIC_PACKAGES
from sandbox.runner.rpc.trust_policy import TrustPolicy

STANDARD_LIBRARY = sys.stdlib_module_names  # not joined with others: another set of this size takes 16 KB
# Builtins that a program may pass to its test directly: they only compute and give access to nothing.
_SAFE_BUILTINS = frozenset(
    {"abs", "all", "any", "ascii", "bin", "callable", "chr", "divmod", "format", "hash", "hex", "isinstance"}
    | {"issubclass", "iter", "len", "max", "min", "next", "oct", "ord", "pow", "repr", "round", "sorted", "sum"}
)
_SAFE_MODULES = frozenset({"builtins", "collections", "datetime", "decimal", "fractions", "uuid", "pathlib", "types"})
# Classes that no module exposes under their own name.
_UNNAMED_CLASSES: dict[Any, str] = {
    type(None): "NoneType",
    type(...): "EllipsisType",
    type(NotImplemented): "NotImplementedType",
    FunctionType: "FunctionType",
    BuiltinFunctionType: "BuiltinFunctionType",
    MethodType: "MethodType",
}


def is_library_class(kind: type) -> bool:
    """Return whether a class belongs to a library. Its methods count as methods of any class derived from it.

    The other side therefore needs no description of such a base class. Exceptions are always described.
    """
    return _is_in_library(kind.__module__) and not issubclass(kind, BaseException)


def _is_in_library(module: str) -> bool:
    package = module.partition(".")[0]
    return package in STANDARD_LIBRARY or package in NUMERIC_PACKAGES


def encode(value: Any, trust: TrustPolicy) -> Any:
    """Encode a class or function of a library that both sides have; return None for any other value."""
    if isinstance(value, type) and value in _UNNAMED_CLASSES:
        return {"global": ["types", _UNNAMED_CLASSES[value]]}
    module = getattr(value, "__module__", None) or getattr(getattr(value, "__objclass__", None), "__module__", None)
    name = getattr(value, "__qualname__", None)
    if not (isinstance(module, str) and isinstance(name, str)) or isinstance(value, MethodType):
        return None
    if not _is_in_library(module) or not _may_share(module, name, trust):
        return None
    return {"global": [module, name]} if _look_up(sys.modules.get(module), name) is value else None


def _may_share(module: str, name: str, trust: TrustPolicy) -> bool:
    if not trust.is_trusting:
        return module not in trust.own_modules
    if module == "builtins" and not isinstance(_look_up(builtins, name), type):
        return name in _SAFE_BUILTINS
    return module in _SAFE_MODULES and isinstance(_look_up(sys.modules.get(module), name), type)


def decode(content: Any, trust: TrustPolicy) -> Any:
    """Return the class or function with the module and name that `encode` returned. Raises UnsupportedValue."""
    module, name = map(str, content)
    if trust.is_trusting:
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


def _look_up(module: Any, name: str) -> Any:
    """Look up a dotted name in a module; return None if it is undefined."""
    found = module
    for part in name.split(".") if name else ():
        found = getattr(found, part, None)
    return found
