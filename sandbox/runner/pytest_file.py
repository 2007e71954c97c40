"""A pytest file as the test of a program that runs in another box: pytest itself, with what it found told line by line.

Imported by a zygote of its own beforehand, with all that pytest imports by the time it runs (0.2 s). The lines go to
the stdout this process was given; what tests print goes nowhere.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from _pytest.config import default_plugins

from sandbox.runner import functions

if TYPE_CHECKING:
    from sandbox.runner.functions import Tested

FILE = "test_program.py"
MAX_MESSAGE = 500
OPTIONS = [
    "-p",
    "no:cacheprovider",
    "-p",
    "no:faulthandler",
    "-q",
    "--rootdir=.",
    "-c",
    os.devnull,
    "--import-mode=importlib",
]

for _name in default_plugins:
    importlib.import_module(f"_pytest.{_name}")


class Teller:
    """A pytest plugin: a line of JSON for the tests found, and one for each that has ended."""

    def __init__(self, descriptor: int, tested: Tested) -> None:
        self._descriptor, self._tested = descriptor, tested

    def tell(self, **what: Any) -> None:
        line = json.dumps(what).encode() + b"\n"
        while line:
            line = line[os.write(self._descriptor, line) :]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.tell(found=[_name_of(item.nodeid) for item in session.items])

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            fault = bool(self._tested.missing or self._tested.peer.raised)
            self.tell(broken=_last_line(str(report.longrepr)), fault=fault)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Any:
        report = (yield).get_result()
        if report.failed or report.skipped or report.when == "call":
            error = None if call.excinfo is None else call.excinfo.value
            outcome = (
                "error" if report.failed and error is not None and self._tested.at_fault(error) else report.outcome
            )
            if hasattr(report, "wasxfail") and report.skipped:
                outcome = "passed"
            message = "" if outcome == "passed" else _message(call)
            self.tell(name=_name_of(report.nodeid), outcome=outcome, message=message)


def run(source: str, tested: Tested) -> NoReturn:
    """Run the file's tests; exit 0 whatever they say, for that is told. `test_program.py` must not be there yet."""
    told = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    Path(FILE).write_text(source)
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.getcwd())
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    tested.peer.own_modules = frozenset({Path(FILE).stem, "conftest"})
    tested.peer.source = source
    pytest.main([*OPTIONS, FILE], plugins=[Teller(told, tested)])
    os._exit(0)


def _name_of(node_id: str) -> str:
    return node_id.partition("::")[2] or node_id


def _message(call: pytest.CallInfo[None]) -> str:
    if call.excinfo is None:
        return ""
    return call.excinfo.exconly(tryshort=True).partition("\n")[0][:MAX_MESSAGE]


def _last_line(text: str) -> str:
    lines = [line.removeprefix("E").strip() for line in text.splitlines() if line.startswith("E ")] or text.splitlines()
    return (lines[-1] if lines else "")[:MAX_MESSAGE]


functions.run_file.append(run)
