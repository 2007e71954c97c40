"""A Python REPL: the process of one branch, which runs cells and forks itself.

Theory of operation. The supervisor sends each call as a frame over a private socket. The REPL answers with frames, too:
displays while a cell runs, then the outcome. The program shares this process, so it can read and forge these frames.
The supervisor therefore trusts none of them. A program that forges frames corrupts only its own results.

A fork runs between two calls. The new branches are children of the supervisor (`detached_fork.c`), so the parent's
`os.wait` never sees them. Each new branch sends a first message over its own socket, which proves its pid to the
supervisor. It then switches to its uid, which the supervisor delays until the branch's directory is complete, and
continues as a REPL. As after any fork, the new branch has only one thread but keeps the descriptors that the program
opened. Pending asyncio tasks are lost.
"""

from __future__ import annotations

import builtins
import fcntl
import gc
import io
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from sandbox.runner import frames
from sandbox.runner.session import displays
from sandbox.runner.session.branch_launch import (
    PRIVATE_DESCRIPTOR,
    BranchSpec,
    confine,
    confine_forkable,
    get_work_directory,
)
from sandbox.runner.session.cell import CellError, CellOutcome, CellRunner
from sandbox.runner.session.contexts import Contexts
from sandbox.runner.session.event_loop import KeptEventLoop
from sandbox.runner.session.fork_library import fork_detached
from sandbox.runner.session.message_body import MAX_BODY_BYTES, MAX_INLINE_BODY_BYTES, SEALS
from sandbox.runner.zygote import confinement


