"""Change a literal number by one, up and down."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from sandbox.verify.mutants.change import is_number


def change_constant(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a literal number plus one and minus one."""
    if is_number(node):
        value: Any = node.value  # type: ignore[attr-defined]  # is_number has checked the type
        for other in (value + 1, value - 1):
            if other != value:  # a large float stays the same
                yield ast.Constant(other)
