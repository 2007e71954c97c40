"""Mutants of Python functions: one small change each, made in the syntax tree, the same ones for the same seed."""

from __future__ import annotations

import ast
import copy
import random
from typing import Any

SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


def make_mutants(prompt: str, solution: str, count: int, seed: int) -> list[str]:
    """Return up to `count` programs, each with one change in the solution and none in the prompt before it."""
    tree = ast.parse(prompt + solution)
    first_line = prompt.count("\n") + 1
    original = ast.unparse(tree)
    nodes = [node for node in ast.walk(tree) if getattr(node, "lineno", 0) >= first_line]
    found: dict[str, None] = {}
    for node in random.Random(seed).sample(nodes, len(nodes)):
        other = mutate_node(node)
        source = original if other is None else ast.unparse(_NodeReplacer(node, other).visit(copy.copy(tree)))
        if source != original:
            found[source] = None
        if len(found) == count:
            break
    return list(found)


def mutate_node(node: ast.AST) -> ast.AST | None:
    """Return the node with the change defined for its kind, or None if there is none."""
    other: Any = copy.copy(node)
    match node:
        case ast.BinOp(op=op) | ast.AugAssign(op=op) | ast.BoolOp(op=op) if type(op) in SWAPPED:
            other.op = SWAPPED[type(op)]()
        case ast.Compare(ops=[op, *rest]) if type(op) in SWAPPED:
            other.ops = [SWAPPED[type(op)](), *rest]
        case ast.Constant(value=bool(value)):
            other.value = not value
        case ast.Constant(value=int(value) | float(value)):
            other.value = value + 1
        case ast.Constant(value=str(value)):
            other.value = value + "x"
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            other.test = ast.UnaryOp(ast.Not(), test)
        case ast.Return(value=ast.expr()):
            other.value = ast.Constant(None)
        case ast.Call(args=[ast.expr() as first, *_]):
            return first
        case ast.Call(func=function):
            return function
        case ast.Subscript(value=value, ctx=ast.Load()) | ast.UnaryOp(operand=value):
            return value
        case ast.Name(ctx=ast.Load()):
            return ast.Constant(1)
        case _:
            return None
    return other  # type: ignore[no-any-return]  # a copy of the node


class _NodeReplacer(ast.NodeTransformer):
    """Replaces one node by another, on a copy of all its ancestors."""

    def __init__(self, node: ast.AST, other: ast.AST) -> None:
        self._node, self._other = node, other

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self._node:
            return self._other
        fresh = copy.copy(node)
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                setattr(fresh, name, [self.visit(item) if isinstance(item, ast.AST) else item for item in value])
            elif isinstance(value, ast.AST):
                setattr(fresh, name, self.visit(value))
        return fresh
