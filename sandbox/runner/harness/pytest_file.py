"""Run a pytest file as the test of a program.

Real pytest runs it, and a plugin reports every test found and every result.

A separate zygote imports this module in advance, with everything that pytest imports while it runs (0.2 s). Output of
tests is discarded. The worker counts a test that was found but has no result as not passed.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import unittest
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import _pytest
import pytest
from _pytest.config import default_plugins
from _pytest.nodes import Collector

from sandbox.runner.harness import assert_tests, shared_process
from sandbox.runner.harness.failure_messages import MAX_MESSAGE_CHARS
from sandbox.runner.harness.shared_process import SharedProgram
from sandbox.runner.harness.tested_program import TestedProgram
from sandbox.runner.reports import BROKEN, FAILED, PASSED, PROGRAM_FAILED, SKIPPED, Reporter
from sandbox.runner.rpc.class_proxies import ClassProxy
from sandbox.runner.rpc.source_names import COMPILE_ERRORS, SourceNames, merge_names, read_names

TEST_FILE = "test_program.py"
PROGRAM_FILE = "main.py"
PYTEST_OPTIONS = [
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
SKIPPED_BY_PROGRAM = "the program skipped the test"
SKIP_EXCEPTIONS = (pytest.skip.Exception, pytest.xfail.Exception, unittest.SkipTest)
FaultCheck = Callable[[BaseException | None], bool]
LIBRARY_FOLDERS = (f"{Path(_pytest.__file__).parents[1]}/", f"{Path(os.__file__).parent}/")

for _name in default_plugins:
    importlib.import_module(f"_pytest.{_name}")


class PytestReporter:
    """A pytest plugin that reports each test found and its result.

    `is_at_fault` returns whether an exception came from the program. `is_broken_by` returns whether an exception that
    ended the collection means that the file fails with any program. `program_file` is the program's path if the program
    shares this process.
    """

    def __init__(
        self, reporter: Reporter, is_at_fault: FaultCheck, is_broken_by: FaultCheck, program_file: str = ""
    ) -> None:
        self._reporter = reporter
        self._is_at_fault = is_at_fault
        self._is_broken_by = is_broken_by
        self._program_file = program_file
        self._is_broken = False

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Drop test functions that the file imported from the program."""
        if self._program_file:
            items[:] = [item for item in items if _get_source_file(item) != self._program_file]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if not self._is_broken:
            for item in session.items:
                self._reporter.emit(found=_get_test_name(item.nodeid))

    def pytest_exception_interact(self, call: pytest.CallInfo[Any], report: Any) -> None:
        if isinstance(report, pytest.CollectReport):
            self._report_broken(None if call.excinfo is None else call.excinfo.value, str(report.longrepr))

    def _report_broken(self, error: BaseException | None, text: str) -> None:
        self._is_broken = True
        while isinstance(error, Collector.CollectError) and error.__cause__ is not None:
            error = error.__cause__
        end = PROGRAM_FAILED if self._is_at_fault(error) else BROKEN if self._is_broken_by(error) else FAILED
        self._reporter.emit(end=end, message=_find_last_line(text))

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Any:
        raised = _get_error(call)  # before pytest replaces unittest's skip exception with its own
        report = (yield).get_result()
        if report.failed or report.skipped or report.when == "call":
            outcome, message = self._classify_outcome(report, call, raised)
            self._reporter.emit(name=_get_test_name(report.nodeid), outcome=outcome, message=message)

    def _classify_outcome(
        self, report: pytest.TestReport, call: pytest.CallInfo[None], raised: BaseException | None
    ) -> tuple[str, str]:
        if report.passed:
            return PASSED, ""
        error = _get_error(call)
        if report.failed:
            return PROGRAM_FAILED if self._is_at_fault(error) else FAILED, _format_message(report, call)
        skips = [one for one in (raised, error, error and error.__context__) if isinstance(one, SKIP_EXCEPTIONS)]
        if not all(map(self._is_of_test, skips)):
            return PROGRAM_FAILED, SKIPPED_BY_PROGRAM
        return (PASSED, "") if hasattr(report, "wasxfail") else (SKIPPED, _format_message(report, call))

    def _is_of_test(self, skip: BaseException) -> bool:
        """Return whether a skip came from a mark or from one of the test's own files.

        In a shared process, the innermost frame outside of libraries must be in a test file in the program's directory.
        Otherwise only the test can have raised the skip.
        """
        innermost, trace = "", skip.__traceback__
        while trace is not None:
            name = trace.tb_frame.f_code.co_filename
            if not name.startswith(LIBRARY_FOLDERS):
                innermost = name
            trace = trace.tb_next
        if not self._program_file or not innermost:
            return True
        return innermost != self._program_file and innermost.startswith(f"{os.path.dirname(self._program_file)}/")


