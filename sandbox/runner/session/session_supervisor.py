"""The first process of a session's box: it creates branches, passes calls to them, and enforces their limits.

Theory of operation. A session's box keeps state between calls. The worker sends requests as frames, each with a number
that the answers repeat. Each branch has a uid, a directory and one process: a Python REPL or a bash. Calls of different
branches run concurrently, one at a time per branch. The supervisor waits for events but never blocks on a program. It
reads outputs from non-blocking pipes, and side processes do all work on files.

Messages of a branch's process are not trusted. A forged message corrupts only the answers of its own branch: its type,
size and depth are checked, and a large body is passed on unread, apart from the supervisor's own fields (`replies`).
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from sandbox.runner import frames
from sandbox.runner.kernel import GVISOR, detect_kernel
from sandbox.runner.session import branch_files, fork_library
from sandbox.runner.session.branch import Branch
from sandbox.runner.session.branch_factory import HOME, BranchFactory
from sandbox.runner.session.branch_operations import FILE_REQUESTS, FileOperations
from sandbox.runner.session.call_limits import CallLimits
from sandbox.runner.session.calls import Calls
from sandbox.runner.session.forks import Forks
from sandbox.runner.session.links import LinkClosed
from sandbox.runner.session.processes import PROCESS_REQUESTS, Processes
from sandbox.runner.session.reactor import FrameSender, Reactor
from sandbox.runner.session.replies import Replies, RequestFailed
from sandbox.runner.session.side_process import SideProcess, SideResult
from sandbox.runner.supervisor.process_setup import deny_pseudo_terminals, set_up_process
from sandbox.runner.supervisor.supervisor import send_broken

MAX_REQUEST_BYTES = 1 << 30
SHARED = ("/tmp", "/dev/shm")
# requests that even a busy branch accepts, those that it accepts during a call, and those that need it for themselves
WHILE_BUSY = frozenset({"interrupt", "close"}) | (PROCESS_REQUESTS - {"start_process"})
DURING_CALLS = FILE_REQUESTS | {"start_process"}
EXCLUSIVE = frozenset({"fork", "snapshot", "restore"})


class SessionSupervisor:
    """Serves one worker on `connection` until the connection closes."""

    def __init__(self, connection: socket.socket, root: str, uid_base: int, home: str = "") -> None:
        connection.setblocking(False)
        self._connection = connection
        self._reactor = Reactor()
        self._replies = Replies(FrameSender(connection, self._reactor))
        self._branches: dict[int, Branch] = {}
        self._side_processes: dict[int, SideProcess] = {}
        forkable = detect_kernel() != GVISOR
        self._factory = BranchFactory(self._reactor, root, uid_base, forkable, home, self._receive_message)
        limits = CallLimits(self._reactor, root, SHARED, self._list_own_pids, self._run_side_process)
        self._calls = Calls(self._replies, limits)
        self._processes = Processes(self._reactor, self._replies)
        os.chmod(root, 0o711)  # a branch need not see the names of the others
        self._files = FileOperations(self._replies, self._run_side_process)
        self._forks = Forks(
            self._reactor, self._replies, self._factory, self._list_own_pids, self._run_side_process,
            self._add_branch, self._discard_branch,
        )  # fmt: skip
        self._wake_read, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._reactor.add_reader(self._wake_read, self._reap)
        self._reactor.add_reader(connection.fileno(), self._receive_request)

    def serve(self) -> None:
        """Serve requests until the worker disconnects, which raises FrameError."""
        fork_library.load()
        gc.collect()
        gc.freeze()  # a forked REPL shares these objects until someone writes to them
        self._replies.send({"ready": True, "pid": os.getpid(), "kernel": detect_kernel(), "session": True})
        while True:
            self._reactor.run_once()

    def _receive_request(self) -> None:
        request, payload, descriptors = frames.receive(self._connection, allow_large_header=True)
        try:
            self._dispatch(request, payload, descriptors)
        except RequestFailed as failure:
            self._replies.send_error(request.get("id"), failure.code, str(failure))
        except LinkClosed:
            self._replies.send_error(request.get("id"), "ended", "the branch's process has ended")
        except (KeyError, TypeError, ValueError, OSError) as error:
            self._replies.send_error(request.get("id"), "invalid_request", f"{type(error).__name__}: {error}")
        finally:
            frames.close_descriptors(descriptors)

    def _dispatch(self, request: dict[str, Any], payload: bytes, descriptors: list[int]) -> None:
        action, number = request["do"], int(request["branch"])
        if action == "open":
            self._open(request, number)
            return
        branch = self._branches.get(number)
        if branch is None:
            raise RequestFailed("unknown_branch", f"there is no branch {number}")
        if action not in WHILE_BUSY and not _is_free(branch, action):
            raise RequestFailed("busy", f"branch {number} still runs another call")
        if action == "execute":
            self._calls.execute(branch, request, _read_content(request, payload, descriptors))
        elif action == "interrupt":
            self._replies.send({"id": request["id"], "interrupted": self._calls.interrupt(branch)})
        elif action == "fork":
            self._forks.begin(branch, request)
        elif action == "close":
            self._close(branch, request)
        elif action in PROCESS_REQUESTS:
            self._processes.begin(branch, request, _read_content(request, payload, descriptors))
        elif not self._files.begin(branch, request, _read_content(request, payload, descriptors)):
            raise RequestFailed("invalid_request", f"unknown request {action!r}")

    def _open(self, request: dict[str, Any], number: int) -> None:
        if number in self._branches:
            raise RequestFailed("exists", f"branch {number} is already open")
        branch = self._factory.open(request, number)
        self._branches[number] = branch
        branch.open_request = request["id"]

        def finish() -> None:
            branch.pending_call = None
            self._replies.send({"id": request["id"], "opened": True})

        branch.pending_call = finish

    def _add_branch(self, branch: Branch) -> None:
        self._branches[branch.number] = branch
        self._factory.watch(branch)

    def _receive_message(self, branch: Branch) -> None:
        try:
            if not branch.ready:
                self._factory.receive_ready(branch)
                branch.pending_call()
                return
            message = branch.link.receive()
        except LinkClosed:
            self._reactor.remove_reader(branch.link.descriptor)
            branch.kill()  # without its link nobody can use it; its end is reported when it is reaped
            if self._branches.get(branch.number) is not branch:
                self._forks.fail(branch, "a new shell ended")
            return
        if branch.pending_call is not None:  # an internal command of a fork
            message.close()
            if message.header.get("done"):
                branch.pending_call()
        elif isinstance(reason := message.header.get("fork_failed"), str):
            message.close()
            self._forks.fail(branch, f"the branch cannot fork: {reason}")
        else:
            self._calls.handle(branch, message)

    def _reap(self) -> None:
        """Reap every child that has ended: side processes, branches and orphans.

        An orphan's CPU time counts for its branch.
        """
        try:
            os.read(self._wake_read, 4096)
        except BlockingIOError:
            pass
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            pid, status, used = os.wait4(ended.si_pid, 0)
            side = self._side_processes.pop(pid, None)
            branch = next((one for one in self._branches.values() if one.pid == pid), None)
            if side is not None:
                side.finish(side.collect())
            elif branch is not None:
                branch.reaped_cpu_s += used.ru_utime + used.ru_stime
                branch.starting_pid = 0
                self._end_branch(branch, status)
            else:
                self._processes.reap(pid, status, used)
                for one in self._branches.values():
                    if one.uid == ended.si_uid:
                        one.reaped_cpu_s += used.ru_utime + used.ru_stime

    def _end_branch(self, branch: Branch, status: int) -> None:
        """Report the end of a branch's process, and remove all its processes and files."""
        reason = self._factory.explain_end(status)
        if not branch.ready:
            message = branch.stderr.take_held().decode("utf-8", "replace").strip()
            self._replies.send_error(branch.open_request, "not_started", message or reason)
        elif branch.call is not None:
            self._calls.end(branch, status, reason)
        else:
            self._replies.send({"event": "ended", "branch": branch.number, "reason": reason})
        self._processes.end_all(branch, reason)
        self._remove(branch, lambda _: None)

    def _close(self, branch: Branch, request: dict[str, Any]) -> None:
        if not branch.ready:
            self._replies.send_error(branch.open_request, "not_started", "the branch was closed")
        elif branch.call is not None:
            self._calls.end(branch, None, "the branch was closed")

        def finish(result: SideResult) -> None:
            if result.error:
                self._replies.send_error(request["id"], "internal", f"files left: {result.error}")
            else:
                self._replies.send({"id": request["id"], "closed": True})

        self._remove(branch, finish)

    def _discard_branch(self, branch: Branch) -> None:
        self._remove(branch, lambda _: None)

    def _remove(self, branch: Branch, finish: Callable[[SideResult], None]) -> None:
        """Kill all processes of the branch's uid and remove its files."""
        self._forks.fail(branch, "the branch has ended")
        self._processes.end_all(branch, "the session was closed")
        self._branches.pop(branch.number, None)
        branch.kill()
        for process in self._side_processes.values():
            if process.uid == branch.uid:
                process.stop()
        self._factory.release(branch)
        directory, uid = branch.spec.directory, branch.uid
        self._run_side_process(lambda: branch_files.remove_all_files(directory, SHARED, uid), uid, finish)

    def _run_side_process(
        self, work: Callable[[], Any], uid: int | None, finish: Callable[[SideResult], None]
    ) -> SideProcess:
        process = SideProcess(work, uid, finish)
        self._side_processes[process.pid] = process
        return process

    def _list_own_pids(self) -> set[int]:
        return {branch.pid for branch in self._branches.values()} | set(self._side_processes)


