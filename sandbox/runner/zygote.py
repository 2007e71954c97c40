"""The warm interpreter of a box: it forks one child per run and otherwise knows nothing.

Theory of operation. The supervisor starts this process once and sends it, per run, one datagram with four
descriptors: a job description, and the child's stdin, stdout and stderr. The zygote reads none of them. It forks at
once; only the child reads its job, so no child can find an earlier program, input or output in the memory it
inherits. The parent waits for the child and tells the supervisor how it ended. One run at a time.

The child confines itself (`confine`) and then either execs the job's command or becomes `python3 main.py`: the source
is compiled and run in a fresh `__main__` without a caller in its frames (`frameless`), and its end is that of the
interpreter's: threads joined, exit handlers called, buffers flushed, modules torn down, exit code as `python3` gives
it. Py_FinalizeEx itself would spend 4.5 ms to free memory that the kernel frees in a fraction of that; a differential
test holds this to the real thing.

Two kinds of programs get the real `python3 main.py` instead, ten milliseconds slower and the truth by construction:
those that do not compile, whose error the user then reads in the interpreter's own words, and those whose source
names a means of looking at the interpreter itself (`LOOKS_INSIDE`), where a warm one could be told from a fresh one.

Being warm is what makes this fast: a page the zygote has not touched yet is touched in every child again (measured:
the first compile() in a process costs 2.6 ms, a later one 0.05 ms), so `warm_up` does once what every child will do.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import gc
import importlib
import importlib.machinery
import io
import json
import os
import re
import resource
import signal
import socket
import sys
import threading
import weakref
from types import CodeType, ModuleType
from typing import Any, NoReturn

from sandbox.runner import confine, frames
from sandbox.runner.frameless import FramelessCall

EXIT_FLUSH_FAILED = 120
EXIT_NOT_STARTED = 127
_KIBI = 1024.0
LOOKS_INSIDE = re.compile(
    rb"__del__|__subclasses__|_getframe|settrace|setprofile|audit|excepthook|unraisable|sys\.modules|path_importer_cache|meta_path"
    rb"|/proc/|\bctypes\b|\bweakref\b|builtins\.|\bgc\.(?!disable|enable)|\bre\._|threading\._|_thread|\bSIGINT\b|ResourceWarning|exit\(\("
    rb"|['\"]\w+\.py['\"]"
)


class Zygote:
    """Forks children for the supervisor at the other end of `connection` until that end is closed."""

    def __init__(self, connection: socket.socket, modules: list[str]) -> None:
        self._connection = connection
        self._filter = confine.Filter(confine.filter_program())
        for name in modules:
            importlib.import_module(name)
        self._call = FramelessCall()
        warm_up(self._call)

    def serve(self) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        gc.collect()
        gc.freeze()
        rights = socket.CMSG_SPACE(4 * 4)
        while True:
            payload, ancillary, _, _ = self._connection.recvmsg(16, rights)
            if not payload:
                return
            descriptors = frames.received_descriptors(ancillary)
            pid = os.fork()
            if pid == 0:
                self._be_the_child(descriptors)
            frames.close_all(descriptors)
            _, status, used = os.wait4(pid, 0)
            report = {
                "status": status,
                "cpu_time_s": used.ru_utime + used.ru_stime,
                "memory_mb": used.ru_maxrss / _KIBI,
            }
            self._connection.send(json.dumps(report).encode())

    def _be_the_child(self, descriptors: list[int]) -> NoReturn:
        try:
            job = read_job(descriptors[0])
            for number, descriptor in enumerate(descriptors[1:]):
                os.dup2(descriptor, number)
            os.closerange(3, 1024)
            os.setsid()
            os.chdir(job["directory"])
            enter_walls(job, self._filter)
        except BaseException as error:  # noqa: BLE001 - the process boundary: nothing of ours may run on unconfined
            os.write(2, f"sandbox: run not started: {error!r}\n".encode())
            os._exit(EXIT_NOT_STARTED)
        if job["forked"]:
            become_python(job["command"], self._call)
        execute(job["command"], job["environment"])


def read_job(descriptor: int) -> dict[str, Any]:
    size = os.fstat(descriptor).st_size
    job: dict[str, Any] = json.loads(os.pread(descriptor, size, 0))
    return job


def enter_walls(job: dict[str, Any], seccomp: confine.Filter) -> None:
    limits = job["limits"]
    confine.be_first_for_the_oom_killer()
    confine.set_limits(limits["cpu_time_s"], limits["memory_mb"], limits["processes"], limits["file_mb"])
    confine.become(job["uid"])
    seccomp.install()


def execute(command: list[str], environment: dict[str, str]) -> NoReturn:
    """Become another program, with the signals as a shell would leave them."""
    for name in ("SIGPIPE", "SIGXFSZ", "SIGINT"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(environment)
    try:
        os.execvpe(command[0], command, environment)
    except OSError as error:
        os.write(2, f"sandbox: cannot run {command[0]}: {error.strerror}\n".encode())
    os._exit(EXIT_NOT_STARTED)


def become_python(command: list[str], call: FramelessCall) -> NoReturn:
    """Be `python3 main.py args...` in the current directory; command[0] is the interpreter."""
    script = command[1]
    path = os.path.join(os.getcwd(), script)
    try:
        with io.open_code(path) as file:
            source = file.read()
        if LOOKS_INSIDE.search(source):
            execute(command, dict(os.environ))
        source.isascii() or source.decode()
        code = compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, UnicodeError, OSError, RecursionError, MemoryError):
        execute(command, dict(os.environ))
    sys.argv[:] = command[1:]
    sys.orig_argv[:] = command
    sys.path[0] = os.getcwd()
    known = frozenset(sys.modules) - {"__main__"}
    namespace = fresh_main(path)
    exit_code = run_main(code, namespace, call)
    del namespace, code
    finish(exit_code, known, call)


def fresh_main(path: str) -> dict[str, Any]:
    """A `__main__` module as the interpreter makes it for a script; returns its namespace."""
    main = ModuleType("__main__")
    main.__loader__ = importlib.machinery.SourceFileLoader("__main__", path)
    main.__dict__.update(__annotations__={}, __builtins__=sys.modules["builtins"], __file__=path, __cached__=None)
    sys.modules["__main__"] = main
    for name in [name for name in sys.modules if name.partition(".")[0] == "sandbox"]:
        _OWN_MODULES.append(sys.modules.pop(name))
    threading.main_thread()._set_native_id()  # type: ignore[attr-defined]
    return main.__dict__


def run_main(code: CodeType, namespace: dict[str, Any], call: FramelessCall) -> int:
    """Run the program; report what it did not catch; return the interpreter's exit code, -SIGINT for an interrupt."""
    try:
        try:
            call(exec, code, namespace)
        finally:
            flush_quietly("stderr")
            flush_quietly("stdout")
    except SystemExit as request:
        return exit_code_of(request)
    except BaseException as error:  # noqa: BLE001 - the process boundary of the program itself
        return report_uncaught(error)
    return 0