def wrap_setattr(change: Callable[..., None]) -> Callable[..., None]:
    """Wrap `MonkeyPatch.setattr` so that it can also restore attributes of the program's classes.

    The original method reads the previous value from the class's `__dict__`, which a proxy does not have.
    """

    def change_and_keep(patch: Any, target: Any, name: Any, *args: Any, **kwargs: Any) -> None:
        before = getattr(target, name, None) if isinstance(target, ClassProxy) else None
        change(patch, target, name, *args, **kwargs)
        if before is not None:
            patch._setattr[-1] = (target, name, before)

    return change_and_keep


pytest.MonkeyPatch.setattr = wrap_setattr(pytest.MonkeyPatch.setattr)  # type: ignore[method-assign]


def run(source: str, program: TestedProgram) -> NoReturn:
    """Run the file's tests against a program in another box. `test_program.py` must not exist yet."""
    program.peer.trust.own_modules = frozenset({Path(TEST_FILE).stem, "conftest"})
    program.peer.trust.set_source(source)
    support_names = [_read_source_names(path.read_text(errors="replace"), program) for path in _list_support_files()]
    program.set_source_names(merge_names(_read_source_names(source, program), support_names))

    def is_broken_by(error: BaseException | None) -> bool:
        own = isinstance(error, SyntaxError) and str(error.filename).startswith(f"{os.getcwd()}/")
        return own or not program.peer.was_used or type(error) is NameError or program.is_broken_by(error)

    code = run_file(source, PytestReporter(program.reporter, program.is_at_fault, is_broken_by))
    is_program_fault = bool(program.missing_names or program.peer.last_raised)
    end_session(program.reporter, code, is_program_fault)


def run_shared(source: str, reporter: Reporter, program: SharedProgram) -> NoReturn:
    """Run the file's tests in the process of the program they test."""
    # A file that looks broken here is tried again in a setup where the program cannot have broken it.
    plugin = PytestReporter(reporter, shared_process.build_fault_check(program), lambda error: True, program.path)
    options = [] if program.has_conftest else ["--noconftest"]
    end_session(reporter, run_file(source, plugin, options), is_program_fault=False)


def run_file(source: str, plugin: PytestReporter, options: Sequence[str] = ()) -> int:
    """Run pytest on the file in the current directory; return its exit code."""
    Path(TEST_FILE).write_text(source)
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.getcwd())
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(name, None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return int(pytest.main([*PYTEST_OPTIONS, *options, TEST_FILE], plugins=[plugin]))


def end_session(reporter: Reporter, code: int, is_program_fault: bool) -> NoReturn:
    """Report that pytest has ended, and exit. The worker ignores all but the first such report.

    If conftest.py cannot be imported, pytest ends before it finds any test.
    """
    if code == pytest.ExitCode.USAGE_ERROR:
        reporter.emit(end=PROGRAM_FAILED if is_program_fault else BROKEN, message="pytest cannot import conftest.py")
    if code == pytest.ExitCode.INTERNAL_ERROR:
        reporter.emit(end=FAILED, message="pytest failed while it ran a test")
    reporter.emit(end=PASSED)
    os._exit(0)


def _read_source_names(source: str, program: TestedProgram) -> SourceNames:
    try:
        return read_names(source, compile(source, TEST_FILE, "exec", dont_inherit=True), program.module_names)
    except COMPILE_ERRORS:  # pytest will report it
        return SourceNames()


def _list_support_files() -> list[Path]:
    return [path for path in Path().rglob("*.py") if path.name != PROGRAM_FILE]


def _get_source_file(item: pytest.Item) -> str:
    function = inspect.unwrap(getattr(item, "function", None) or len)
    code = getattr(function, "__code__", None)
    return "" if code is None else str(code.co_filename)


def _get_error(call: pytest.CallInfo[None]) -> BaseException | None:
    return None if call.excinfo is None else call.excinfo.value


def _get_test_name(node_id: str) -> str:
    return node_id.partition("::")[2] or node_id


def _format_message(report: pytest.TestReport, call: pytest.CallInfo[None]) -> str:
    if call.excinfo is None:  # a test that is marked as an expected failure but passed
        return str(report.longrepr or "")[:MAX_MESSAGE_CHARS]
    return call.excinfo.exconly(tryshort=True).partition("\n")[0][:MAX_MESSAGE_CHARS]


def _find_last_line(text: str) -> str:
    lines = [line.removeprefix("E").strip() for line in text.splitlines() if line.startswith("E ")] or text.splitlines()
    return (lines[-1] if lines else "")[:MAX_MESSAGE_CHARS]


assert_tests.PYTEST_RUNNERS.append(run)
shared_process.PYTEST_RUNNERS.append(run_shared)
