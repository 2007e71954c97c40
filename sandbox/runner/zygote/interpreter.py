"""Run a script in a child forked from a warm interpreter, with the same behavior as `python3 main.py`.

The source is compiled and run in a fresh `__main__` without a caller in its frames (`hidden_frames`). It ends as in the
real interpreter (`script_exit`): threads are joined, exit handlers called, buffers flushed, modules torn down, and the
exit code is that of `python3`. Py_FinalizeEx itself would spend 4.5 ms freeing memory that the kernel frees in a
fraction of that time.

This module also reports a syntax error in a line. If anything else prevents compilation (the encoding, an unexpected
end of file, limits of the compiler), it starts the real `python3 main.py`, so that the user sees the original message.
A differential test compares all of this with the real interpreter. Programs that could still notice a difference run in
a new Python process instead (`sandbox.languages`).
"""

from __future__ import annotations

import atexit
import builtins
import ctypes
import functools
import gc
import importlib.machinery
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import CodeType, ModuleType
from typing import Any, NoReturn

from sandbox.runner.contract import Mode
from sandbox.runner.enums import HARNESS_MODULE
from sandbox.runner.rpc import arguments
from sandbox.runner.zygote import function_calls, random_generators, script_exit
from sandbox.runner.zygote.hidden_frames import HiddenFrameCall

EXIT_NOT_STARTED = 127
WARM_UP_RUNS = 16  # after 8 runs, CPython specializes the code of a function
WARM_UP_SOURCE = """
import sys
a, b = map(int, input().split())
for i in range(3):
    a += sum(x * x for x in [b, i])
print(a + b + 1)
"""


class Interpreter:
    """The interpreter of a zygote. It is created once; `run_script` is called in each child and never returns."""

    def __init__(self) -> None:
        self.call_hidden = HiddenFrameCall()
        self._preloaded_modules: frozenset[str] = frozenset()
        self._exit_handler_count = 0
        self._hidden_modules: list[ModuleType] = []
        self._builtins = dict(vars(builtins))
        self._harness: Any = sys.modules.get(HARNESS_MODULE)  # None if this interpreter has not imported it
        self.reseed: Callable[[], object] = random_generators.build_reseeder()

    def finish_loading(self) -> None:
        """Hide the sandbox's own modules from programs, and record the other modules that are already loaded.

        Call this when all imports are done.
        """
        for name in [name for name in sys.modules if name.partition(".")[0] == "sandbox"]:
            self._hidden_modules.append(sys.modules.pop(name))
        self._preloaded_modules = frozenset(sys.modules) - {"__main__"}
        self._exit_handler_count = atexit._ncallbacks()
        self._warm_up()

    def prepare_main(self, directory: str, command: Sequence[str]) -> tuple[str, dict[str, Any]]:
        """Prepare everything but the code of the script command[1]; return its path and the namespace to run it in."""
        self._hidden_modules.append(sys.modules["__main__"])
        path = f"{directory}/{command[1]}"
        set_arguments(command, directory)
        return path, create_main_module(path)

    def end_script(self, error: BaseException | None, mode: Mode) -> NoReturn:
        """End the process like a script that raised `error`, or ended normally if `error` is None."""
        exit_code = script_exit.report_exit(error)
        del error
        if mode is Mode.FORK_PLAIN:
            script_exit.finish_plainly(exit_code)
        self._finalize(exit_code)

    def run_script(self, command: list[str], mode: Mode) -> NoReturn:
        """Run the script command[1] from the current directory as command[0] would."""
        path = f"{os.getcwd()}/{command[1]}"
        try:
            code = compile(read_file(path), path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, OSError, RecursionError, MemoryError) as error:
            self.end_uncompiled(error, command)
        self.reseed()
        if mode is Mode.TEST:
            self._harness.run_test(self._builtins)
        set_arguments(command, path[: -len(command[1]) - 1])
        if mode is Mode.SERVE:
            self._serve_calls(code)
        if mode is Mode.SHARED:
            self._run_with_test(code, path)
        exit_code = script_exit.run_main(code, create_main_module(path), self.call_hidden)
        del code
        if mode is Mode.FORK_PLAIN:
            script_exit.finish_plainly(exit_code)
        self._finalize(exit_code)

    def _serve_calls(self, code: CodeType) -> NoReturn:
        """Run the program as a module, and then answer calls to its functions."""
        module = create_program_module()
        run_as_module(code, module, self.call_hidden)
        function_calls.serve(module.__dict__, self._harness and self._harness.serve_test)

    def _run_with_test(self, code: CodeType, path: str) -> NoReturn:
        """Run the program as a module, and then a test in this process."""
        program = self._harness.prepare(create_program_module(), path, self._builtins, self.call_hidden)
        run_as_module(code, program.module, self.call_hidden)
        run_test: Callable[[Any], NoReturn] = self._harness.run_shared
        run_test(program)

    def end_uncompiled(self, error: BaseException | None, command: list[str]) -> NoReturn:
        """End the process like a script that cannot be compiled."""
        if isinstance(error, SyntaxError) and has_source_position(error, read_file(command[1])):
            self.end_script(error, Mode.FORK_PLAIN)
        exec_command(command)

    def _finalize(self, exit_code: int) -> NoReturn:
        """Shut down in the same order as Py_FinalizeEx, but leave it to the kernel to free memory."""
        if getattr(sys, "stdout", None) is not sys.__stdout__ or getattr(sys, "stderr", None) is not sys.__stderr__:
            # leave the handling of replaced streams to the interpreter
            self.call_hidden(ctypes.pythonapi.Py_Exit, exit_code)
        self.call_hidden(functools.partial(threading._shutdown))  # type: ignore[attr-defined]
        if atexit._ncallbacks() != self._exit_handler_count:
            self.call_hidden(atexit._run_exitfuncs)
        sys.setswitchinterval(1000.0)
        if not script_exit.flush_standard_streams():
            exit_code = script_exit.EXIT_FLUSH_FAILED
        if gc.isenabled():
            gc.collect()
        script_exit.tear_down_modules(self._preloaded_modules)
        script_exit.flush_quietly("stdout")
        script_exit.flush_quietly("stderr")
        script_exit.exit_process(exit_code)

    def _warm_up(self) -> None:
        """Run the code paths that most children use in advance: compile, read a line, print, and flush.

        The first compile() takes 2.6 ms, later ones 0.05 ms. A child then also finds the methods that it calls in the
        interpreter's cache. Each one that is missing costs a copied page.
        """
        read_end, write_end = os.pipe()
        streams = sys.stdin, sys.stdout
        with open(read_end, encoding="utf-8") as sys.stdin, open(write_end, "w", encoding="utf-8") as sys.stdout:
            os.write(write_end, b"1 2\n" * WARM_UP_RUNS)
            for _ in range(WARM_UP_RUNS):
                self.call_hidden(
                    exec, compile(WARM_UP_SOURCE, "warm.py", "exec", dont_inherit=True), {"__name__": "warm"}
                )
                sys.stdout.flush()
        sys.stdin, sys.stdout = streams


