"""Run assert tests: source that raises on failure, in a different process and box from the program it tests.

The source sees the program's functions and classes as proxies, which forward each use to the program (`rpc`). The
program sees these calls but never the test. The test compares values of builtin types, so the program cannot answer
with an object that equals everything. Patched builtins and early exits of the program stay in its own box.

The source runs as `python3 test.py` would run it: it is `__main__`, and `unittest.main()` finds its classes. It passes
if it reaches its end and has used the program. It reports this to the worker (`reports`).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NoReturn

from sandbox.runner.harness import failure_messages, unittest_runs
from sandbox.runner.harness.tested_builtin import find_tested_builtin
from sandbox.runner.harness.tested_program import TestedModule, TestedProgram
from sandbox.runner.reports import BROKEN, FAILED, PASSED, PROGRAM_FAILED, Reporter, discard_stdout
from sandbox.runner.rpc.class_proxies import ClassProxy
from sandbox.runner.rpc.proxies import Proxy
from sandbox.runner.rpc.source_names import COMPILE_ERRORS, TEST_FILE, iterate_names, read_names
from sandbox.runner.zygote.function_calls import PROGRAM_MODULE_NAMES

# The functions of `pytest_file` that run a file. The list stays empty unless this interpreter has imported that module.
PYTEST_RUNNERS: list[Callable[[str, TestedProgram], NoReturn]] = []


class EntryPoint:
    """The function under test, which is looked up by name. If it is a method, each call creates a new instance."""

    def __init__(self, program: TestedProgram, name: str) -> None:
        self._program, self._name = program, name
        self._function: Any = None
        self.__name__ = self.__qualname__ = name.rpartition(".")[2]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._function is None:
            try:
                self._function = self._program.get(self._name, allow_class=False)
            except KeyError:
                self._program.peer.last_raised = NameError(f"the program has no {self._name}")
                raise self._program.peer.last_raised from None
        function = self._function
        if "." in self._name:
            self._function = None
        return function(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in {"__doc__", "__wrapped__", "__signature__", "__annotations__"}:
            raise AttributeError(name)
        return getattr(self._program.get(self._name, allow_class=False), name)


class TestBuiltins(dict[str, Any]):
    """The builtins of a test. A name that neither the test nor Python defines is looked up in the program.

    The entry point is available under its own name and as `candidate`. If the source tests a function named like a
    builtin, that name also refers to the program's function.
    """

    def __init__(self, builtins: Mapping[str, Any], program: TestedProgram, entry_point: str = "") -> None:
        super().__init__(builtins)
        self._program, self._entry_point = program, entry_point
        self._entry_names = {"candidate", entry_point.rpartition(".")[2]} if entry_point else set()
        self._builtins = builtins
        self.look_up_in_program(*self._entry_names)

    def look_up_in_program(self, *names: str) -> None:
        """Look these names up in the program even though Python also defines them."""
        for name in names:
            self.pop(name, None)

    def __missing__(self, name: str) -> Any:
        if name in self._entry_names:
            found = get_entry_point(self._program, self._entry_point)
            self.update(dict.fromkeys(self._entry_names, found))
            return found
        if name in self._builtins:
            found = self._program.find(name)
            self[name] = self._builtins[name] if found is None else found
            return self[name]
        if name.startswith("__"):
            raise KeyError(name)
        found = self._program.get(name)
        if isinstance(found, Proxy | ClassProxy | ModuleType):
            self[name] = found
        return found


def run_test(builtins: Mapping[str, Any]) -> NoReturn:
    """Read the test from stdin, run it against the program behind the descriptors, and report how it ended."""
    request = json.loads(sys.stdin.buffer.read())
    reporter = Reporter(os.dup(1), request["nonce"])
    discard_stdout()
    program = TestedProgram(reporter, PROGRAM_MODULE_NAMES.union(request.get("modules", ())))
    for name in program.module_names:
        sys.modules[name] = TestedModule(name, program)
    if "file" in request:
        run_pytest(request["file"], program)
    end, message = run_source(request["source"], TestBuiltins(builtins, program, request["entry_point"]), program)
    reporter.emit(end=end, message=message)
    os._exit(0)


def run_pytest(source: str, program: TestedProgram) -> NoReturn:
    if PYTEST_RUNNERS:
        PYTEST_RUNNERS[0](source, program)
    program.reporter.emit(end=BROKEN, message=failure_messages.PYTEST_NOT_INSTALLED)
    os._exit(0)


def get_entry_point(program: TestedProgram, name: str) -> Any:
    """Return the function or class under test; for a method, a callable that creates an instance per call."""
    found = None if "." in name else program.find(name, allow_class=False)
    program.peer.note_entry_point(found, name)
    return EntryPoint(program, name) if found is None else found


def run_source(source: str, builtins: TestBuiltins, program: TestedProgram) -> tuple[str, str]:
    """Run an assert test; return its end (one of the constants of `reports`) and the reason."""
    main = ModuleType("__main__")
    main.__dict__.update(__builtins__=builtins, __file__=f"{os.getcwd()}/{TEST_FILE}")
    program.peer.trust.own_modules = frozenset({main.__name__})
    sys.modules["__main__"] = main
    sys.argv[:] = [TEST_FILE]
    try:
        code = compile(source, TEST_FILE, "exec", dont_inherit=True)
        program.set_source_names(read_names(source, code, program.module_names))
        program.peer.trust.set_source(source)
        if not program.source_names.free and (name := find_tested_builtin(source)):
            builtins.look_up_in_program(name)
    except COMPILE_ERRORS as error:
        return BROKEN, failure_messages.format_last_line(error)
    runs = unittest_runs.watch_runs(program.is_at_fault) if "unittest" in iterate_names(code) else None
    exit_code: object = None
    try:
        exec(code, main.__dict__)
    except SystemExit as request:
        if not (runs and runs.results and unittest_runs.is_ended_by_test(request.__traceback__, TEST_FILE)):
            return FAILED, failure_messages.explain_failure(request)
        exit_code = request.code
    except BaseException as error:  # noqa: BLE001 - the test's verdict, whatever it raises
        if program.is_broken_by(error):
            return BROKEN, failure_messages.format_last_line(error)
        return PROGRAM_FAILED if program.is_at_fault(error) else FAILED, failure_messages.format_last_line(error)
    end, message = runs.summarize(exit_code) if runs and runs.results else (PASSED, "")
    return (end, message) if program.peer.was_used or end != PASSED else (BROKEN, failure_messages.PROGRAM_NEVER_USED)
