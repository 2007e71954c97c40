"""Detect how a call changed the containers among its arguments, and apply the same changes to the caller's containers.

Both sides number the containers in the order in which they occur. The callee saves the items of each container before
the call and compares them by identity afterward, which is much cheaper than encoding them again. It then sends the
content of the changed containers. Within this content, an original container is represented by its number. The caller's
containers therefore keep their identity, even if they were moved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import is_
from typing import Any

from sandbox.runner.rpc import codec
from sandbox.runner.rpc.codec import ReferenceCodec

_SCALAR_TYPES = frozenset({str, bool, type(None), int, float, bytes})
_MAPPINGS = frozenset({"dict", "Counter", "OrderedDict", "defaultdict"})
_SEQUENCES = frozenset({"list", "deque"})
_OTHERS = frozenset({"set", "bytearray", "array", "ndarray"})
_VIEWS = frozenset({"dict_keys", "dict_values", "dict_items"})
_CONTAINER_NAMES = _MAPPINGS | _SEQUENCES | _OTHERS | _VIEWS
_CONTAINER_MODULES = frozenset({"builtins", "collections", "array", "numpy"})


def _find_container_name(value: Any) -> str:
    """Return the name of the container type that the other side receives for a value.

    Return an empty string if the value is not a container.
    """
    kind = type(value)
    name = kind.__name__
    if name in _CONTAINER_NAMES and kind.__module__ in _CONTAINER_MODULES:
        return name
    if isinstance(value, list):
        return "list"
    return "dict" if isinstance(value, dict) else "set" if isinstance(value, set) else ""


def is_container(value: Any) -> bool:
    """Return whether a value is a container whose exact type is preserved on the other side."""
    return (
        _find_container_name(value) in _CONTAINER_NAMES - _VIEWS - {"ndarray"}
        and type(value).__module__ in _CONTAINER_MODULES
    )


def find_containers(items: Iterable[Any]) -> list[Any]:
    """Return all containers in some values, in order of occurrence.

    A container that occurs twice is listed twice, because the other side receives two copies of it.
    """
    found: list[Any] = []
    waiting = [iter(items)]
    while waiting:
        for item in waiting[-1]:
            if type(item) in _SCALAR_TYPES:
                continue
            shape = _find_container_name(item)
            if shape:
                found.append(item)
            inner = _iterate_inner(item, shape) if shape or isinstance(item, tuple) else None
            if inner is not None:
                waiting.append(inner)
                break
        else:
            waiting.pop()
    return found


def _iterate_inner(item: Any, shape: str) -> Any:
    """Return an iterator over the values in a container that may be containers; return None if there are none."""
    if shape in _MAPPINGS:
        return iter(item.values())
    if shape in _OTHERS or _SCALAR_TYPES.issuperset(map(type, item)):
        return None
    return iter(item)


class ContainerSnapshot:
    """The containers among the arguments of a call, and their content before the call."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._containers = find_containers(items)
        self._before = [_copy_content(one) for one in self._containers]
        self._numbers = {id(one): number for number, one in enumerate(self._containers)}

    def find_number(self, value: Any) -> int | None:
        """Return the number of a container in this snapshot, or None for any other value."""
        return self._numbers.get(id(value))

    def encode_changes(self, references: ReferenceCodec) -> list[Any]:
        """Return the number and the encoded content of each container that has changed."""
        changes: list[Any] = []
        for number, (container, before) in enumerate(zip(self._containers, self._before, strict=True)):
            after = _copy_content(container)
            if len(after) != len(before) or not _is_identical(after, before, container):
                changes.append([number, [self._encode_item(item, references) for item in after]])
        return changes

    def _encode_item(self, item: Any, references: ReferenceCodec) -> Any:
        number = self._numbers.get(id(item))
        return codec.encode(item, 0, references) if number is None else {"part": number}


def _copy_content(container: Any) -> Any:
    """Copy the content of a container to a flat sequence that keeps it alive."""
    shape = _find_container_name(container)
    if shape in _MAPPINGS:
        return [*container.keys(), *container.values()]
    if shape == "ndarray":
        return (container.copy(),)
    return (bytes(container),) if shape == "bytearray" else (*container,)


def _is_identical(after: Any, before: Any, container: Any) -> bool:
    shape = _find_container_name(container)
    if shape == "ndarray":
        one, other = after[0], before[0]
        return bool(one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes())
    if shape in {"array", "bytearray"}:
        return bool(after == before)
    return all(map(is_, after, before))


def apply_changes(containers: list[Any], changed: Iterable[Any], references: ReferenceCodec) -> None:
    """Apply changes from the other side's `encode_changes` to the corresponding containers."""
    for number, content in changed:
        apply_content(containers[number], [codec.decode(item, references) for item in content])


def apply_content(container: Any, content: list[Any]) -> None:
    """Replace the content of a container with that of the other side's container."""
    shape = _find_container_name(container)
    if shape in _MAPPINGS:
        half = len(content) // 2
        container.clear()
        for key, value in zip(content[:half], content[half:], strict=True):
            container[key] = value
    elif shape == "ndarray":
        container[...] = content[0]
    elif shape and shape not in _VIEWS:
        _REPLACERS.get(shape, _replace)(container, content)


def _replace(container: Any, content: list[Any]) -> None:
    container[:] = content


def _refill(container: Any, content: list[Any]) -> None:
    container.clear()
    (container.update if isinstance(container, set) else container.extend)(content)


def _replace_array(container: Any, content: list[Any]) -> None:
    del container[:]
    container.extend(content)


_REPLACERS: dict[str, Callable[[Any, list[Any]], None]] = {
    "set": _refill,
    "deque": _refill,
    "array": _replace_array,
    "bytearray": lambda container, content: container.__setitem__(slice(None), content[0]),
}