class Repl:
    """Serves the calls of one branch. A forked child continues with the calls of its own branch."""

    def __init__(self, connection: socket.socket, directory: str) -> None:
        self._connection = connection
        self._directory = directory
        self._loop = KeptEventLoop()
        self._running = False
        setattr(builtins, "display", displays.build_display_function(self._send_display))  # noqa: B010 - mypy
        self._contexts = Contexts(self._loop.run)
        signal.signal(signal.SIGINT, self._raise_interrupt)
        sys.stdout = self._open_stream(1)
        sys.stderr = self._open_stream(2)
        self._stdin = sys.stdin = open_stdin()

    @staticmethod
    def _open_stream(descriptor: int) -> io.TextIOWrapper:
        """Open an unbuffered text stream, so that its output stays in order with that of subprocesses and os.write."""
        raw = io.FileIO(descriptor, "w", closefd=False)
        return io.TextIOWrapper(  # as `python3 -u` does
            raw,
            encoding="utf-8",
            errors="backslashreplace" if descriptor == 2 else "surrogateescape",
            write_through=True,
        )

    def _raise_interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        if self._running:
            raise KeyboardInterrupt

    def serve(self) -> NoReturn:
        while True:
            try:
                request, payload, received = frames.receive(self._connection, allow_large_header=True)
                descriptors = [_keep_clear_of_streams(descriptor) for descriptor in received]
                if request["do"] == "execute":
                    self._execute(request, payload, descriptors)
                elif request["do"] == "fork":
                    self._fork(request["moves"], descriptors)
            except KeyboardInterrupt:  # arrived at the very end of a cell
                self._running = False
            except frames.FrameError:
                os._exit(0)

    def _execute(self, request: dict[str, Any], payload: bytes, descriptors: list[int]) -> None:
        if request.get("memory_file"):
            payload = frames.read_memory_file(descriptors.pop(0), request["memory_file"])
        self._replace_stdin(descriptors)
        source = payload.decode("utf-8", "surrogateescape")
        try:
            directory = os.path.join(get_work_directory(self._directory), request.get("directory", ""))
            cells = self._contexts.enter(request.get("context", ""), directory, request.get("contexts", ()))
        except OSError as error:  # its directory does not exist
            outcome = CellOutcome(1, error=CellError(type(error).__name__, str(error), None, ""))
        else:
            with set_variables(request.get("variables", {})):
                outcome = self._run_cell(cells, source)
        self._send(
            {"done": True, "exit_code": outcome.exit_code, "interrupted": outcome.interrupted},
            {"result": outcome.result, "error": outcome.error._asdict() if outcome.error else None},
        )

    def _run_cell(self, cells: CellRunner, source: str) -> CellOutcome:
        outcome = None
        try:
            self._running = True
            outcome = cells.run(source)
            displays.display_open_figures(self._send_display)
            self._flush_streams()
            self._running = False
        except KeyboardInterrupt:
            self._running = False
            outcome = outcome or CellOutcome(1, interrupted=True)
        except Exception as error:  # noqa: BLE001 - figures and replaced streams are the program's code
            self._running = False
            print(f"{type(error).__name__}: {error}", file=sys.__stderr__)
        return outcome or CellOutcome(1)

    def _flush_streams(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "flush"):
                stream.flush()

    def _replace_stdin(self, descriptors: list[int]) -> None:
        """Make the call's input available as descriptor 0, and as `sys.stdin` unless the program has replaced it."""
        os.dup2(descriptors[0], 0)
        frames.close_descriptors(descriptors)
        is_own = sys.stdin is self._stdin
        self._stdin = open_stdin()
        if is_own:
            sys.stdin = self._stdin

    def _send_display(self, bundle: displays.Bundle) -> None:
        self._flush_streams()
        self._send({"display": True}, {"data": bundle})

    def _send(self, header: dict[str, Any], body: dict[str, Any]) -> None:
        """Send a message. A large body is sent in a sealed memfd, so that nobody can change it afterward."""
        try:
            text = json.dumps(body, separators=(",", ":"), default=str).encode()
            omitted = f"<{len(text)} bytes were left out>" if len(text) > MAX_BODY_BYTES else ""
        except Exception as error:  # noqa: BLE001 - the program's objects may be circular, or fail in `str`
            omitted = f"<not JSON: {type(error).__name__}>"
        if omitted:
            replaced = {name: {"text/plain": omitted} for name, value in body.items() if value is not None}
            text = json.dumps(replaced).encode()
        if len(text) <= MAX_INLINE_BODY_BYTES:
            frames.send(self._connection, header, payload=text)
            return
        descriptor = os.memfd_create("message", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            frames.write_all(descriptor, text)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
            frames.send(self._connection, header | {"large": len(text)}, [descriptor])
        finally:
            os.close(descriptor)

    def _fork(self, moves: list[tuple[int, str]], descriptors: list[int]) -> None:
        """Fork one branch for each uid and directory.

        Each has three of the descriptors: its connection, stdout and stderr. The last one is the stdin of all of them.
        """
        random = sys.modules.get("random")
        state = random.getstate() if random is not None else None  # a forked child reseeds it otherwise
        try:
            number = fork_detached(len(moves))
        except OSError as error:
            frames.close_descriptors(descriptors)
            self._send({"fork_failed": error.strerror}, {})
            return
        if number is None:
            frames.close_descriptors(descriptors)
            return
        try:
            self._become_branch(*moves[number], descriptors, 3 * number)
            if random is not None:
                random.setstate(state)
        except BaseException:  # noqa: BLE001 - the process boundary: the supervisor sees the closed connection
            os._exit(1)

    def _become_branch(self, uid: int, directory: str, descriptors: list[int], start: int) -> None:
        connection, output, error_output = descriptors[start : start + 3]
        os.setsid()
        os.dup2(connection, PRIVATE_DESCRIPTOR, inheritable=False)
        for number, descriptor in enumerate((descriptors[-1], output, error_output)):
            os.dup2(descriptor, number)
        frames.close_descriptors(descriptors)
        frames.send(self._connection, {"hello": True})
        os.setresuid(uid, uid, uid)  # waits until the supervisor allows it
        confinement.set_dumpable(True)
        old, self._directory = self._directory, directory
        _enter_copy(old, directory)
        frames.send(self._connection, {"moved": True})
        self._move(old, directory)
        self._loop.abandon()

    def _move(self, old: str, new: str) -> None:
        """Switch the environment, the contexts and `tempfile` from the parent's directory to its copy."""
        for name, value in list(os.environ.items()):
            if name in {"HOME", "PWD", "TMPDIR", "OLDPWD"}:
                os.environ[name] = _replace_prefix(value, old, new)
        self._contexts.move(lambda path: _replace_prefix(path, old, new))
        tempfile: Any = sys.modules.get("tempfile")
        if isinstance(getattr(tempfile, "tempdir", None), str):
            tempfile.tempdir = _replace_prefix(tempfile.tempdir, old, new)


def _keep_clear_of_streams(descriptor: int) -> int:
    """Move a received descriptor that has the number of a standard stream, which the program has closed."""
    if descriptor > 2:
        return descriptor
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(descriptor)
    return moved


def _enter_copy(old: str, new: str) -> None:
    """Change from a directory of the parent to its copy, or to the work directory if it has none."""
    try:
        os.chdir(_replace_prefix(os.getcwd(), old, new))
    except OSError:
        os.chdir(get_work_directory(new))


@contextmanager
def set_variables(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables for one call. Afterward they have their earlier values."""
    earlier = {name: value for name, value in os.environ.items() if name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name, None)
        os.environ.update(earlier)


def open_stdin() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8", errors="surrogateescape")


def _replace_prefix(path: str, old: str, new: str) -> str:
    return new + path[len(old) :] if path == old or path.startswith(f"{old}/") else path


def run_repl(spec: BranchSpec) -> NoReturn:
    """Confine this process and serve calls until the supervisor closes the connection."""
    connection = socket.socket(fileno=PRIVATE_DESCRIPTOR)
    if spec.limits.get("forkable", True):
        listener = confine_forkable(spec.uid)
    else:
        listener = None
        confine(spec.uid)
    frames.send(connection, {"ready": True}, [] if listener is None else [listener])
    if listener is not None:
        os.close(listener)
    repl = Repl(connection, spec.directory)
    prepare_interpreter()
    gc.enable()
    repl.serve()


def prepare_interpreter() -> None:
    """Make this interpreter look like a new one: remove the runner from `sys.path` and `sys.modules`."""
    package_parent = os.path.abspath(f"{__file__}/../../../..")
    sys.path[:] = ["", *[path for path in sys.path if path not in {"", package_parent}]]
    sys.argv[:] = [""]
    for name in [name for name in sys.modules if name == "sandbox" or name.startswith("sandbox.")]:
        del sys.modules[name]
