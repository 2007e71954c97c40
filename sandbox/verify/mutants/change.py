"""One change to one node of a syntax tree, and the interface of the operators that propose changes."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

# Takes a node, and yields the nodes that may replace it. It never modifies the node itself.
Operator = Callable[[ast.AST], Iterator[ast.AST]]

Node = TypeVar("Node", bound=ast.AST)


def change_fields(node: Node, **fields: Any) -> Node:
    """Return a shallow copy of a node with other values in some fields."""
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def is_number(node: ast.AST) -> bool:
    """Return whether a node is a literal int or float. A bool does not count."""
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)
