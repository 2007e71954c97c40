"""Run programs of cells in IPython and print the outcome of each cell: `ipython_reference.py < PROGRAMS`, as JSON.

IPython's pretty printer is off, so a value's plain text is its `repr`, as in a session.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any


def encode(bundle: dict[str, Any]) -> dict[str, Any]:
    return {
        name: base64.b64encode(content).decode() if isinstance(content, bytes) else content
        for name, content in bundle.items()
    }


def find_line(error: BaseException, filename: str) -> int | None:
    line = error.lineno if isinstance(error, SyntaxError) and error.filename == filename else None
    for frame, number in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == filename:
            line = number
    return line


def create_shell() -> Any:
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import CapturingDisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell

    class QuietDisplayHook(DisplayHook):
        def write_output_prompt(self) -> None: ...

        def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None: ...

        def finish_displayhook(self) -> None: ...

    shell_class: Any = InteractiveShell
    shell_class.clear_instance()
    shell_class.displayhook_class = QuietDisplayHook
    shell_class.display_pub_class = CapturingDisplayPublisher
    shell = shell_class.instance()
    shell.display_formatter.formatters["text/plain"].pprint = False
    shell.display_formatter.active_types = list(shell.display_formatter.formatters)
    shell.showtraceback = shell.showsyntaxerror = lambda *arguments, **options: None
    return shell


def run_cell(shell: Any, cell: str) -> dict[str, Any]:
    names: list[str] = []
    cache = shell.compile.cache

    def remember(*arguments: Any, **options: Any) -> Any:
        names.append(cache(*arguments, **options))
        return names[-1]

    shell.compile.cache = remember
    shell.display_pub.outputs.clear()
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        outcome = shell.run_cell(cell, store_history=True)
    shell.compile.cache = cache
    error = outcome.error_before_exec or outcome.error_in_exec
    result = None
    if outcome.result is not None:
        with contextlib.redirect_stderr(io.StringIO()):
            result = encode(shell.display_formatter.format(outcome.result)[0])
    return {
        "result": result,
        "displays": [encode(one["data"]) for one in shell.display_pub.outputs],
        "error": None if error is None else [type(error).__name__, find_line(error, names[0] if names else "")],
        "stdout": output.getvalue(),
    }


def main() -> None:
    programs = json.load(sys.stdin)
    outcomes = []
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        os.environ["IPYTHONDIR"] = folder
        os.chdir(folder)
        for program in programs:
            shell = create_shell()
            outcomes.append([run_cell(shell, cell) for cell in program])
            shell.history_manager.end_session()
            for path in Path(folder).glob("*.txt"):
                path.unlink()
    json.dump(outcomes, sys.stdout)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
