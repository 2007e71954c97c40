"""Make a `range` one longer or shorter at either end, and move a bound of a slice by one."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from sandbox.verify.mutants.change import change_fields


def shift_range(node: ast.AST) -> Iterator[ast.AST]:
    """Yield calls of `range` and slices with one bound changed by one."""
    match node:
        case ast.Call(func=ast.Name(id="range"), args=[only], keywords=[]) if not isinstance(only, ast.Starred):
            for stop in _shift(only):
                yield change_fields(node, args=[stop])
            yield change_fields(node, args=[ast.Constant(1), only])
        case ast.Call(func=ast.Name(id="range"), args=[start, stop, *step], keywords=[]):
            if not any(isinstance(each, ast.Starred) for each in node.args):
                for other in _shift(start):
                    yield change_fields(node, args=[other, stop, *step])
                for other in _shift(stop):
                    yield change_fields(node, args=[start, other, *step])
        case ast.Slice(lower=lower, upper=upper):
            for name, bound in (("lower", lower), ("upper", upper)):
                for other in () if bound is None else _shift(bound):
                    yield change_fields(node, **{name: other})


def _shift(bound: ast.expr) -> Iterator[ast.expr]:
    yield ast.BinOp(bound, ast.Add(), ast.Constant(1))
    yield ast.BinOp(bound, ast.Sub(), ast.Constant(1))
