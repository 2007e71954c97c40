"""Find the function under test if it is named like a builtin.

Data sets ask for a function `sum` or `sorted` and test it by that name. If every builtin name that a program defines
replaced the builtin, a program that defines `all` would pass any test that ends in `assert all(...)`. Therefore, at
most one builtin name refers to the program. It is the name of the innermost call, and only if the source uses no names
other than builtins.
"""

from __future__ import annotations

import ast
import builtins

from sandbox.runner.rpc.source_names import BUILTIN_NAMES


def find_tested_builtin(source: str) -> str:
    """Return the builtin name that a source tests, or an empty string if it tests another function."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return ""
    used: set[str] = set()
    bound: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            return ""
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
    if (used - bound) - BUILTIN_NAMES:
        return ""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    innermost = {
        name for node in calls if (name := _get_builtin_name(node)) and name not in bound and not _has_call(node)
    }
    functions = {name for name in innermost if not _is_exception(name)}
    return functions.pop() if len(functions) == 1 else ""


def _get_builtin_name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) and call.func.id in BUILTIN_NAMES else ""


def _has_call(call: ast.Call) -> bool:
    """Return whether any argument contains a call."""
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    return any(isinstance(node, ast.Call) for argument in arguments for node in ast.walk(argument))


def _is_exception(name: str) -> bool:
    kind = getattr(builtins, name)
    return isinstance(kind, type) and issubclass(kind, BaseException)
