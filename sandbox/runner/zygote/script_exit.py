"""End a script as `python3` does: report an uncaught exception, flush the streams, tear down the modules, exit."""

from __future__ import annotations

import gc
import os
import signal
import sys
import weakref
from types import CodeType, ModuleType
from typing import Any, NoReturn

from sandbox.runner.zygote.hidden_frames import HiddenFrameCall

EXIT_FLUSH_FAILED = 120
_OWN_FOLDER = f"{os.path.dirname(__file__)}/"


def run_main(code: CodeType, namespace: dict[str, Any], call: HiddenFrameCall) -> int:
    """Run the program and report any uncaught exception; return the exit code, or -SIGINT after a KeyboardInterrupt."""
    try:
        call(exec, code, namespace)
    except BaseException as error:  # noqa: BLE001 - the process boundary of the program itself
        return report_exit(error)
    return report_exit(None)


def report_exit(error: BaseException | None) -> int:
    """Report an uncaught exception, if any; return the program's exit code."""
    flush_quietly("stderr")
    flush_quietly("stdout")
    if error is None:
        return 0
    return handle_system_exit(error) if isinstance(error, SystemExit) else report_uncaught(error)


def handle_system_exit(request: SystemExit) -> int:
    """Return the exit code that `python3` uses for a SystemExit.

    None gives 0, and an int gives itself. Any other value is printed to stderr and gives 1.
    """
    flush_quietly("stdout")
    code = request.code
    if code is None:
        return 0
    if isinstance(code, int):
        return int(code) & 0xFF if -(2**63) <= code < 2**63 else 0xFF
    if sys.stderr is None:
        os.write(2, f"{code}\n".encode())
        return 1
    try:
        sys.stderr.write(str(code))
    except Exception:  # noqa: BLE001 - the interpreter also ignores errors here
        pass
    try:
        sys.stderr.write("\n")
    except Exception:  # noqa: BLE001 - and then writes to the descriptor
        os.write(2, b"\n")
    return 1


def report_uncaught(error: BaseException) -> int:
    """Pass an uncaught exception to sys.excepthook, without the frames of this package."""
    while error.__traceback__ is not None and error.__traceback__.tb_frame.f_code.co_filename.startswith(_OWN_FOLDER):
        error.__traceback__ = error.__traceback__.tb_next
    kind, trace = type(error), error.__traceback__
    sys.last_type, sys.last_value, sys.last_traceback = kind, error, trace
    flush_quietly("stdout")
    if not hasattr(sys, "stderr"):
        return 1
    try:
        sys.excepthook(kind, error, trace)
    except SystemExit as request:
        return handle_system_exit(request)
    except BaseException as second:  # noqa: BLE001 - as the interpreter does
        second.__traceback__ = second.__traceback__.tb_next if second.__traceback__ else None
        print("Error in sys.excepthook:", file=sys.stderr)
        sys.__excepthook__(type(second), second, second.__traceback__)
        print("\nOriginal exception was:", file=sys.stderr)
        sys.__excepthook__(kind, error, trace)
    flush_quietly("stderr")
    return -signal.SIGINT if kind is KeyboardInterrupt else 1


def finish_plainly(exit_code: int) -> NoReturn:
    """End a program that needs no cleanup: flush the streams and exit."""
    exit_process(exit_code if flush_standard_streams() else EXIT_FLUSH_FAILED)


def exit_process(exit_code: int) -> NoReturn:
    """End the process with an exit code, or by SIGINT if the code is -SIGINT."""
    if exit_code == -signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(exit_code & 0xFF)


def tear_down_modules(preloaded: frozenset[str]) -> None:
    """Destroy the program's modules, so that its finalizers run and its open files are flushed."""
    for name in ("last_type", "last_value", "last_traceback"):
        if hasattr(sys, name):
            setattr(sys, name, None)
    alive = []
    for name, module in list(sys.modules.items()):
        if name not in preloaded and isinstance(module, ModuleType):
            alive.append(weakref.ref(module))
            sys.modules[name] = None  # type: ignore[assignment]
    del module, name
    gc.collect()
    for reference in reversed(alive):
        left = reference()
        if left is not None:
            clear_module(left.__dict__)


def clear_module(namespace: dict[str, Any]) -> None:
    """Set a module's globals to None, those with a leading underscore first, as the interpreter does."""
    private = [name for name in namespace if name.startswith("_") and not name.startswith("__")]
    for name in [*private, *namespace]:
        if name != "__builtins__":
            namespace[name] = None


def flush_quietly(name: str) -> None:
    """Flush the stream `sys.NAME` and ignore any error."""
    try:
        getattr(sys, name).flush()
    except Exception:  # noqa: BLE001 - the interpreter ignores it here and reports it at the end
        pass


def flush_standard_streams() -> bool:
    """Flush stdout and stderr; return whether both succeeded."""
    flushed = True
    out, err = getattr(sys, "stdout", None), getattr(sys, "stderr", None)
    try:
        if out is not None and not out.closed:
            out.flush()
    except Exception as error:  # noqa: BLE001 - reported as the interpreter reports it
        flushed = False
        print(f"Exception ignored in: {out!r}\n{type(error).__name__}: {error}", file=err)
    try:
        if err is not None and not err.closed:
            err.flush()
    except Exception:  # noqa: BLE001 - there is nowhere left to report it
        flushed = False
    return flushed
