"""The warm interpreter of a box: it forks one child per run and otherwise knows nothing.

Theory of operation. The supervisor starts this process once and sends it, per run, one datagram with four
descriptors: a job (`job.py`), and the child's stdin, stdout and stderr. The zygote reads none of them. It forks at
once; only the child reads its job, so no child can find an earlier program, input or output in the memory it
inherits. The parent waits for the child and tells the supervisor how it ended. One run at a time.

The child confines itself and then either execs the job's command or becomes `python3 main.py` (`interpreter`). All of
this up to the interpreter's part is done by `forkserver.c`, because a fork copies every page that parent or child
touches (3.3 us each), and Python touches 270 of them to do what C does with a handful. Where that library is not built,
`serve` does the same in Python.
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
_KIBI = 1024.0


def serve_in_c(connection: socket.socket, filter_program: bytes, interpreter: Interpreter) -> None:
    """Hand the loop to C; comes back in a confined child that is to be Python, or when the supervisor is gone."""
    library = ctypes.PyDLL(LIBRARY)
    library.serve.restype = ctypes.c_void_p
    code = ctypes.create_string_buffer(filter_program, len(filter_program))
    mode, count = ctypes.c_int64(), ctypes.c_int64()
    gc.collect()
    gc.freeze()
    length = ctypes.c_ushort(len(filter_program) // 8)
    address = library.serve(connection.fileno(), code, length, ctypes.byref(mode), ctypes.byref(count))
    if address is None:
        return
    command = []
    for _ in range(count.value):
        argument = ctypes.string_at(address)
        address += len(argument) + 1
        command.append(os.fsdecode(argument))
    interpreter.become(command, Mode(mode.value))


def serve(connection: socket.socket, filter_program: bytes, interpreter: Interpreter) -> None:
    """The same in Python."""
    seccomp = confine.Filter(filter_program)
    rights = socket.CMSG_SPACE(6 * 4)
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
            be_the_child(descriptors, seccomp, interpreter)
        frames.close_all(descriptors)
        _, status, used = os.wait4(pid, 0)
        connection.send(job.pack_report(status, used.ru_utime + used.ru_stime, used.ru_maxrss / _KIBI))


def be_the_child(descriptors: list[int], seccomp: confine.Filter, interpreter: Interpreter) -> NoReturn:
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
        seccomp.install()
    except BaseException as error:  # noqa: BLE001 - the process boundary: nothing of ours may run on unconfined
        os.write(2, f"sandbox: run not started: {error!r}\n".encode())
        os._exit(EXIT_NOT_STARTED)
    if mine.mode is not Mode.EXEC:
        interpreter.become(list(mine.command), mine.mode)
    os.environ.clear()
    os.environ.update(mine.environment)
    execute(list(mine.command))


def main() -> None:
    """zygote.py DESCRIPTOR [MODULE ...]"""
    connection = socket.socket(fileno=int(sys.argv[1]))
    for name in sys.argv[2:]:
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
        serve_in_c(connection, filter_program, interpreter)
    else:
        serve(connection, filter_program, interpreter)


if __name__ == "__main__":
    main()
