"""Assert tests: source that raises on failure, run in a different process and box from the program it tests.

The source sees the program's functions and classes as proxies that ask the program (`rpc`). The program sees the calls
but never the test. The test compares values of builtin types, so the program cannot answer with an object that equals
everything. Patched builtins and early exits of the program stay in its own box.

The source runs as `python3 test.py` would run it: it is `__main__`, and `unittest.main()` finds its classes. It passes
if it reaches its end and has used the program. It reports this to the worker (`reports`).
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from sandbox.runner.harness import unittest_runs
from sandbox.runner.harness.tested_builtin import find_tested_builtin
from sandbox.runner.reports import BROKEN, ENDED_EARLY, FAILED, PASSED, PROGRAM_FAILED, Reporter
from sandbox.runner.rpc import rpc_peer, shared_files
from sandbox.runner.rpc.proxies import ClassProxy, Proxy
from sandbox.runner.rpc.source_names import BUILTIN_NAMES, SourceNames, iterate_names, read_names
from sandbox.runner.zygote.function_calls import ANSWERS_DESCRIPTOR, CALLS_DESCRIPTOR, PROGRAM_MODULE_NAME

if TYPE_CHECKING:
    from sandbox.runner.harness.shared_process import SharedProgram

PROGRAM_MODULE_NAMES = frozenset({PROGRAM_MODULE_NAME, "main"})
TEST_FILE = "test.py"
MAX_MESSAGE_CHARS = 500
PROGRAM_NEVER_USED = "the test never used the program, so it tests nothing"
PYTEST_NOT_INSTALLED = "python3-pytest is not installed in this box"
# The functions of `pytest_file` that run a file. The list stays empty unless this interpreter has imported that module.
PYTEST_RUNNERS: list[Callable[[str, TestedProgram], NoReturn]] = []
SHARED_PYTEST_RUNNERS: list[Callable[[str, Reporter, SharedProgram], NoReturn]] = []

COMPILE_ERRORS = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)


class TestPeer(rpc_peer.RpcPeer):
    """The test's side of the connection. It records whether the test has asked the program for anything."""

    __test__ = False
    was_used = False

    def exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        self.was_used = True
        return super().exchange(request)


class TestedProgram:
    """The program as its test sees it."""

    def __init__(self, reporter: Reporter, modules: frozenset[str] = PROGRAM_MODULE_NAMES) -> None:
        self.reporter = reporter
        self.module_names = modules
        self.source_names = SourceNames()
        self.missing_names: set[str] = set()
        self.peer = TestPeer(
            os.fdopen(os.dup(CALLS_DESCRIPTOR), "rb"),
            os.fdopen(os.dup(ANSWERS_DESCRIPTOR), "wb"),
            refuse_request,
            self._end_program_failed,
        )
        self.peer.look_up = self.find

    def set_source_names(self, names: SourceNames, bound: Iterable[str] = ()) -> None:
        """Store the names in the test's source, which determine what the program may be asked for.

        `bound` names the free names that are already defined for the source.
        """
        self.source_names = names
        self.peer.expected_names = names.free.difference(bound)
        if not names.words.isdisjoint(shared_files.TEMPORARY_FILE_NAMES):
            self.peer.share_files(shared_files.TestFiles(self._end_program_failed, self._end_broken))

    def find(self, name: str, allow_class: bool = True) -> Any:
        """Look up a global of the program; return None if there is none."""
        try:
            return self.get(name, allow_class)
        except KeyError:
            return None

    def get(self, name: str, allow_class: bool = True) -> Any:
        """Look up a global of the program. Raises KeyError. With `allow_class` False it may not be a class.

        If the program's global is a module that the test's source names, return the module of the test's own process. A
        name that the source uses as a module always means that module, whatever the program defines under the name.
        """
        answer = self._request_name(name)
        if name not in self.source_names.as_modules and "module" not in answer:
            found = self._check_exception_class(self.peer.decode_answer(answer))
            if allow_class:
                self.peer.note_lookup(found, name)
            return found
        if allow_class and name in self.source_names.modules:
            return self.source_names.modules[name]
        self.missing_names.add(name)
        raise KeyError(name)

    def _check_exception_class(self, found: Any) -> Any:
        """Refuse an exception class that would catch the test's own failed assertion."""
        if isinstance(found, type) and issubclass(AssertionError, found):
            self.peer.last_raised = TypeError(f"the program may not provide the exception class {found.__name__}")
            raise self.peer.last_raised
        return found

    def _request_name(self, name: str) -> dict[str, Any]:
        answer = self.peer.exchange({"do": "get", "name": name})
        if answer.get("missing") == name:
            self.missing_names.add(name.partition(".")[0])
            raise KeyError(name)
        return answer

    def set(self, name: str, value: Any) -> None:
        self.peer.ask({"do": "set", "name": name, "value": self.peer.encode(value)})

    def delete(self, name: str) -> None:
        self.peer.ask({"do": "delete", "name": name})

    def list_star_names(self) -> list[str]:
        """Return the names that `from solution import *` binds: public ones that the test's source mentions.

        The program cannot bind any other name, which pytest or unittest might collect. It cannot hide a builtin or a
        name that the source binds itself.
        """
        answer = self.peer.ask({"do": "names", "name": ""})
        names = {name for name in answer or () if isinstance(name, str) and not name.startswith("_")}
        return sorted((names & self.source_names.words) - BUILTIN_NAMES - self.source_names.bound)

    def is_at_fault(self, error: BaseException | None) -> bool:
        """Return whether the exception that ended the test came from the program rather than from the test's own check.

        Formatting this exception may have called the program, which may have raised others since.
        """
        if error is not None and (error is self.peer.last_raised or vars(error).get("_caught")):
            return True
        if isinstance(error, NameError):
            return error.name in self.missing_names
        if type(error) is ImportError:
            return error.name in self.module_names and bool(self.missing_names)
        return isinstance(error, AttributeError) and isinstance(error.obj, TestedModule)

    def is_broken_by(self, error: BaseException | None) -> bool:
        """Return whether an exception means that the test cannot run with any program, because it imports a missing
        module.

        The program can neither choose the module's name nor raise this exception itself.
        """
        if not isinstance(error, ImportError) or self.is_at_fault(error):
            return False
        name = str(error.name).partition(".")[0]
        return name in self.source_names.words and name not in self.module_names

    def _end_program_failed(self, why: str) -> NoReturn:
        """Report that the program ended before the test did; its own outcome says how."""
        self.reporter.emit(end=PROGRAM_FAILED, message=(why or ENDED_EARLY)[:MAX_MESSAGE_CHARS])
        os._exit(0)

    def _end_broken(self, why: str) -> NoReturn:
        """Report that the test cannot run with any program."""
        self.reporter.emit(end=BROKEN, message=why[:MAX_MESSAGE_CHARS])
        os._exit(0)


