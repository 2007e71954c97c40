"""The warm interpreter of a box. It forks one child per run and keeps no state between runs.

Theory of operation. The supervisor starts this process once. For each run it sends one datagram with four or more
descriptors: a launch spec (`launch_spec.py`), the child's stdin, stdout and stderr, and possibly pipes for calls. The
zygote reads none of them. It forks immediately, and only the child reads its launch spec. The memory that a child
inherits therefore never contains an earlier program, input or output. The parent waits for the child and reports to the
supervisor how it ended. It runs one child at a time.

The zygote installs the system-call filter on itself, and its children inherit it. The child confines itself further and
then either execs the command of the launch spec or runs it like `python3 main.py` (`interpreter`).

`forkserver.c` implements all of this for the common case: a script that runs and ends normally. A fork copies every
page that the parent or the child writes to (3.3 us each). Python writes to hundreds of pages where C writes to a
handful. The script's `__main__` is already created before the fork. Python takes over if an exception has to be
reported, or if there is more to close than the standard streams. Without the compiled library, `serve` does the same in
Python.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import importlib
import os
import signal
import socket
import sys
from typing import NoReturn

from sandbox.runner import frames, launch_spec
from sandbox.runner.contract import Mode
from sandbox.runner.launch_spec import SetupStep
from sandbox.runner.zygote import confinement, syscall_filter
from sandbox.runner.zygote.interpreter import EXIT_NOT_STARTED, Interpreter, restore_signals

FORK_SERVER_LIBRARY = f"{os.path.dirname(__file__)}/forkserver.so"
SCRIPT_COMMAND = ("python3", "main.py")  # the command in `languages.toml` for a Python program without arguments
LINKER_VARIABLES = ("LD_BIND_NOW", "LD_PRELOAD")  # which the supervisor sets for this process only
RAN, NOT_COMPILED = 1, 2  # `enum how_far` of forkserver.c
_KIB_PER_MIB = 1024.0


class PreparedScript(ctypes.Structure):
    """The ctypes equivalent of `struct prepared` in forkserver.c."""

    _fields_ = (
        ("directory", ctypes.c_char_p),
        ("executable", ctypes.c_char_p),
        ("script", ctypes.c_char_p),
        ("path", ctypes.py_object),
        ("namespace", ctypes.py_object),
        ("flush", ctypes.py_object),
        ("reseed", ctypes.py_object),
        ("standard_output", ctypes.py_object),
        ("standard_error", ctypes.py_object),
        ("feature_version", ctypes.c_int32),
        ("behind", ctypes.c_int32),
        ("recursion_left", ctypes.c_void_p),
        ("recursion_limit", ctypes.c_int64),
        ("frame", ctypes.c_void_p),
    )


class ReturnedChild(ctypes.Structure):
    """The ctypes equivalent of `struct returned` in forkserver.c."""

    _fields_ = (
        ("mode", ctypes.c_int64),
        ("arguments", ctypes.c_int64),
        ("strings", ctypes.c_void_p),
        ("error", ctypes.c_void_p),
        ("how_far", ctypes.c_int64),
    )


def prepare_script(interpreter: Interpreter, directory: str) -> PreparedScript | None:
    """Prepare everything that each run of `python3 main.py` in `directory` needs.

    Return None if this interpreter's frame layout is unknown.
    """
    fields = interpreter.call_hidden.fields
    if fields is None:
        return None
    path, namespace = interpreter.prepare_main(directory, SCRIPT_COMMAND)
    return PreparedScript(
        directory=os.fsencode(directory),
        executable=SCRIPT_COMMAND[0].encode(),
        script=SCRIPT_COMMAND[1].encode(),
        path=path,
        namespace=namespace,
        flush="flush",
        reseed=interpreter.reseed,
        standard_output=sys.stdout,
        standard_error=sys.stderr,
        feature_version=sys.version_info.minor,
        behind=-1 if fields.cframe_offset is None else fields.cframe_offset,
        recursion_left=fields.recursion_limit_address - 4,
        recursion_limit=sys.getrecursionlimit(),
        frame=fields.frame_pointer_address,
    )


def serve_in_c(
    connection: socket.socket, filter_program: bytes, interpreter: Interpreter, directory: str, fail_at: int
) -> None:
    """Run the zygote's loop in C.

    Return in a confined child that continues in Python, or if the supervisor has ended.
    """
    library = ctypes.PyDLL(FORK_SERVER_LIBRARY)
    code = ctypes.create_string_buffer(filter_program, len(filter_program))
    length = ctypes.c_ushort(len(filter_program) // 8)
    returned = ReturnedChild()
    gc.collect()
    gc.freeze()
    prepared = prepare_script(
        interpreter, directory
    )  # not frozen, so the collector treats the program's namespace like any other
    reference = None if prepared is None else ctypes.byref(prepared)
    if not library.serve(connection.fileno(), code, length, reference, ctypes.byref(returned), fail_at):
        return
    mode = Mode(returned.mode)
    del prepared, reference  # the program's namespace must be freed with its module
    error = ctypes.cast(returned.error, ctypes.py_object).value if returned.error else None
    if returned.how_far == RAN:
        interpreter.end_script(error, mode)
    if returned.how_far == NOT_COMPILED:
        interpreter.end_uncompiled(error, list(SCRIPT_COMMAND))
    address = returned.strings
    command = []
    for _ in range(returned.arguments):
        argument = ctypes.string_at(address)
        address += len(argument) + 1
        command.append(os.fsdecode(argument))
    interpreter.run_script(command, mode)


class SetupProgress:
    """The setup step that a child has reached.

    It is stored in a page shared with the zygote and corresponds to `struct progress` in forkserver.c.

    No program can write to it: an exec drops the page, and a forked child unmaps it before its program begins.
    """

    _SIZE, _READ_AND_WRITE, _SHARED_AND_ANONYMOUS = 4, 3, 0x21

    def __init__(self, fail_at: int) -> None:
        self._fail_at = fail_at
        self._libc = ctypes.PyDLL(None, use_errno=True)
        self._libc.mmap.restype = ctypes.c_void_p
        page = self._libc.mmap(None, self._SIZE, self._READ_AND_WRITE, self._SHARED_AND_ANONYMOUS, -1, 0)
        if page in {None, ctypes.c_void_p(-1).value}:
            raise OSError(ctypes.get_errno(), "mmap")
        self._page = ctypes.c_void_p(page)
        self._fields = (ctypes.c_int16 * 2).from_address(page)

    def begin(self, step: SetupStep) -> None:
        """Record that a step begins. Raises OSError if a test has asked for this step to fail."""
        self._fields[0], self._fields[1] = step, 0
        if step == -self._fail_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if step == self._fail_at:
            raise OSError(errno.ECANCELED, "a test fails this step")

    def fail(self, error: BaseException, step: SetupStep | None = None) -> NoReturn:
        """End the child, and report that the given step failed, or the last one begun if `step` is None."""
        self._fields[0] = self._fields[0] if step is None else step
        self._fields[1] = getattr(error, "errno", None) or errno.EINVAL
        os._exit(EXIT_NOT_STARTED)

    def mark_started(self) -> None:
        self._fields[0] = SetupStep.STARTED

    def unmap(self) -> None:
        del self._fields
        self._libc.munmap(self._page, self._SIZE)

    def read(self) -> tuple[int, int]:
        """Return the step that the child had reached and the errno. The step is STARTED if the program has begun."""
        return self._fields[0], self._fields[1]


def serve(connection: socket.socket, filter_program: bytes, interpreter: Interpreter, fail_at: int) -> None:
    """Run the zygote's loop in Python, with the same behavior as `forkserver.c`."""
    progress = SetupProgress(fail_at)
    confinement.set_no_new_privileges()
    confinement.SyscallFilter(filter_program).install()
    rights = socket.CMSG_SPACE(7 * 4)
    # libc's fork, because os.fork() spends 0.85 ms on locks and threads that a single-threaded process does not have
    libc = ctypes.PyDLL(None, use_errno=True)
    gc.collect()
    gc.freeze()
    while True:
        payload, ancillary, _, _ = connection.recvmsg(16, rights)
        if not payload:
            return
        descriptors = frames.extract_descriptors(ancillary)
        status, cpu_time_s, memory_mb, error = EXIT_NOT_STARTED << 8, 0.0, 0.0, 0
        try:
            progress.begin(SetupStep.FORK)
            pid = libc.fork()
            if pid < 0:
                error = ctypes.get_errno()
        except OSError as refusal:
            pid, error = -1, refusal.errno or 0
        if pid == 0:
            run_child(descriptors, interpreter, progress)
        frames.close_descriptors(descriptors)
        if pid > 0:
            _, status, used = os.wait4(pid, 0)
            cpu_time_s, memory_mb = used.ru_utime + used.ru_stime, used.ru_maxrss / _KIB_PER_MIB
        step, failed = progress.read()
        connection.send(launch_spec.pack_report(status, cpu_time_s, memory_mb, step, error or failed))


