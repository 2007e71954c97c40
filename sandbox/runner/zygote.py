"""The warm interpreter of a box: it forks one child per run and otherwise knows nothing.

Theory of operation. The supervisor starts this process once and sends it, per run, one datagram with four
descriptors: a job (`job.py`), and the child's stdin, stdout and stderr. The zygote reads none of them. It forks at
once; only the child reads its job, so no child can find an earlier program, input or output in the memory it
inherits. The parent waits for the child and tells the supervisor how it ended. One run at a time.

The system-call filter is the zygote's own, and its children inherit it. The child confines itself further and then
either execs the job's command or becomes `python3 main.py` (`interpreter`).
`forkserver.c` does all of it for a script that runs and ends like most do, because a fork copies every page that parent
or child touches (3.3 us each), and Python touches hundreds of them to do what C does with a handful: the script finds
its `__main__` made already. Python goes on where an exception is to be reported or more is to be closed than streams
are. Where that library is not built, `serve` does the same in Python.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import signal
import socket
import sys
from typing import NoReturn

from sandbox.runner import confine, frames, job
from sandbox.runner.contract import Mode
from sandbox.runner.interpreter import EXIT_NOT_STARTED, Interpreter, execute

LIBRARY = f"{os.path.dirname(__file__)}/forkserver.so"
SCRIPT_COMMAND = ("python3", "main.py")  # what `languages.toml` has for a Python program without arguments
RAN, NOT_COMPILED = 1, 2  # `enum how_far` of forkserver.c
_KIBI = 1024.0


class Prepared(ctypes.Structure):
    """`struct prepared` of forkserver.c."""

    _fields_ = (
        ("directory", ctypes.c_char_p),
        ("executable", ctypes.c_char_p),
        ("script", ctypes.c_char_p),
        ("path", ctypes.py_object),
        ("namespace", ctypes.py_object),
        ("flush", ctypes.py_object),
        ("standard_output", ctypes.py_object),
        ("standard_error", ctypes.py_object),
        ("feature_version", ctypes.c_int32),
        ("behind", ctypes.c_int32),
        ("recursion_left", ctypes.c_void_p),
        ("recursion_limit", ctypes.c_int64),
        ("frame", ctypes.c_void_p),
    )


class Returned(ctypes.Structure):
    """`struct returned` of forkserver.c."""

    _fields_ = (
        ("mode", ctypes.c_int64),
        ("arguments", ctypes.c_int64),
        ("strings", ctypes.c_void_p),
        ("error", ctypes.c_void_p),
        ("how_far", ctypes.c_int64),
    )


def prepared(interpreter: Interpreter, directory: str) -> Prepared | None:
    """What a run of `python3 main.py` in `directory` needs, made once; None where this interpreter's frames are not
    known or where a run begins with more than that.
    """
    fields = interpreter.frameless.fields
    if fields is None or "numpy.random" in sys.modules:
        return None
    path, namespace = interpreter.prepare(directory, SCRIPT_COMMAND)
    return Prepared(
        directory=os.fsencode(directory),
        executable=SCRIPT_COMMAND[0].encode(),
        script=SCRIPT_COMMAND[1].encode(),
        path=path,
        namespace=namespace,
        flush="flush",
        standard_output=sys.stdout,
        standard_error=sys.stderr,
        feature_version=sys.version_info.minor,
        behind=-1 if fields.behind is None else fields.behind,
        recursion_left=fields.limit_address - 4,
        recursion_limit=sys.getrecursionlimit(),
        frame=fields.pointer_address,
    )


def serve_in_c(connection: socket.socket, filter_program: bytes, interpreter: Interpreter, directory: str) -> None:
    """Hand the loop to C; comes back in a confined child that is to be Python, or when the supervisor is gone."""
    library = ctypes.PyDLL(LIBRARY)
    code = ctypes.create_string_buffer(filter_program, len(filter_program))
    length = ctypes.c_ushort(len(filter_program) // 8)
    returned = Returned()
    gc.collect()
    gc.freeze()
    ready = prepared(
        interpreter, directory
    )  # not frozen: the collector is to take the program's namespace as any other
    reference = None if ready is None else ctypes.byref(ready)
    if not library.serve(connection.fileno(), code, length, reference, ctypes.byref(returned)):
        return
    mode = Mode(returned.mode)
    del ready, reference  # the program's namespace must go with its module
    error = ctypes.cast(returned.error, ctypes.py_object).value if returned.error else None
    if returned.how_far == RAN:
        interpreter.end(error, mode)
    if returned.how_far == NOT_COMPILED:
        interpreter.refuse(error, list(SCRIPT_COMMAND))
    address = returned.strings
    command = []
    for _ in range(returned.arguments):
        argument = ctypes.string_at(address)
        address += len(argument) + 1
        command.append(os.fsdecode(argument))
    interpreter.become(command, mode)


def serve(connection: socket.socket, filter_program: bytes, interpreter: Interpreter) -> None:
    """The same in Python."""
    confine.gain_nothing()
    confine.Filter(filter_program).install()
    rights = socket.CMSG_SPACE(7 * 4)
    # libc's fork: os.fork() spends 0.85 ms on locks and threads that a process of one thread does not have
    fork = ctypes.PyDLL(None).fork
    gc.collect()
    gc.freeze()
    while True:
        payload, ancillary, _, _ = connection.recvmsg(16, rights)
        if not payload:
            return
        descriptors = frames.received_descriptors(ancillary)
        pid = fork()
        if pid == 0:
            be_the_child(descriptors, interpreter)
        frames.close_all(descriptors)
        _, status, used = os.wait4(pid, 0)
        connection.send(job.pack_report(status, used.ru_utime + used.ru_stime, used.ru_maxrss / _KIBI))


def be_the_child(descriptors: list[int], interpreter: Interpreter) -> NoReturn:
    try:
        mine = job.unpack(os.pread(descriptors[0], os.fstat(descriptors[0]).st_size, 0))
        for number, descriptor in enumerate(descriptors[1:]):
            os.dup2(descriptor, number)
        os.closerange(len(descriptors) - 1, 1024)
        os.setsid()
        os.chdir(mine.directory)
        confine.allow_looks(True)
        confine.be_first_for_the_oom_killer()
        confine.set_limits(mine)
        confine.become(mine.uid)
    except BaseException as error:  # noqa: BLE001 - the process boundary: nothing of ours may run on unconfined
        os.write(2, f"sandbox: run not started: {error!r}\n".encode())
        os._exit(EXIT_NOT_STARTED)
    if mine.mode is not Mode.EXEC:
        interpreter.become(list(mine.command), mine.mode)
    os.environ.clear()
    os.environ.update(mine.environment)
    execute(list(mine.command))


def main() -> None:
    """zygote.py DESCRIPTOR DIRECTORY [MODULE ...]"""
    connection = socket.socket(fileno=int(sys.argv[1]))
    for name in sys.argv[3:]:
        try:
            importlib.import_module(name)
        except ImportError:  # the program will find the same
            continue
    signal.signal(signal.SIGINT, signal.default_int_handler)
    filter_program = confine.filter_program()
    confine.allow_looks(False)  # where the host lends no uids, programs run as the user we are
    interpreter = Interpreter()
    interpreter.settle()
    connection.send(b"ready")
    if os.path.exists(LIBRARY):
        serve_in_c(connection, filter_program, interpreter, sys.argv[2])
    else:
        serve(connection, filter_program, interpreter)


if __name__ == "__main__":
    main()
