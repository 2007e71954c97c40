"""Run a user's Python checker in its box and separate its own bugs from failures caused by a program's output.

Python exits with 1 for every uncaught exception, which for a checker means `wrong_answer`. That is right if the output
cannot be read (`int("one")`). It is wrong if the checker would fail on any output. These failures exit with 3,
testlib's code for a checker that failed:

- the source is not valid Python;
- a module that the source names is missing, or lacks what the source imports from it;
- the source uses a name that it never binds;
- an exception is raised before the checker opened the program's output, or started a process that may have done so.

`program_checker.wrap_with_guard` appends a call of `run` with the checker's source to the text of this file. The
checker is `__main__` in its own namespace. This file imports little, because it runs with every checker. It is written
for Python 3.9, because PyPy runs it too.
"""

from __future__ import annotations

import os
import sys
from types import CodeType, ModuleType, TracebackType
from typing import Any

CHECKER_FAILED = 3
# Audit events after which another process or library may have read the output.
_INDIRECT_ACCESS_EVENTS = ("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "ctypes.")


class OutputAccessMonitor:
    """Records whether the program's output has been opened."""

    def __init__(self, output: str) -> None:
        self.opened = not output
        self._name = output

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and not self.opened:
            path = arguments[0]
            if isinstance(path, bytes):
                path = os.fsdecode(path)
            self.opened = isinstance(path, int) or str(path).rpartition("/")[2] == self._name
        elif event.startswith(_INDIRECT_ACCESS_EVENTS):
            self.opened = True


def run(source: str, path: str, output: str) -> None:
    """Run `source` as the main program."""
    try:
        code: CodeType = compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        fail(source, path, error, None, CHECKER_FAILED)
    guard, main = sys.modules["__main__"], ModuleType("__main__")
    main.__dict__.update(__file__=path, __builtins__=guard.__dict__["__builtins__"], __annotations__={})
    sys.modules["__main__"] = main
    monitor = OutputAccessMonitor(output)
    if output and hasattr(sys, "addaudithook"):
        sys.addaudithook(monitor.audit)
    else:
        monitor.opened = True
    try:
        exec(code, main.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        if sys.excepthook is not sys.__excepthook__:
            raise
        trace = error.__traceback__ and error.__traceback__.tb_next
        own = not monitor.opened or is_own_mistake(error, trace, source, path)
        fail(source, path, error, trace, CHECKER_FAILED if own else 1)


def fail(source: str, path: str, error: BaseException, trace: TracebackType | None, code: int) -> None:
    """Report an exception like Python does, but with its last line first, and exit."""
    import linecache
    import traceback

    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
    sys.stderr.write("".join(traceback.format_exception_only(type(error), error)))
    traceback.print_exception(type(error), error, trace)
    raise SystemExit(code)


def is_own_mistake(error: BaseException, trace: TracebackType | None, source: str, path: str) -> bool:
    """Return whether the exception is caused by the source itself, whatever the output was."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    name = str(getattr(error, "name", None) or "")
    if isinstance(error, NameError) and not name:  # before Python 3.10
        name = str(error).split("'")[1]
    if isinstance(error, ImportError):
        return name.partition(".")[0] in source
    if trace is None or trace.tb_frame.f_code.co_filename != path:  # evaluated text, or a library's frame
        return False
    if isinstance(error, AttributeError):
        return isinstance(getattr(error, "obj", None), ModuleType) and f".{name}" in source
    return isinstance(error, NameError) and name not in collect_bound_names(source)


def collect_bound_names(source: str) -> set[str]:
    """Return every name that the source binds anywhere."""
    import ast

    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).partition(".")[0])
        elif isinstance(getattr(node, "name", None), str):  # functions, classes, handlers, patterns
            names.add(node.name)  # type: ignore[attr-defined]
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            names.update(node.names)
    return names
