"""Change boolean logic: `and` to `or`, `not x` to `x`, `True` to `False`, and drop one operand."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from sandbox.verify.mutants.change import change_fields


def change_boolean(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the changes of one boolean operation or literal."""
    match node:
        case ast.BoolOp(op=op, values=values):
            yield change_fields(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
            for position in range(len(values)):
                rest = values[:position] + values[position + 1 :]
                yield rest[0] if len(rest) == 1 else change_fields(node, values=rest)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
