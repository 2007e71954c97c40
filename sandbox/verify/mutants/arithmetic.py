"""Replace an arithmetic operator with a related one: `+` by `-`, `//` by `/`, `%` by `//`, `<<` by `>>`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from sandbox.verify.mutants.change import change_fields

_REPLACEMENTS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add,),
    ast.Div: (ast.FloorDiv,),
    ast.FloorDiv: (ast.Div, ast.Mult),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.BitXor: (ast.BitOr,),
}


def replace_arithmetic(node: ast.AST) -> Iterator[ast.AST]:
    """Yield an expression or an augmented assignment with each related operator."""
    if isinstance(node, ast.BinOp | ast.AugAssign):
        for other in _REPLACEMENTS.get(type(node.op), ()):
            yield change_fields(node, op=other())
