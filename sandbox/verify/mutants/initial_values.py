"""Start from a wrong value: a variable that is set to a literal is set to 0 instead, or to 1 if it was 0."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from sandbox.verify.mutants.change import change_fields, is_number


def change_initial_value(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the assignment of a number, infinity, or a power such as `-10**9` with another value."""
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _is_numeric_literal(node.value):
        is_zero = isinstance(node.value, ast.Constant) and node.value.value == 0
        yield change_fields(node, value=ast.Constant(1 if is_zero else 0))


def _is_numeric_literal(value: ast.expr) -> bool:
    match value:
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            return _is_numeric_literal(operand)
        case ast.BinOp(left=left, right=right):
            return _is_numeric_literal(left) and _is_numeric_literal(right)
        case ast.Call(func=ast.Name(id="float"), args=[ast.Constant(value=str())]):
            return True
        case ast.Attribute(value=ast.Name(id="math"), attr="inf"):
            return True
    return is_number(value)
