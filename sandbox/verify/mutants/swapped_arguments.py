"""Swap two neighboring arguments of a call, or the operands of an operator that is not commutative."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from sandbox.verify.mutants.change import change_fields

_ORDERED = ast.Sub | ast.Div | ast.FloorDiv | ast.Mod | ast.Pow | ast.LShift | ast.RShift
# The order of their arguments changes nothing.
_COMMUTATIVE_FUNCTIONS = frozenset({"max", "min", "gcd", "lcm", "hypot"})


def swap_arguments(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a call with each pair of neighbors swapped, or an operation with its operands swapped."""
    match node:
        case ast.Call(func=function, args=args):
            name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
            for position in range(len(args) - 1 if name not in _COMMUTATIVE_FUNCTIONS else 0):
                first, second = args[position : position + 2]
                if not isinstance(first, ast.Starred) and not isinstance(second, ast.Starred):
                    yield change_fields(node, args=[*args[:position], second, first, *args[position + 2 :]])
        case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _ORDERED):
            yield change_fields(node, left=right, right=left)