def exit_code_of(request: SystemExit) -> int:
    """What `python3` makes of a SystemExit: None is 0, an int is itself, anything else is printed and is 1."""
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
    except Exception:  # noqa: BLE001 - the interpreter ignores what goes wrong here, too
        pass
    try:
        sys.stderr.write("\n")
    except Exception:  # noqa: BLE001 - and then writes to the descriptor
        os.write(2, b"\n")
    return 1


def report_uncaught(error: BaseException) -> int:
    """Hand an uncaught exception to sys.excepthook, without the frames that are ours."""
    while error.__traceback__ is not None and error.__traceback__.tb_frame.f_code.co_filename in _OWN_FILES:
        error.__traceback__ = error.__traceback__.tb_next
    kind, trace = type(error), error.__traceback__
    sys.last_type, sys.last_value, sys.last_traceback = kind, error, trace
    flush_quietly("stdout")
    try:
        sys.excepthook(kind, error, trace)
    except SystemExit as request:
        return exit_code_of(request)
    except BaseException as second:  # noqa: BLE001 - as the interpreter does
        second.__traceback__ = second.__traceback__.tb_next if second.__traceback__ else None
        print("Error in sys.excepthook:", file=sys.stderr)
        sys.__excepthook__(type(second), second, second.__traceback__)
        print("\nOriginal exception was:", file=sys.stderr)
        sys.__excepthook__(kind, error, trace)
    flush_quietly("stderr")
    return -signal.SIGINT if kind is KeyboardInterrupt else 1


