"""Stand-ins for the objects of another process: each use of one asks its owner (`peers`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.runner.peers import Peer

UNARY = ("neg", "pos", "abs", "invert")
BINARY = ("eq", "ne", "lt", "le", "gt", "ge", "add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "pow")


def change_in_place(given: Any, after: Any) -> None:
    """What the other side did to a mutable argument happens to ours, too."""
    if type(given) is type(after) and isinstance(given, list):
        given[:] = after
    elif type(given) is type(after) and isinstance(given, dict | set):
        given.clear()
        given.update(after)


class Remote:
    """An object of the other side's, and what can be done with any."""

    __slots__ = ("__weakref__", "_name", "_number", "_peer")
    _peer: Peer
    _number: int
    _name: str

    def __init__(self, peer: Peer, number: int, name: str) -> None:
        object.__setattr__(self, "_peer", peer)
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_name", name)

    def _do(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        peer = self._peer
        request: dict[str, Any] = {"do": operation, "args": [peer.encoded(item) for item in (self, *args)]}
        if kwargs:
            request["kwargs"] = {name: peer.encoded(item) for name, item in kwargs.items()}
        answer = peer.exchange(request)
        for given, after in zip(args, answer.get("args", ()), strict=False):
            change_in_place(given, peer.decoded(after))
        return peer.result(answer, choosing=operation == "getattr" and isinstance(self, RemoteClass))

    def __eq__(self, other: object) -> Any:
        if isinstance(other, Remote):
            return self._number == other._number or self._do("eq", other)
        return False

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self._number)

    def __repr__(self) -> str:
        return f"<{self._name} of the program>"


class RemoteFunction(Remote):
    __slots__ = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._do("call", *args, **kwargs)


class RemoteIterator(Remote):
    __slots__ = ()

    def __iter__(self) -> RemoteIterator:
        return self

    def __next__(self) -> Any:
        return self._do("next")


class RemoteObject(RemoteFunction):
    """An instance of a class of the other side's."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._do("getattr", name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._do("setattr", name, value)

    def __getitem__(self, key: Any) -> Any:
        return self._do("getitem", key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._do("setitem", key, value)

    def __delitem__(self, key: Any) -> None:
        self._do("delitem", key)

    def __len__(self) -> int:
        return int(self._do("len"))

    def __iter__(self) -> Any:
        return iter(self._do("iter"))

    def __bool__(self) -> bool:
        return bool(self._do("bool"))

    def __str__(self) -> str:
        return str(self._do("str"))

    def __repr__(self) -> str:
        return str(self._do("repr"))

    def __enter__(self) -> Any:
        return self._do("enter")

    def __exit__(self, *raised: object) -> None:
        self._do("leave")


def _between_remotes(name: str) -> Callable[[Remote, object], Any]:
    def operate(self: Remote, other: object) -> Any:
        return self._do(name, other) if isinstance(other, Remote) else NotImplemented

    return operate


def _of_one(name: str) -> Callable[[Remote], Any]:
    return lambda self: self._do(name)


for _name in BINARY[2:]:
    setattr(RemoteObject, f"__{_name}__", _between_remotes(_name))
for _name in UNARY:
    setattr(RemoteObject, f"__{_name}__", _of_one(_name))


class RemoteClass(RemoteObject):
    __slots__ = ()

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, Remote) and bool(self._do("isinstance", instance))


REMOTES: dict[str, type[Remote]] = {
    "function": RemoteFunction,
    "iterator": RemoteIterator,
    "class": RemoteClass,
    "object": RemoteObject,
}
