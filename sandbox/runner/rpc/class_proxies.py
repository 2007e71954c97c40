"""Proxies for classes of another process, and local classes that derive from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sandbox.runner.rpc.proxies import ProxyPeer
from sandbox.runner.rpc.special_methods import SPECIAL_METHODS
from sandbox.runner.rpc.trust_policy import TRUSTED, trust_class, trust_class_by_attribute


class ClassProxy(type):
    """The metaclass of proxy classes. Each proxy class represents one class of the other side."""

    _class_peer: ProxyPeer
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


def derive_class(
    mcs: type[ClassProxy], name: str, bases: tuple[type, ...], namespace: dict[str, Any], options: dict[str, Any]
) -> Any:
    """Define a local class that derives from classes of the other side.

    A matching class is created on the other side, and its methods call back to this side. The local methods can call
    those of the base classes through `super()`.
    """
    proxy_bases = [base for base in bases if isinstance(base, ClassProxy)]
    remote = proxy_bases[0]
    peer = remote._class_peer
    for base in proxy_bases:
        trust_class(base)
    members = {key: value for key, value in namespace.items() if key not in _CLASS_BODY_NAMES}
    sendable_members = {key: value for key, value in members.items() if _is_sendable(value)}
    number = int(peer.operate("derive", name, proxy_bases, sendable_members, options))
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


def _is_sendable(value: Any) -> bool:
    """Return whether a member of a local class body can be copied to the matching class on the other side."""
    return not isinstance(value, property | classmethod | staticmethod)


def _build_inherited_method(owner: Any, name: str) -> Callable[..., Any]:
    return lambda self, *args, **kwargs: owner._class_peer.operate("inherited", owner, name, self, *args, **kwargs)