def finish(exit_code: int, known: frozenset[str], call: FramelessCall) -> NoReturn:
    """End as Py_FinalizeEx would, in its order, without freeing what the kernel frees anyway."""
    if getattr(sys, "stdout", None) is not sys.__stdout__ or getattr(sys, "stderr", None) is not sys.__stderr__:
        call(ctypes.pythonapi.Py_Exit, exit_code)  # replaced streams are called in ways best left to the interpreter
    call(functools.partial(threading._shutdown))  # type: ignore[attr-defined]
    call(atexit._run_exitfuncs)
    sys.setswitchinterval(1000.0)
    if not flush_standard_streams():
        exit_code = EXIT_FLUSH_FAILED
    if gc.isenabled():
        gc.collect()
    tear_down_modules(known)
    flush_quietly("stdout")
    flush_quietly("stderr")
    if exit_code == -signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(exit_code & 0xFF)


def tear_down_modules(known: frozenset[str]) -> None:
    """Destroy the program's modules, so that its finalisers run and its open files are flushed."""
    for name in ("last_type", "last_value", "last_traceback"):
        if hasattr(sys, name):
            setattr(sys, name, None)
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__
    alive = []
    for name, module in list(sys.modules.items()):
        if name not in known and isinstance(module, ModuleType):
            alive.append(weakref.ref(module))
            sys.modules[name] = None  # type: ignore[assignment]
    del module, name
    gc.collect()
    for reference in reversed(alive):
        left = reference()
        if left is not None:
            clear_module(left.__dict__)


def clear_module(namespace: dict[str, Any]) -> None:
    """Set a module's names to None, private ones first, as the interpreter does."""
    private = [name for name in namespace if name.startswith("_") and not name.startswith("__")]
    for name in [*private, *namespace]:
        if name != "__builtins__":
            namespace[name] = None


def flush_quietly(name: str) -> None:
    try:
        getattr(sys, name).flush()
    except Exception:  # noqa: BLE001 - the interpreter ignores it here and reports it at the end
        pass


def flush_standard_streams() -> bool:
    """Flush stdout and stderr; say whether that went well."""
    flushed = True
    out, err = sys.stdout, sys.stderr
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


def warm_up(call: FramelessCall) -> None:
    """Touch once what every child will touch, so that children find it warm."""
    source = b"import sys\na, b = map(int, '1 2'.split())\nfor i in range(3):\n    a += sum(x * x for x in [b, i])\n"
    for _ in range(3):
        call(exec, compile(source, "warm.py", "exec", dont_inherit=True), {"__name__": "warm"})
    try:
        compile(b"def (:", "warm.py", "exec", dont_inherit=True)
    except SyntaxError:
        pass
    resource.getrlimit(resource.RLIMIT_CPU)


_OWN_MODULES: list[ModuleType] = []
_OWN_FILES = frozenset({__file__, sys.modules[FramelessCall.__module__].__file__})


def main() -> None:
    """zygote.py DESCRIPTOR [MODULE ...]"""
    connection = socket.socket(fileno=int(sys.argv[1]))
    Zygote(connection, sys.argv[2:]).serve()


if __name__ == "__main__":
    main()
