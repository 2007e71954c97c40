"""Proxies for objects of another process. Each use of a proxy sends a request to the object's owner (`rpc_peer`).

A class of the program is represented by a local class with the same special methods (`class_proxies`). `callable`,
`isinstance`, `issubclass`, `hash` and the operators therefore give the same results as in a single process. A test may
derive from such a class.
"""

from __future__ import annotations

import copyreg
import types
from collections.abc import Iterator
from typing import Any, Protocol

from sandbox.runner.rpc.trust_policy import TrustPolicy


class ProxyPeer(Protocol):
    """The peer that sends the requests of a proxy to the owner of its object."""

    trust: TrustPolicy

    def operate(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        """Perform an operation on an object of the other side. Raises what the other side raised."""

    def operate_if_trusted(self, kind: Any, operation: str, *args: Any) -> Any:
        """Perform an operation that requires an object of a class that the test names. Raises TypeError."""

    def check_attribute(self, kind: Any, name: str) -> None:
        """Raise TypeError for an attribute of plain values on an object of an untrusted class."""

    def fetch_metadata(self, proxy: Any) -> dict[str, Any]:
        """Return the metadata of a function of the other side (`descriptions`)."""

    def register_class(self, built: Any, number: int) -> None:
        """Store the class that represents the class of the other side with this number."""


class Proxy:
    """A reference to an object of the other side."""

    __slots__ = ("__weakref__", "_number", "_peer")
    _peer: ProxyPeer
    _number: int

    def __init__(self, peer: ProxyPeer, number: int) -> None:
        object.__setattr__(self, "_peer", peer)
        object.__setattr__(self, "_number", number)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _restore, (keep_for_pickle(self._peer.operate("deepcopy", self)),)

    def __copy__(self) -> Any:
        return self._peer.operate("copy", self)

    def __deepcopy__(self, memo: Any) -> Any:
        return self._peer.operate("deepcopy", self)


class IteratorProxy(Proxy):
    """A proxy for an iterator. Once it is exhausted it stays exhausted, even if its owner returns more items."""

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


_pickled_values: list[Any] = []


def keep_for_pickle(value: Any) -> int:
    """Store the object that a pickle refers to; return its number.

    The number is valid only in this process, which is the only one that loads the pickle.
    """
    if not _pickled_values:
        # A pickle names this function by its module, and modules of this package cannot be imported then.
        _restore.__module__, _restore.__qualname__ = copyreg.__name__, _restore.__name__
        vars(copyreg)[_restore.__name__] = _restore
    _pickled_values.append(value)
    return len(_pickled_values) - 1


def _restore(index: int) -> Any:
    return _pickled_values[index].__deepcopy__({})
