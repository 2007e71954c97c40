"""Proxies for instances of classes of another process, and the special methods of their classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.runner.rpc.coroutines import RemoteTask
from sandbox.runner.rpc.function_proxies import MethodProxy
from sandbox.runner.rpc.proxies import Proxy
from sandbox.runner.rpc.special_methods import BINARY_METHODS, CONVERSION_METHODS
from sandbox.runner.rpc.trust_policy import TRUSTED, UNTRUSTED, trust_class_by_attribute

# Special methods that work on an object of any class, even an untrusted one.
_UNGUARDED_METHODS = frozenset(
    {"__format__", "__bytes__", "__call__", "__enter__", "__get__", "__set__", "__set_name__"}
    | {"__aenter__", "__aiter__", "__anext__"}
)


class ObjectProxy(Proxy):
    """A proxy for an instance of a class of the other side. Its own class is a proxy class with the special methods."""

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
        level = self._peer.trust.get_level(type(self))
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
        return lambda self, kind, error, trace: _exit_context(self, name.strip("_"), error)
    if name == "__await__":
        return lambda self: RemoteTask(self._peer, self).__await__()
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


def _exit_context(context: ObjectProxy, operation: str, error: BaseException | None) -> Any:
    """Leave a `with` block through the operation `exit` or `aexit`; return a true value to suppress the exception."""
    suppressed = context._peer.operate(operation, context, error)
    if context._peer.trust.may_suppress(error):
        return suppressed
    return _await_without_suppressing(suppressed) if operation == "aexit" else False


async def _await_without_suppressing(leaving: Any) -> bool:
    await leaving
    return False
