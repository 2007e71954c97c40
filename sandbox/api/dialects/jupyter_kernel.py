"""A kernel for notebook cells with one shared namespace. It captures each cell's output and runs as a program in a box.

It reads {"cells": [...], "cell_timeout": s} from stdin, and writes a line of JSON to stdout as each cell ends:
{"stdout", "stderr", "display", "error"}. The source of this file is sent to the box, so it uses only the standard
library and nothing of this package. If a cell raises, the next cell still runs. Output is captured at the level of file
descriptors, which includes the output of child processes. The kernel displays last expressions and, if matplotlib is
installed, its figures. It allows `await` at the top level and has no magics.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import inspect
import json
import linecache
import os
import signal
import sys
import tempfile
import traceback
from base64 import b64encode
from types import ModuleType
from typing import Any

TIMEOUT_EXIT_CODE = 124  # the exit code of coreutils' timeout
MEDIA_TYPE_BY_METHOD = {"_repr_html_": "text/html", "_repr_markdown_": "text/markdown", "_repr_svg_": "image/svg+xml"}


class Kernel:
    """Keeps the namespace of the notebook. `run_cell` runs one cell."""

    def __init__(self) -> None:
        self.main_module = ModuleType("__main__")
        self.main_module.__dict__["__builtins__"] = builtins
        self.main_module.__dict__["display"] = self.display
        sys.modules["__main__"] = self.main_module
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.displayed: list[dict[str, str]] = []

    def run_cell(self, source: str, name: str) -> dict[str, Any]:
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
        self.displayed, error = [], []
        with CapturedOutput() as captured:
            try:
                self.execute(source, name)
                self.display_figures()
            except BaseException as raised:  # noqa: BLE001 -- whatever a cell raises is its output, even SystemExit
                error = [describe_exception(raised)]
        return {"stdout": captured.texts[0], "stderr": captured.texts[1], "display": self.displayed, "error": error}

    def execute(self, source: str, name: str) -> None:
        """Run all statements. If the last one is an expression without a trailing semicolon, display its value."""
        tree = ast.parse(source, name)
        last = tree.body[-1] if tree.body else None
        if not isinstance(last, ast.Expr):
            self.evaluate(compile(tree, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT))
            return
        del tree.body[-1]
        self.evaluate(compile(tree, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT))
        expression = ast.Expression(last.value)
        value = self.evaluate(compile(expression, name, "eval", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT))
        if value is not None and not source.rstrip().endswith(";"):
            self.main_module.__dict__["_"] = value
            self.display(value)

    def evaluate(self, code: Any) -> Any:
        result = eval(code, self.main_module.__dict__)
        if code.co_flags & inspect.CO_COROUTINE:
            return self.loop.run_until_complete(result)
        return result

    def display(self, *values: Any) -> None:
        for value in values:
            data = {"text/plain": repr(value)}
            for method, kind in MEDIA_TYPE_BY_METHOD.items():
                rich = getattr(value, method, None)
                if callable(rich) and not isinstance(value, type) and (text := rich()):
                    data[kind] = text
            png = getattr(value, "_repr_png_", None)
            if callable(png) and not isinstance(value, type) and (image := png()):
                data["image/png"] = b64encode(image).decode()
            self.displayed.append(data)

    def display_figures(self) -> None:
        """Display the figures that a cell leaves open, as Jupyter's inline backend does."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return
        for number in pyplot.get_fignums():
            figure = pyplot.figure(number)
            with tempfile.TemporaryFile() as file:
                figure.savefig(file, format="png")
                file.seek(0)
                self.displayed.append({"text/plain": repr(figure), "image/png": b64encode(file.read()).decode()})
        pyplot.close("all")


class CapturedOutput:
    """Captures everything written to file descriptors 1 and 2 within the context."""

    def __enter__(self) -> CapturedOutput:
        self.files = [tempfile.TemporaryFile() for _ in (1, 2)]  # noqa: SIM115 -- closed by `__exit__`
        self.saved_descriptors = [os.dup(number) for number in (1, 2)]
        self.texts: list[str] = []
        for number, file in enumerate(self.files, start=1):
            os.dup2(file.fileno(), number)
        return self

    def __exit__(self, *_: object) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, (file, before) in enumerate(zip(self.files, self.saved_descriptors, strict=True), start=1):
            os.dup2(before, number)
            os.close(before)
            file.seek(0)
            self.texts.append(file.read().decode(errors="replace"))
            file.close()


def describe_exception(raised: BaseException) -> dict[str, Any]:
    """Describe an exception in Jupyter's format, starting at the cell's own frame."""
    found = raised.__traceback__
    while found is not None and found.tb_frame.f_code.co_filename == __file__:
        found = found.tb_next
    lines = traceback.format_exception(type(raised), raised, found)
    return {"ename": type(raised).__name__, "evalue": str(raised), "traceback": [line.rstrip("\n") for line in lines]}


def exit_on_timeout(*_: object) -> None:
    os._exit(TIMEOUT_EXIT_CODE)


def main() -> None:
    request = json.loads(sys.stdin.read())
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    report = os.fdopen(os.dup(1), "wb")
    os.environ.setdefault("MPLBACKEND", "Agg")
    signal.signal(signal.SIGALRM, exit_on_timeout)
    kernel = Kernel()
    for number, source in enumerate(request["cells"], start=1):
        signal.setitimer(signal.ITIMER_REAL, max(0.0, request["cell_timeout"]))
        cell = kernel.run_cell(source, f"<cell {number}>")
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        report.write(json.dumps(cell).encode() + b"\n")
        report.flush()
    os._exit(0)  # threads and child processes of cells end with the run


if __name__ == "__main__":
    main()
