"""Compile and run one cell of Python in a namespace that later cells share."""

from __future__ import annotations
import __future__

import ast
import linecache
import sys
import traceback
from collections.abc import Callable, Iterator
from types import CodeType, TracebackType
from typing import Any, NamedTuple

from sandbox.runner.session.displays import Bundle, describe_object

CELL_PREFIX = "<cell "
_COROUTINE = 0x80  # inspect.CO_COROUTINE, without its 1 MB of imports
_FUTURE_FLAGS = 0
for _name in __future__.all_feature_names:
    _FUTURE_FLAGS |= getattr(__future__, _name).compiler_flag


class CellError(NamedTuple):
    """An exception that a cell did not catch. `line` is the line of the cell that raised it."""

    type: str
    message: str
    line: int | None
    traceback: str


class CellOutcome(NamedTuple):
    """The outcome of a cell. `exit_code` is 0, 1 after an exception, or the argument of `sys.exit`."""

    exit_code: int
    result: Bundle | None = None
    error: CellError | None = None
    interrupted: bool = False


class CellRunner:
    """Runs cells one after the other. `numbers` yields the number of each cell."""

    def __init__(self, namespace: dict[str, Any], run_coroutine: Callable[[Any], Any], numbers: Iterator[int]) -> None:
        self._namespace = namespace
        self._run_coroutine = run_coroutine
        self._flags = 0  # of the `from __future__` imports so far
        self._numbers = numbers
        namespace["_"] = self._last_result = ""

    def run(self, source: str) -> CellOutcome:
        """Run a cell. The outcome contains any exception that the cell raises, even KeyboardInterrupt or SystemExit."""
        filename = f"{CELL_PREFIX}{next(self._numbers)}>"
        linecache.cache[filename] = (len(source), None, [f"{line}\n" for line in source.split("\n")], filename)
        try:
            return CellOutcome(0, self._run_source(source, filename))
        except SystemExit as end:
            return _describe_exit(end, filename)
        except BaseException as error:  # noqa: BLE001 - the cell may raise anything
            return _describe_failure(error, filename)

    def _run_source(self, source: str, filename: str) -> Bundle | None:
        flags = self._flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        tree: Any = compile(source, filename, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
        last = tree.body[-1] if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        quiet = last is None or _ends_with_semicolon(source, last)
        expression = ast.Expression(tree.body.pop().value) if last is not None else None
        body = compile(tree, filename, "exec", flags, dont_inherit=True)
        flags |= body.co_flags & _FUTURE_FLAGS
        tail = None if expression is None else compile(expression, filename, "eval", flags, dont_inherit=True)
        self._flags |= body.co_flags & _FUTURE_FLAGS
        self._evaluate(body)
        value = None if tail is None else self._evaluate(tail)
        if value is None or quiet:
            return None
        return self._keep_result(value)

    def _evaluate(self, code: CodeType) -> Any:
        if code.co_flags & _COROUTINE:
            return self._run_coroutine(eval(code, self._namespace))
        return eval(code, self._namespace)

    def _keep_result(self, value: Any) -> Bundle:
        bundle = describe_object(value)
        if self._namespace.get("_") is self._last_result:  # otherwise the program uses this name itself
            self._namespace["_"] = self._last_result = value
        return bundle


def _ends_with_semicolon(source: str, node: ast.Expr) -> bool:
    line = source.splitlines()[(node.end_lineno or 1) - 1]
    return line.encode()[node.end_col_offset or 0 :].lstrip().startswith(b";")


def _describe_exit(end: SystemExit, filename: str) -> CellOutcome:
    code = end.code
    if code is None or code == 0:
        return CellOutcome(0)
    if isinstance(code, int):
        return CellOutcome(code & 0xFF, error=describe_error(end, filename))
    print(code, file=sys.stderr)
    return CellOutcome(1, error=describe_error(end, filename))


def _describe_failure(error: BaseException, filename: str) -> CellOutcome:
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, _skip_own_frames(error.__traceback__)
    return CellOutcome(1, error=describe_error(error, filename), interrupted=isinstance(error, KeyboardInterrupt))


def describe_error(error: BaseException, filename: str) -> CellError:
    """Describe an exception of the cell whose file name is `filename`.

    Never raises, even if the exception's own methods do.
    """
    own = _skip_own_frames(error.__traceback__)
    line = None
    if isinstance(error, SyntaxError) and error.filename == filename:
        line = error.lineno
    for frame, number in traceback.walk_tb(own):
        if frame.f_code.co_filename == filename:
            line = number
    try:
        message = str(error)
    except BaseException as failure:  # noqa: BLE001 - the exception's own code may raise anything
        message = f"<str() raised {type(failure).__name__}>"
    try:
        text = "".join(traceback.format_exception(type(error), error, own))
    except BaseException as failure:  # noqa: BLE001 - as above
        text = f"<the traceback cannot be formatted: {type(failure).__name__}>\n"
    return CellError(type(error).__name__, message, line, text)


def _skip_own_frames(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith(CELL_PREFIX):
        trace = trace.tb_next
    return trace
