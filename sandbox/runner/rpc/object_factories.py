"""Find the program's functions and classes whose results a test's source uses as objects.

For example, a test with `stack = make()` and `stack.push(1)` expects `make` to return an object, because no plain value
has a method `push`. The result depends only on the test's source, which the program cannot change.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

_PLAIN_TYPES = (str, int, float, complex, bytes, list, tuple, dict, set, frozenset, range, type(None))
PLAIN_VALUE_ATTRIBUTES = frozenset(name for kind in _PLAIN_TYPES for name in dir(kind))


def find_object_factories(source: str) -> frozenset[str]:
    """Return the names of the functions and classes whose results a source uses as objects.

    A result is used as an object if the source reads an attribute that no plain value has.
    """
    try:
        nodes = [*ast.walk(ast.parse(source))]
    except (SyntaxError, ValueError, RecursionError):
        return frozenset()
    made_by: dict[str, set[str]] = {}
    for node in nodes:
        for variable, call in _iterate_bindings(node):
            if name := _get_called_name(call):
                made_by.setdefault(variable, set()).add(name)
    makers: set[str] = set()
    for node in nodes:
        if (
            isinstance(node, ast.Attribute)
            and node.attr not in PLAIN_VALUE_ATTRIBUTES
            and not node.attr.startswith("__")
        ):
            for root in _find_roots(node.value):
                makers |= made_by.get(root.id, set()) if isinstance(root, ast.Name) else {_get_called_name(root)}
    return frozenset(makers - {""})


def _find_roots(node: ast.expr) -> list[ast.expr]:
    """Return the names and calls whose values an expression combines: `a` and `b()` in `(a + b())[0]`."""
    if isinstance(node, ast.BinOp):
        return [*_find_roots(node.left), *_find_roots(node.right)]
    if isinstance(node, ast.UnaryOp):
        return _find_roots(node.operand)
    return _find_roots(node.value) if isinstance(node, ast.Subscript) else [node]


def _iterate_bindings(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield each variable that a node binds, with the expression that provides its value.

    In a loop, this is the expression that is iterated over.
    """
    if isinstance(node, ast.Assign):
        targets, value = node.targets, node.value
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
        targets, value = [node.target], node.value
    elif isinstance(node, ast.For | ast.comprehension):
        targets, value = [node.target], node.iter
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        targets, value = [node.optional_vars], node.context_expr
    else:
        return
    for target in targets:
        if isinstance(target, ast.Name):
            yield target.id, value


def _get_called_name(node: ast.expr) -> str:
    """Return the name that an expression calls: `make` for `make()` and `solution.make()`; otherwise empty."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Name):
        return node.func.id
    return node.func.attr if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) else ""
