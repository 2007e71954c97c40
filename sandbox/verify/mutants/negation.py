"""Negate the condition of an `if`, a conditional expression, a `while` loop or a comprehension."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from sandbox.verify.mutants.change import change_fields


def negate_condition(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the node with its condition negated; a comprehension's conditions are negated in turn."""
    match node:
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            yield change_fields(node, test=ast.UnaryOp(ast.Not(), test))
        case ast.comprehension(ifs=conditions):
            for position, condition in enumerate(conditions):
                negated = ast.UnaryOp(ast.Not(), condition)
                yield change_fields(node, ifs=[*conditions[:position], negated, *conditions[position + 1 :]])
