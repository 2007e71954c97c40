"""The contexts of a REPL: namespaces of one interpreter that share its modules and files, but no variables.

Each context has a current directory. The names of contexts are the host's. A call names its context and all contexts
that still exist, and the REPL forgets the others.
"""

from __future__ import annotations

import builtins
import itertools
import os
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from sandbox.runner.session.cell import CellRunner


@dataclass(slots=True)
class Context:
    """One namespace. `directory` is its current directory while another context runs."""

    module: ModuleType
    cells: CellRunner
    directory: str


class Contexts:
    """All contexts of one REPL. The one with an empty name exists from the beginning."""

    def __init__(self, run_coroutine: Callable[[Any], Any]) -> None:
        self._run_coroutine = run_coroutine
        self._numbers = itertools.count(1)  # of all cells, because a cell's number is the name of its file
        self._contexts: dict[str, Context] = {}
        self._current = ""
        sys.modules["__main__"] = self._create("").module

    def enter(self, name: str, directory: str, kept: Collection[str]) -> CellRunner:
        """Switch to a context, which starts in `directory`, and drop those that are not `kept`. Raises OSError."""
        if name != self._current:
            self._leave()
            context = self._contexts.get(name) or self._create(name, directory)
            self._current = name
            sys.modules["__main__"] = context.module
            if context.directory:
                os.chdir(context.directory)
        for other in [other for other in self._contexts if other != name and other not in kept]:
            del self._contexts[other]
        return self._contexts[name].cells

    def _leave(self) -> None:
        if (context := self._contexts.get(self._current)) is not None:
            try:
                context.directory = os.getcwd()
            except OSError:  # it was deleted
                context.directory = ""

    def move(self, replace: Callable[[str], str]) -> None:
        """Change the directories of all contexts."""
        for context in self._contexts.values():
            context.directory = replace(context.directory)

    def _create(self, name: str, directory: str = "") -> Context:
        module = ModuleType("__main__")
        module.__dict__["__builtins__"] = builtins
        cells = CellRunner(module.__dict__, self._run_coroutine, self._numbers)
        context = self._contexts[name] = Context(module, cells, directory)
        return context
