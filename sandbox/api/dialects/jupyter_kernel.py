"""A kernel for notebook cells: one namespace, cell after cell, each cell's output apart. Runs in a box, as the program.

It reads {"cells": [...], "cell_timeout": s} from stdin and writes a line of JSON to stdout for each cell as it ends:
{"stdout", "stderr", "display", "error"}. Standard library only, and nothing of this package: its text is what is sent.
A cell that raises does not keep the next from running. Output is caught below Python, so that of child processes
counts too. Last expressions are displayed, `await` is allowed at the top level, and figures of matplotlib are displayed
where it is installed. There are no magics.
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

TIMEOUT_EXIT_CODE = 124  # as coreutils' timeout says it
MEDIA_TYPE_BY_METHOD = {"_repr_html_": "text/html", "_repr_markdown_": "text/markdown", "_repr_svg_": "image/svg+xml"}


class Kernel:
    """Keeps the namespace; `run` is one cell."""

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
            except BaseException as raised:  # noqa: BLE001 -- whatever a cell raises, SystemExit too, is its output
                error = [describe_exception(raised)]
        return {"stdout": captured.texts[0], "stderr": captured.texts[1], "display": self.displayed, "error": error}

    def execute(self, source: str, name: str) -> None:
        """All statements; the value of a last expression is displayed, unless a semicolon ends it."""
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
        """The figures that a cell leaves open, as the inline backend does."""
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
    """What is written to descriptors 1 and 2 in the meantime."""

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
    """An exception as Jupyter tells it, from the cell's own frame on."""
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
    os._exit(0)  # threads and children of cells end with the box's run


if __name__ == "__main__":
    main()