def refuse_request(request: dict[str, Any]) -> dict[str, Any]:
    raise TypeError(f"the program may not request {request.get('do')!r}")


class EntryPoint:
    """The function under test, looked up by name. Each call of a method creates a new instance."""

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
    """A test's builtins, in which names that neither the test nor Python defines are looked up in the program.

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


class TestedModule(ModuleType):
    """The program as a module that a test imports."""

    def __init__(self, name: str, program: TestedProgram) -> None:
        super().__init__(name)
        self.__dict__["_tested"] = program

    def __getattr__(self, name: str) -> Any:
        program: TestedProgram = self.__dict__["_tested"]
        if name == "__all__":
            return program.list_star_names()
        try:
            if name.startswith("__"):
                raise KeyError(name)
            return program.get(name)
        except KeyError:
            raise AttributeError(f"the program has no {name}", name=name, obj=self) from None

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__"):
            super().__setattr__(name, value)
        else:
            self.__dict__["_tested"].set(name, value)

    def __delattr__(self, name: str) -> None:
        self.__dict__["_tested"].delete(name)


def run_test(builtins: Mapping[str, Any]) -> NoReturn:
    """Run the test from stdin against the program behind the descriptors, and report how it ended."""
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
    program.reporter.emit(end=BROKEN, message=PYTEST_NOT_INSTALLED)
    os._exit(0)


def discard_stdout() -> None:
    """Discard what the test prints: only its reports are read."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def get_entry_point(program: TestedProgram, name: str) -> Any:
    """Return the function or class under test; for a method, a callable that creates an instance per call."""
    found = None if "." in name else program.find(name, allow_class=False)
    program.peer.note_entry_point(found, name)
    return EntryPoint(program, name) if found is None else found


def run_source(source: str, builtins: TestBuiltins, program: TestedProgram) -> tuple[str, str]:
    """Run an assert test; return how it ended, and why."""
    main = ModuleType("__main__")
    main.__dict__.update(__builtins__=builtins, __file__=f"{os.getcwd()}/{TEST_FILE}")
    program.peer.own_modules = frozenset({main.__name__})
    sys.modules["__main__"] = main
    sys.argv[:] = [TEST_FILE]
    try:
        code = compile(source, TEST_FILE, "exec", dont_inherit=True)
        program.set_source_names(read_names(source, code, program.module_names))
        program.peer.set_source(source)
        if not program.source_names.free and (name := find_tested_builtin(source)):
            builtins.look_up_in_program(name)
    except COMPILE_ERRORS as error:
        return BROKEN, format_last_line(error)
    runs = unittest_runs.watch_runs(program.is_at_fault) if "unittest" in iterate_names(code) else None
    exit_code: object = None
    try:
        exec(code, main.__dict__)
    except SystemExit as request:
        if not (runs and runs.results and unittest_runs.is_ended_by_test(request.__traceback__, TEST_FILE)):
            return FAILED, explain_failure(request)
        exit_code = request.code
    except BaseException as error:  # noqa: BLE001 - the test's verdict, whatever it raises
        if program.is_broken_by(error):
            return BROKEN, format_last_line(error)
        return PROGRAM_FAILED if program.is_at_fault(error) else FAILED, format_last_line(error)
    end, message = runs.summarize(exit_code) if runs and runs.results else (PASSED, "")
    return (end, message) if program.peer.was_used or end != PASSED else (BROKEN, PROGRAM_NEVER_USED)


def explain_failure(error: BaseException) -> str:
    """Return why a test failed. For an exit code other than 0 the message is empty."""
    if not isinstance(error, SystemExit):
        return format_last_line(error)
    if not error.code:
        return "the test called sys.exit() before its end"
    return "" if isinstance(error.code, int) else extract_last_line(str(error.code))


def format_last_line(error: BaseException) -> str:
    """Return the last line of an exception's traceback."""
    try:
        return extract_last_line("".join(traceback.format_exception_only(error)))
    except Exception:  # noqa: BLE001 - the test may define its __str__
        return type(error).__name__


def extract_last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:MAX_MESSAGE_CHARS] if lines else ""