def run_child(descriptors: list[int], interpreter: Interpreter, progress: SetupProgress) -> NoReturn:
    try:
        spec = confine_child(descriptors, progress)
    except BaseException as error:  # noqa: BLE001 - the process boundary: the child must not continue unconfined
        progress.fail(error)
    if spec.mode is not Mode.EXEC:
        progress.mark_started()
        progress.unmap()
        interpreter.run_script(list(spec.command), spec.mode)
    os.environ.clear()
    os.environ.update(spec.environment)
    restore_signals()
    try:
        progress.begin(SetupStep.EXEC)
        progress.mark_started()  # set before the exec, because after a successful one the program is running
        os.execvp(spec.command[0], spec.command)
    except BaseException as error:  # noqa: BLE001 - as above
        progress.fail(error, SetupStep.EXEC)


def confine_child(descriptors: list[int], progress: SetupProgress) -> launch_spec.LaunchSpec:
    """Read the launch spec that came with the descriptors and confine this process for its program."""
    progress.begin(SetupStep.DESCRIPTORS)
    spec = launch_spec.unpack(os.pread(descriptors[0], os.fstat(descriptors[0]).st_size, 0))
    for number, descriptor in enumerate(descriptors[1:]):
        os.dup2(descriptor, number)
    os.closerange(len(descriptors) - 1, 1024)
    progress.begin(SetupStep.SESSION)
    os.setsid()
    progress.begin(SetupStep.DIRECTORY)
    os.chdir(spec.directory)
    progress.begin(SetupStep.VISIBILITY)
    confinement.set_dumpable(True)
    progress.begin(SetupStep.OOM_SCORE)
    confinement.raise_oom_score()
    progress.begin(SetupStep.LIMITS)
    confinement.set_limits(spec)
    progress.begin(SetupStep.USER)
    confinement.switch_user(spec.uid)
    progress.begin(SetupStep.DEATH_SIGNAL)
    confinement.die_with_parent()
    return spec


def main() -> None:
    """Run the zygote: `zygote.py DESCRIPTOR DIRECTORY STEP_THAT_FAILS [MODULE ...]`."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    for name in LINKER_VARIABLES:  # before the imports, because a module may start a command
        os.environ.pop(name, None)
    for name in sys.argv[4:]:
        try:
            importlib.import_module(name)
        except ImportError:  # the program will get the same error
            continue
    signal.signal(signal.SIGINT, signal.default_int_handler)
    filter_program = syscall_filter.build_filter(ipv6=syscall_filter.has_ipv6())
    confinement.set_dumpable(False)  # if the host provides no separate uids, programs run as the same user
    interpreter = Interpreter()
    interpreter.finish_loading()
    connection.send(b"ready")
    fail_at = int(sys.argv[3])
    if os.path.exists(FORK_SERVER_LIBRARY):
        serve_in_c(connection, filter_program, interpreter, sys.argv[2], fail_at)
    else:
        serve(connection, filter_program, interpreter, fail_at)


if __name__ == "__main__":
    main()
