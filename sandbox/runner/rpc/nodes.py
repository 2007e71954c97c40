"""Convert between lists and the nodes of linked lists and binary trees. Problem sets write such nodes as lists.

If a program defines its own `ListNode` or `TreeNode`, nodes are built from that class.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import GeneratorType
from typing import Any

from sandbox.runner.rpc import codec
from sandbox.runner.rpc.codec import UnsupportedValue

MAX_NODES = 2_000_000
LIST_ANNOTATION = re.compile(r"\b(list|sequence|iterable|deque|tuple)\[", re.IGNORECASE)
NODE_ANNOTATION = re.compile(r"\b(ListNode|TreeNode)\b")


class ListNode:
    """A node of a linked list, defined as in most problem sets."""

    def __init__(self, val: Any = 0, next: Any = None) -> None:
        self.val = val
        self.next = next


class TreeNode:
    """A node of a binary tree, defined as in most problem sets."""

    def __init__(self, val: Any = 0, left: Any = None, right: Any = None) -> None:
        self.val = val
        self.left = left
        self.right = right


def build_linked_list(items: Iterable[Any], kind: type = ListNode) -> Any:
    """Build a linked list of the items; return None if there are none."""
    head: Any = None
    for item in reversed([*items]):
        node = kind(item)
        node.next = head
        head = node
    return head


def read_linked_list(node: Any) -> list[Any]:
    """Return a linked list's values. Raises UnsupportedValue if the list has a cycle or is too long."""
    values: list[Any] = []
    while node is not None:
        values.append(node.val)
        node = node.next
        if len(values) > MAX_NODES:
            raise UnsupportedValue("the linked list is endless")
    return values


def build_tree(levels: Iterable[Any], kind: type = TreeNode) -> Any:
    """Build a binary tree from its values, level by level, with None for missing children.

    Return None if the tree is empty.
    """
    values = iter(levels)
    first = next(values, None)
    if first is None:
        return None
    root = kind(first)
    waiting: deque[Any] = deque([root])
    while waiting:
        node = waiting.popleft()
        for side in ("left", "right"):
            value = next(values, None)
            if value is not None:
                child = kind(value)
                setattr(node, side, child)
                waiting.append(child)
    return root


def read_tree_levels(root: Any) -> list[Any]:
    """Return a binary tree's values, level by level, with None for missing children.

    Trailing None values are removed.
    """
    values: list[Any] = []
    waiting = deque([root])
    while waiting:
        node = waiting.popleft()
        values.append(None if node is None else node.val)
        if node is not None:
            waiting += (node.left, node.right)
        if len(values) > MAX_NODES:
            raise UnsupportedValue("the tree is endless")
    while values and values[-1] is None:
        values.pop()
    return values


def convert_argument(annotation: Any, value: Any, namespace: Mapping[str, Any]) -> Any:
    """Convert an argument according to its annotation: a list becomes a linked list or a tree.

    If the program defines its own node class, the nodes are instances of that class. Any other value is returned
    unchanged.
    """
    if not (value is None or type(value) is list):
        return value
    text = annotation if isinstance(annotation, str) else str(annotation)
    name = NODE_ANNOTATION.search(text)
    if name is None:
        return value
    own = namespace.get(name[1])
    make: Callable[..., Any] = build_linked_list if name[1] == "ListNode" else build_tree
    kinds = (own,) if isinstance(own, type) else ()
    if LIST_ANNOTATION.search(text[: name.start()]):
        return [make(item or (), *kinds) if item is None or type(item) is list else item for item in value or ()]
    return make(value or (), *kinds)


def returns_nodes(function: Any) -> bool:
    """Return whether a function returns nodes, according to its annotations.

    The return annotation decides. Without one, the annotations of the arguments do.
    """
    annotations = getattr(function, "__annotations__", None) or {}
    if "return" in annotations:
        return NODE_ANNOTATION.search(str(annotations["return"])) is not None
    return any(NODE_ANNOTATION.search(str(declared)) for declared in annotations.values())


class NodeListCodec:
    """A reference codec for return values. It converts iterators and nodes to lists and creates no references."""

    keeps_arrays = False

    def encode(self, value: Any, depth: int) -> Any:
        return None

    def encode_reference(self, value: Any, depth: int) -> Any:
        if isinstance(value, Iterator | GeneratorType):
            return [codec.encode(item, depth + 1, self) for item in value]
        items = read_nodes(value)
        if items is None:
            raise UnsupportedValue(f"a {type(value).__name__} is not a plain value")
        return {"nodes": codec.encode(items, depth, self)}

    def decode(self, kind: str, content: Any) -> Any:
        raise UnsupportedValue(f"unknown kind of value: {kind:.100}")


def read_nodes(value: Any) -> list[Any] | None:
    """Return the values of a linked list or a tree, or None for any other value."""
    if isinstance(value, type) or not hasattr(value, "val"):
        return None
    if hasattr(value, "left") and hasattr(value, "right"):
        return read_tree_levels(value)
    return read_linked_list(value) if hasattr(value, "next") else None
