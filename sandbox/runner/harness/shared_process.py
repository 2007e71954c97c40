"""Run a test in its program's own process, for tests that need this: `"isolation": "shared"`.

The program runs first, as a module. Then the test's source runs in the same namespace, as if both were one file. A
malicious program can make such a test pass, because it can replace anything that the test uses. However, it cannot pass
by ending early. This process reads a key from stdin before the program begins, and the worker sends the test only after
it has received this key. The test passes only if this process reports the nonce that came with the test.

Until the end is reported, this module calls nothing that a program may have replaced: it saves functions of `os` and
`sys` at import, and distinguishes exceptions by type alone. The program cannot find the objects of this module, neither
through its callers' frames nor through the garbage collector, which does not list frozen objects.
"""

from __future__ import annotations

import ast
import builtins
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from gc import freeze
from os import _exit, getpid, read, write
from sys import exc_info, setprofile, settrace
from types import CodeType, ModuleType, TracebackType
from typing import Any, NamedTuple, NoReturn

from sandbox.runner.harness import failure_messages, unittest_runs
from sandbox.runner.reports import BROKEN, FAILED, PASSED, PROGRAM_FAILED, Reporter, discard_stdout
from sandbox.runner.rpc.source_names import COMPILE_ERRORS, TEST_FILE, iterate_names
from sandbox.runner.zygote.function_calls import (
    ANSWERS_DESCRIPTOR,
    CALLS_DESCRIPTOR,
    PROGRAM_MODULE_NAMES,
    find_function,
)
from sandbox.runner.zygote.hidden_frames import HiddenFrameCall

SOURCE_TEST, FILE_TEST = "source", "file"  # the kinds of tests
READ_CHUNK_BYTES = 1 << 20
# The functions of `pytest_file` that run a file. The list stays empty unless this interpreter has imported that module.
PYTEST_RUNNERS: list[Callable[[str, Reporter, SharedProgram], NoReturn]] = []
_exec, _compile = exec, compile


class SharedProgram(NamedTuple):
    """A program that has run in this process: its module, its file, and what existed before it ran.

    `has_conftest` records whether a conftest.py existed before the run and so belongs to the test. One written by the
    program would act as a pytest plugin.
    """

    module: ModuleType
    path: str
    key: bytes
    pid: int
    builtins: Mapping[str, Any]
    call_hidden: HiddenFrameCall
    has_conftest: bool


def pack_test(nonce: str, kind: str, entry_point: str, modules: Iterable[str], source: str) -> bytes:
    """Serialize a test for `run_shared_test` as lines of text, because a program can replace any parser."""
    head = "\n".join([nonce, kind, entry_point, " ".join(modules)])
    return f"{head}\n{source}".encode("utf-8", "surrogatepass")


def prepare(module: ModuleType, path: str, pristine: Mapping[str, Any], call: HiddenFrameCall) -> SharedProgram:
    """Read the key from stdin, and record what exists before the program runs."""
    conftest = os.path.exists("conftest.py")
    program = SharedProgram(module, path, _read_all(0).strip(), getpid(), pristine, call, conftest)
    freeze()
    return program


def run_shared_test(program: SharedProgram) -> NoReturn:
    """Request the test from the worker, run it, and report how it ended.

    A child that the program forked reports nothing.
    """
    write(ANSWERS_DESCRIPTOR, program.key + b"\n")
    fields = _read_all(CALLS_DESCRIPTOR).decode("utf-8", "surrogatepass").split("\n", 4)
    if len(fields) < 5:
        _exit(0)
    nonce, kind, entry_point, modules, source = fields
    reporter = Reporter(ANSWERS_DESCRIPTOR, nonce, program.pid)
    freeze()
    settrace(None)
    setprofile(None)
    vars(builtins).update(program.builtins)
    for name in (*PROGRAM_MODULE_NAMES, *modules.split()):
        sys.modules[name] = program.module
    os.chdir(os.path.dirname(program.path))
    sys.argv[:] = [TEST_FILE]
    discard_stdout()
    if kind == FILE_TEST:
        _run_file(source, reporter, program)
    _run_source(source, entry_point, reporter, program)


