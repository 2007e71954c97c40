"""Replace a comparison with a different relation: `<` by `>`, `==` by `!=`, `in` by `not in`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from sandbox.verify.mutants.change import change_fields

_REPLACEMENTS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt,
    ast.Gt: ast.Lt,
    ast.LtE: ast.GtE,
    ast.GtE: ast.LtE,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


def replace_comparison(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a comparison with each of its relations replaced in turn."""
    if isinstance(node, ast.Compare):
        for position, relation in enumerate(node.ops):
            if other := _REPLACEMENTS.get(type(relation)):
                yield change_fields(node, ops=[*node.ops[:position], other(), *node.ops[position + 1 :]])
