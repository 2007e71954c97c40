"""Leave early: stop a loop after one pass, skip the end of a loop's body, return early, or swap break and continue."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from sandbox.verify.mutants.change import change_fields


def exit_early(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a loop, a function, a `break` or a `continue` that leaves earlier or later."""
    match node:
        case ast.For(body=body) | ast.While(body=body):
            yield change_fields(node, body=[*body, ast.Break()])
            # In a while loop, it would often repeat the same pass forever.
            if len(body) > 1 and isinstance(node, ast.For):
                yield change_fields(node, body=[*body[:-1], ast.Continue()])
        case ast.FunctionDef(body=[*first, ast.stmt() as last]) if first and not _is_docstring(first):
            value = last.value if isinstance(last, ast.Return) else None
            yield change_fields(node, body=[*first[:-1], ast.Return(value), last])
        case ast.Break():
            yield ast.Continue()
            yield ast.Pass()
        case ast.Continue():
            yield ast.Break()
            yield ast.Pass()


def _is_docstring(statements: list[ast.stmt]) -> bool:
    return (
        len(statements) == 1 and isinstance(statements[0], ast.Expr) and isinstance(statements[0].value, ast.Constant)
    )