def _run_file(source: str, reporter: Reporter, program: SharedProgram) -> NoReturn:
    if PYTEST_RUNNERS:
        PYTEST_RUNNERS[0](source, reporter, program)
    reporter.emit(end=BROKEN, message=failure_messages.PYTEST_NOT_INSTALLED)
    _exit(0)


def _run_source(source: str, entry_point: str, reporter: Reporter, program: SharedProgram) -> NoReturn:
    """Run an assert test in the program's namespace, which becomes the namespace of `__main__`."""
    namespace = program.module.__dict__
    namespace.update(__name__="__main__", __builtins__=builtins)
    sys.modules["__main__"] = program.module
    if entry_point:
        namespace.update(_build_candidate(namespace, entry_point))
    try:
        tree: Any = _compile(source, TEST_FILE, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
        code: CodeType = _compile(tree, TEST_FILE, "exec", dont_inherit=True)
    except COMPILE_ERRORS as error:
        reporter.emit(end=BROKEN, message=failure_messages.format_last_line(error))
        _exit(0)
    runs = unittest_runs.watch_runs(build_fault_check(program)) if "unittest" in iterate_names(code) else None
    exit_code: object = None
    try:
        program.call_hidden(_exec, code, namespace)
    except BaseException as error:  # noqa: BLE001 - the test's verdict, whatever it raises
        kind, trace = type(error), exc_info()[2]
        if kind is SystemExit and runs and runs.results and unittest_runs.is_ended_by_test(trace, TEST_FILE):
            exit_code = error.code  # type: ignore[attr-defined]
        else:
            # Report the end before the reason, because formatting the reason may call code of the program.
            reporter.emit(end=_classify_end(kind, trace, program))
            reporter.emit(message=failure_messages.explain_failure(error))
            _exit(0)
    end, message = runs.summarize(exit_code) if runs and runs.results else (PASSED, "")
    if end is PASSED and not _tests_something(tree):
        end, message = BROKEN, failure_messages.TESTS_NOTHING
    reporter.emit(end=end, message=message)
    _exit(0)


def _classify_end(kind: type[BaseException], trace: TracebackType | None, program: SharedProgram) -> str:
    if kind is ModuleNotFoundError:
        return BROKEN
    return PROGRAM_FAILED if _is_program_fault(kind, trace, program) else FAILED


def build_fault_check(program: SharedProgram) -> Any:
    return lambda error: error is not None and _is_program_fault(type(error), error.__traceback__, program)


def _is_program_fault(kind: type[BaseException], trace: TracebackType | None, program: SharedProgram) -> bool:
    """Return whether the program caused an exception: by raising it, or by lacking a name that the test uses."""
    if kind is NameError or kind is ImportError:
        return True
    folder, innermost = os.path.dirname(program.path) + "/", ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file == TEST_FILE or file.startswith(folder):
            innermost = file
        trace = trace.tb_next
    return innermost == program.path


def _build_candidate(namespace: Mapping[str, Any], entry_point: str) -> dict[str, Any]:
    """Bind the function under test to its own name and to `candidate`. Each call of a method uses a new instance."""
    if "." not in entry_point and entry_point in namespace:
        return {"candidate": namespace[entry_point]}

    def candidate(*args: Any, **kwargs: Any) -> Any:
        return find_function(namespace, entry_point)(*args, **kwargs)

    return {"candidate": candidate, entry_point.rpartition(".")[2]: candidate}


def _tests_something(tree: ast.AST) -> bool:
    """Return whether a source contains an assertion or a call outside its function and class definitions."""
    nodes = list(ast.iter_child_nodes(tree))
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Assert | ast.Raise | ast.Call):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            nodes += ast.iter_child_nodes(node)
    return False


def _read_all(descriptor: int) -> bytes:
    content = b""
    while chunk := read(descriptor, READ_CHUNK_BYTES):
        content += chunk
    return content
