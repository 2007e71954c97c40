"""Proxies for functions and methods of another process."""

from __future__ import annotations

import types
from typing import Any

from sandbox.runner.rpc.class_proxies import ClassProxy
from sandbox.runner.rpc.descriptions import METADATA
from sandbox.runner.rpc.proxies import Proxy, ProxyPeer
from sandbox.runner.rpc.trust_policy import trust_class

FUNCTION_CLASSES: dict[str, type] = {
    "function": types.FunctionType,
    "method": types.MethodType,
    "builtin": types.BuiltinFunctionType,
}


class FunctionProxy(Proxy):
    """A proxy for a function or a bound method."""

    __slots__ = ("_kind", "_lookup_names", "_metadata", "_name")
    _metadata: dict[str, Any] | None
    _lookup_names: tuple[str, ...]  # the names under which the test looked it up
    _kind: str
    _name: str

    def __init__(self, peer: ProxyPeer, number: int, name: str, kind: str) -> None:
        super().__init__(peer, number)
        for attribute, value in (("_name", name), ("_kind", kind), ("_metadata", None), ("_lookup_names", ())):
            object.__setattr__(self, attribute, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        result = self._peer.operate("call", self, *args, **kwargs)
        if self._lookup_names:
            first = result[0] if type(result) in (list, tuple) and result else result
            if isinstance(type(first), ClassProxy) and self._peer.trust.expects_objects_of(self._lookup_names):
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


def set_lookup_names(function: FunctionProxy, names: tuple[str, ...]) -> None:
    """Store the names under which the test looked up a function."""
    object.__setattr__(function, "_lookup_names", names)


class MethodProxy(FunctionProxy):
    """A method of a remote object.

    It is not fetched until it is used as a value, because most methods are only called.
    """

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
