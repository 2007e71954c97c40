"""Move the boundary of a comparison: `<` to `<=`, `<=` to `<`, and the same for `>` and `>=`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from sandbox.verify.mutants.change import change_fields

_REPLACEMENTS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}


def move_boundary(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a comparison with each of its boundaries moved in turn."""
    if isinstance(node, ast.Compare):
        for position, relation in enumerate(node.ops):
            if other := _REPLACEMENTS.get(type(relation)):
                yield change_fields(node, ops=[*node.ops[:position], other(), *node.ops[position + 1 :]])
