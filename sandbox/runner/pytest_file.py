"""A pytest file as the test of a program: pytest itself, with a report of each test that it found and that has ended.

Imported by a zygote of its own beforehand, with all that pytest imports by the time it runs (0.2 s). What tests print
goes nowhere. A test that was found and has no report has not passed: the worker sees to that.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import unittest
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import _pytest
import pytest
from _pytest.config import default_plugins
from _pytest.nodes import Collector

from sandbox.runner import asserts, shared
from sandbox.runner.remotes import RemoteClass
from sandbox.runner.reports import BROKEN, FAILED, PASSED, PROGRAM_FAILED, SKIPPED, Reporter
from sandbox.runner.source_names import SourceNames, merge, read_names

if TYPE_CHECKING:
    from sandbox.runner.asserts import Tested
    from sandbox.runner.shared import Program

FILE = "test_program.py"
PROGRAM_FILE = "main.py"
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
NOT_OF_THE_TEST = "the program skipped the test"
SKIPS = (pytest.skip.Exception, pytest.xfail.Exception, unittest.SkipTest)
Judge = Callable[[BaseException | None], bool]
LIBRARIES = (f"{Path(_pytest.__file__).parents[1]}/", f"{Path(os.__file__).parent}/")

for _name in default_plugins:
    importlib.import_module(f"_pytest.{_name}")


class Teller:
    """A pytest plugin that reports the tests found, and each that has ended.

    `at_fault` says whether an exception is the program's, and `is_broken_by` whether one that ended the collection says
    that the file fails with any program. `program_file` is the program's path where it shares this process.
    """

    def __init__(self, report: Reporter, at_fault: Judge, is_broken_by: Judge, program_file: str = "") -> None:
        self._report = report
        self._at_fault = at_fault
        self._is_broken_by = is_broken_by
        self._program_file = program_file
        self._broken = False

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out test functions that the file imported from the program."""
        if self._program_file:
            items[:] = [item for item in items if _file_of(item) != self._program_file]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if not self._broken:
            for item in session.items:
                self._report.tell(found=_name_of(item.nodeid))

    def pytest_exception_interact(self, call: pytest.CallInfo[Any], report: Any) -> None:
        if isinstance(report, pytest.CollectReport):
            self._end_broken(None if call.excinfo is None else call.excinfo.value, str(report.longrepr))

    def _end_broken(self, error: BaseException | None, text: str) -> None:
        self._broken = True
        while isinstance(error, Collector.CollectError) and error.__cause__ is not None:
            error = error.__cause__
        end = PROGRAM_FAILED if self._at_fault(error) else BROKEN if self._is_broken_by(error) else FAILED
        self._report.tell(end=end, message=_last_line(text))

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Any:
        raised = _error_of(call)  # before pytest makes a skip of its own out of unittest's
        report = (yield).get_result()
        if report.failed or report.skipped or report.when == "call":
            outcome, message = self._outcome_of(report, call, raised)
            self._report.tell(name=_name_of(report.nodeid), outcome=outcome, message=message)

    def _outcome_of(
        self, report: pytest.TestReport, call: pytest.CallInfo[None], raised: BaseException | None
    ) -> tuple[str, str]:
        if report.passed:
            return PASSED, ""
        error = _error_of(call)
        if report.failed:
            return PROGRAM_FAILED if self._at_fault(error) else FAILED, _message(report, call)
        skips = [one for one in (raised, error, error and error.__context__) if isinstance(one, SKIPS)]
        if not all(map(self._is_of_test, skips)):
            return PROGRAM_FAILED, NOT_OF_THE_TEST
        return (PASSED, "") if hasattr(report, "wasxfail") else (SKIPPED, _message(report, call))

    def _is_of_test(self, skip: BaseException) -> bool:
        """Whether a mark or a file of the test raised a skip: the innermost frame, but for those of libraries, is in a
        file beside the program's. Where the program does not share this process, nobody else can have.
        """
        innermost, trace = "", skip.__traceback__
        while trace is not None:
            name = trace.tb_frame.f_code.co_filename
            if not name.startswith(LIBRARIES):
                innermost = name
            trace = trace.tb_next
        if not self._program_file or not innermost:
            return True
        return innermost != self._program_file and innermost.startswith(f"{os.path.dirname(self._program_file)}/")