def read_file(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(descriptor).st_size
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)


def has_source_position(error: SyntaxError, source: bytes) -> bool:
    """Return whether a syntax error has a position in the source.

    `python3` reads a file line by line. For a wrong encoding or an unexpected end of file, its message and position
    differ from those of compile().
    """
    if not error.lineno or error.offset is None or error.msg.startswith("unterminated triple-quoted"):
        return False
    line = (error.text or "").rstrip("\n")
    return error.lineno < len(source.splitlines()) or error.offset <= len(line)


def restore_signals() -> None:
    """Restore the signal handlers that a program started from a shell would have."""
    for name in ("SIGPIPE", "SIGXFSZ", "SIGINT"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)


def exec_command(command: list[str]) -> NoReturn:
    """Replace this process with another program."""
    restore_signals()
    try:
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"sandbox: cannot run {command[0]}: {error.strerror}\n".encode())
    os._exit(EXIT_NOT_STARTED)


def create_program_module() -> ModuleType:
    module = ModuleType(function_calls.PROGRAM_MODULE_NAME)
    module.__dict__.update(arguments.PREDEFINED_NAMES)
    sys.modules[function_calls.PROGRAM_MODULE_NAME] = module
    return module


def run_as_module(code: CodeType, module: ModuleType, call: HiddenFrameCall) -> None:
    """Run the program. If it fails, end the process with its exit code."""
    exit_code = script_exit.run_main(code, module.__dict__, call)
    if exit_code:
        script_exit.exit_process(exit_code)


def set_arguments(command: Sequence[str], directory: str) -> None:
    sys.argv[:] = command[1:]
    sys.orig_argv[:] = command
    sys.path[0] = directory


def create_main_module(path: str) -> dict[str, Any]:
    """Create a `__main__` module as the interpreter does for a script; return its namespace."""
    main = ModuleType("__main__")
    main.__loader__ = importlib.machinery.SourceFileLoader("__main__", path)
    main.__dict__.update(__annotations__={}, __builtins__=sys.modules["builtins"], __file__=path, __cached__=None)
    sys.modules["__main__"] = main
    return main.__dict__