def _is_free(branch: Branch, action: str) -> bool:
    """Return whether a branch can serve a request now."""
    if not branch.ready or branch.busy or (branch.file_requests and action in EXCLUSIVE):
        return False
    return branch.call is None or action in DURING_CALLS


def _read_content(request: dict[str, Any], payload: bytes, descriptors: list[int]) -> bytes:
    """Return the content of a request: its payload, or `memory_file` bytes in a memfd."""
    if not descriptors:
        return payload
    size = int(request.get("memory_file", os.fstat(descriptors[0]).st_size))
    if not 0 <= size <= MAX_REQUEST_BYTES:
        raise RequestFailed("invalid_request", f"memory_file: expected at most {MAX_REQUEST_BYTES} bytes, got {size}")
    return frames.read_memory_file(descriptors.pop(0), size)


class SessionOptions(NamedTuple):
    """The options that the engine passes to a session's supervisor, as JSON in its only argument."""

    connect: str  # the Unix socket the worker listens on
    uid_base: int  # branches use the uids above this one
    session: bool = True
    root: str = "/box"  # holds the branches' directories
    links_home: bool = False  # HOME becomes a link to the work directory of the first branch


def main() -> NoReturn:
    """Serve one session. Exit with 0 once the worker disconnects, or with 1 if the box can no longer be trusted."""
    options = SessionOptions(**json.loads(sys.argv[1]))
    set_up_process()
    deny_pseudo_terminals()
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(options.connect)
    try:
        SessionSupervisor(connection, options.root, options.uid_base, HOME if options.links_home else "").serve()
    except frames.ConnectionClosed:
        os._exit(0)
    except frames.FrameError as error:
        print(f"box broken: {error}", file=sys.stderr, flush=True)
        send_broken(connection, error)
    os._exit(1)
