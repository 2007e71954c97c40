"""Collect the results of unittest when a test's source runs it through `unittest.main()` or its own `TextTestRunner`.

A source that calls `unittest.main()` ends with SystemExit. A source that calls `unittest.main(exit=False)` reaches its
end even if every test failed. Neither shows whether the tests passed, so the results of the runs decide.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import TracebackType
from typing import Any

from sandbox.runner.reports import BROKEN, FAILED, PASSED, PROGRAM_FAILED

NO_TESTS = "unittest ran no test"
ALL_SKIPPED = "unittest skipped every test"
UNITTEST_MAIN_MODULE = "unittest.main"  # the module that ends the process after its tests have run


class UnittestRuns:
    """The results of the runs so far. `is_at_fault` returns whether an exception came from the program."""

    def __init__(self, is_at_fault: Callable[[BaseException | None], bool]) -> None:
        self.results: list[Any] = []
        self._is_at_fault = is_at_fault
        self._first_error: BaseException | None = None

    def patch_unittest(self, unittest: Any) -> None:
        """Patch unittest to record the result of each run, and the first exception that is not a failed assertion."""
        run, add_error = unittest.TextTestRunner.run, unittest.TestResult.addError

        def run_and_keep(runner: Any, test: Any) -> Any:
            result = run(runner, test)
            self.results.append(result)
            return result

        def keep_error(result: Any, test: Any, error: Any) -> None:
            self._first_error = self._first_error or error[1]
            add_error(result, test, error)

        unittest.TextTestRunner.run, unittest.TestResult.addError = run_and_keep, keep_error

    def summarize(self, exit_code: object = None) -> tuple[str, str]:
        """Return the end of the tests (one of the constants of `reports`) and the reason.

        A run without tests does not pass. Nor does a run after which the source exits with a code other than 0.
        """
        failures = [failure for result in self.results for failure in result.failures]
        errors = [error for result in self.results for error in result.errors]
        unexpected = [test for result in self.results for test in result.unexpectedSuccesses]
        if failures or errors:
            test, text = (failures or errors)[0]
            end = FAILED if failures or not self._is_at_fault(self._first_error) else PROGRAM_FAILED
            return end, f"{_get_test_name(test)}: {text.strip().rpartition(chr(10))[2]}"
        if unexpected:
            return FAILED, f"{_get_test_name(unexpected[0])}: unexpected success"
        if not any(result.testsRun for result in self.results):
            return BROKEN, NO_TESTS
        if all(result.testsRun <= len(result.skipped) for result in self.results):
            return BROKEN, ALL_SKIPPED
        return (FAILED, f"exit code {exit_code}") if exit_code else (PASSED, "")


def watch_runs(is_at_fault: Callable[[BaseException | None], bool]) -> UnittestRuns:
    """Record all unittest runs in this process from now on."""
    runs = UnittestRuns(is_at_fault)
    runs.patch_unittest(importlib.import_module("unittest"))
    return runs


def is_ended_by_test(trace: TracebackType | None, file: str) -> bool:
    """Return whether unittest.main() or the test's source in `file` raised the SystemExit with this traceback."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    return trace.tb_frame.f_globals.get("__name__") == UNITTEST_MAIN_MODULE or trace.tb_frame.f_code.co_filename == file


def _get_test_name(test: Any) -> str:
    return str(test.id()).removeprefix("__main__.")