def restoring(change: Callable[..., None]) -> Callable[..., None]:
    """Have monkeypatch restore what it changes of a class of the program's, too: it looks in the `__dict__` of a class
    for what was there before, and a stand-in has none.
    """

    def change_and_keep(patch: Any, target: Any, name: Any, *args: Any, **kwargs: Any) -> None:
        before = getattr(target, name, None) if isinstance(target, RemoteClass) else None
        change(patch, target, name, *args, **kwargs)
        if before is not None:
            patch._setattr[-1] = (target, name, before)

    return change_and_keep


pytest.MonkeyPatch.setattr = restoring(pytest.MonkeyPatch.setattr)  # type: ignore[method-assign]


def run(source: str, tested: Tested) -> NoReturn:
    """Run the file's tests against a program in another box. `test_program.py` must not be there yet."""
    tested.peer.own_modules = frozenset({Path(FILE).stem, "conftest"})
    tested.peer.set_source(source)
    beside = [_names_in(path.read_text(errors="replace"), tested) for path in _files()]
    tested.read(merge(_names_in(source, tested), beside))

    def is_broken_by(error: BaseException | None) -> bool:
        own = isinstance(error, SyntaxError) and str(error.filename).startswith(f"{os.getcwd()}/")
        return own or not tested.peer.used or type(error) is NameError or tested.is_broken_by(error)

    code = run_file(source, Teller(tested.report, tested.at_fault, is_broken_by))
    fault = bool(tested.missing or tested.peer.raised)
    end_session(tested.report, code, fault)


def run_shared(source: str, report: Reporter, program: Program) -> NoReturn:
    """Run the file's tests in the process of the program they test."""
    # What looks broken here is tried again where the program cannot have broken it.
    teller = Teller(report, shared.program_at_fault(program), lambda error: True, program.path)
    options = [] if program.conftest else ["--noconftest"]
    end_session(report, run_file(source, teller, options), fault=False)


def run_file(source: str, teller: Teller, options: Sequence[str] = ()) -> int:
    """Run pytest on the file in the current directory; return its exit code."""
    Path(FILE).write_text(source)
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.getcwd())
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(name, None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return int(pytest.main([*OPTIONS, *options, FILE], plugins=[teller]))


def end_session(report: Reporter, code: int, fault: bool) -> NoReturn:
    """Report the end of pytest; the first report of an end counts. A conftest.py that cannot be imported ends it before
    it has found a test.
    """
    if code == pytest.ExitCode.USAGE_ERROR:
        report.tell(end=PROGRAM_FAILED if fault else BROKEN, message="pytest cannot import conftest.py")
    if code == pytest.ExitCode.INTERNAL_ERROR:
        report.tell(end=FAILED, message="pytest failed while it ran a test")
    report.tell(end=PASSED)
    os._exit(0)


def _names_in(source: str, tested: Tested) -> SourceNames:
    try:
        return read_names(source, compile(source, FILE, "exec", dont_inherit=True), tested.module_names)
    except asserts.NOT_COMPILED:  # pytest will say so
        return SourceNames()


def _files() -> list[Path]:
    return [path for path in Path().rglob("*.py") if path.name != PROGRAM_FILE]


def _file_of(item: pytest.Item) -> str:
    function = inspect.unwrap(getattr(item, "function", None) or len)
    code = getattr(function, "__code__", None)
    return "" if code is None else str(code.co_filename)


def _error_of(call: pytest.CallInfo[None]) -> BaseException | None:
    return None if call.excinfo is None else call.excinfo.value


def _name_of(node_id: str) -> str:
    return node_id.partition("::")[2] or node_id


def _message(report: pytest.TestReport, call: pytest.CallInfo[None]) -> str:
    if call.excinfo is None:  # a test that passed and was marked to fail
        return str(report.longrepr or "")[: asserts.MAX_MESSAGE_CHARS]
    return call.excinfo.exconly(tryshort=True).partition("\n")[0][: asserts.MAX_MESSAGE_CHARS]


def _last_line(text: str) -> str:
    lines = [line.removeprefix("E").strip() for line in text.splitlines() if line.startswith("E ")] or text.splitlines()
    return (lines[-1] if lines else "")[: asserts.MAX_MESSAGE_CHARS]


asserts.run_file.append(run)
asserts.run_shared_file.append(run_shared)
