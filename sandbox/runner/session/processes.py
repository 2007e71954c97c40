"""Run processes of a branch beside its interpreter or shell, several at a time.

A process has the branch's uid, directory and environment, so the branch's limits include it, and it ends with the
branch. The supervisor is its parent, forwards its output and reports its end.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable
from typing import Any, NoReturn

from sandbox.runner.session.branch import Branch
from sandbox.runner.session.branch_launch import BranchSpec, confine, start_process
from sandbox.runner.session.output_stream import OutputStream
from sandbox.runner.session.reactor import Reactor
from sandbox.runner.session.replies import Replies, RequestFailed
from sandbox.runner.supervisor import process_tree, usage

PROCESS_REQUESTS = frozenset({"start_process", "signal_process", "write_process"})
CHECK_INTERVAL_S = 0.5
NO_DIRECTORY, NO_PROGRAM = 126, 127  # the exit codes of a shell


class RunningProcess:
    """A started process. `input` is the write end of its stdin, or -1."""

    def __init__(self, branch: Branch, request: dict[str, Any], outputs: dict[str, OutputStream]) -> None:
        limits = request.get("limits", {})
        self.id = request["id"]
        self.branch = branch
        self.outputs = outputs
        self.cpu_limit_s = float(limits.get("cpu_time_s", 3600.0))
        self.wall_limit_s = float(limits.get("wall_time_s", 3600.0))
        self.output_bytes = int(limits.get("output_kb", 1024)) * 1024
        self.started_at = time.monotonic()
        self.pid = 0
        self.input = -1
        self.stopped = ""
        self.stop_reason = ""

    def measure_cpu_s(self) -> float:
        return sum(map(usage.read_process_cpu_time_s, [self.pid, *process_tree.list_descendants(self.pid)]))


class Processes:
    """The processes of all branches, by pid."""

    def __init__(self, reactor: Reactor, replies: Replies) -> None:
        self._reactor = reactor
        self._replies = replies
        self._processes: dict[int, RunningProcess] = {}

    def begin(self, branch: Branch, request: dict[str, Any], content: bytes) -> None:
        """Serve one of PROCESS_REQUESTS. Raises RequestFailed, or KeyError, TypeError, ValueError or OSError."""
        if request["do"] == "start_process":
            self._start(branch, request)
            return
        process = self._find(branch, int(request["pid"]))
        if request["do"] == "signal_process":
            self._signal(process, signal.Signals(int(request["signal"])))
        else:
            self._write(process, content, bool(request.get("close")))
        self._replies.send({"id": request["id"], "done": True})

    def _start(self, branch: Branch, request: dict[str, Any]) -> None:
        """Start `command`, a list of arguments, in `directory`."""
        command = [os.fsencode(word) for word in request["command"]]
        environment = {str(name): str(value) for name, value in request.get("environment", {}).items()}
        spec = branch.spec._replace(environment={**branch.spec.environment, **environment})
        outputs = {name: OutputStream(self._reactor) for name in ("stdout", "stderr")}
        process = RunningProcess(branch, request, outputs)
        source, process.input = _open_input(bool(request.get("stdin")))
        try:
            streams = [source, *(stream.write_end for stream in outputs.values())]
            process.pid = start_process(spec, streams, [], _build_run(command, str(request.get("directory", ""))))
        except OSError:
            self._close(process)
            raise
        finally:
            os.close(source)
        self._processes[process.pid] = process
        self._replies.send({"id": process.id, "event": "started", "pid": process.pid})
        for name, stream in outputs.items():
            stream.close_write_end()
            stream.begin(process.output_bytes, self._build_emit(process, name), lambda: self._stop_runaway(process))
        self._reactor.set_timer(process, min(CHECK_INTERVAL_S, process.wall_limit_s), lambda: self._check(process))

    def _build_emit(self, process: RunningProcess, name: str) -> Callable[[bytes], bool]:
        def emit(content: bytes) -> bool:
            self._replies.send({"id": process.id, "event": "output", "stream": name}, content)
            return not self._replies.is_congested

        return emit

    def _signal(self, process: RunningProcess, number: signal.Signals) -> None:
        """Send a signal to a process and its process group."""
        try:
            os.killpg(process.pid, number)
        except (ProcessLookupError, PermissionError):  # it has not become the leader of its group yet
            os.kill(process.pid, number)

    def _write(self, process: RunningProcess, content: bytes, close: bool) -> None:
        """Write to a process's stdin, and `close` it afterward. Raises RequestFailed."""
        pid = process.pid
        if process.input < 0:
            raise RequestFailed("file_error", f"the stdin of process {pid} is not open")
        try:
            if content and os.write(process.input, content) < len(content):
                raise BlockingIOError
        except BlockingIOError:
            raise RequestFailed(
                "file_error", f"process {pid} does not read its stdin; a part was not written"
            ) from None
        except BrokenPipeError:
            raise RequestFailed("file_error", f"process {pid} has closed its stdin") from None
        if close:
            os.close(process.input)
            process.input = -1

    def _find(self, branch: Branch, pid: int) -> RunningProcess:
        process = self._processes.get(pid)
        if process is None or process.branch is not branch:
            raise RequestFailed("not_found", f"there is no process {pid}")
        return process

    def reap(self, pid: int, wait_status: int, used: resource.struct_rusage) -> bool:
        """Report the end of a process; return False if `pid` is not one of them."""
        process = self._processes.pop(pid, None)
        if process is None:
            return False
        for stream in process.outputs.values():
            stream.drain()
        exited = os.WIFEXITED(wait_status)
        code = os.WEXITSTATUS(wait_status) if exited else None
        self._replies.send(
            {
                "id": process.id,
                "event": "done",
                "status": process.stopped or ("ok" if code == 0 else "error"),
                "exit_code": code,
                "signal": None if exited else os.WTERMSIG(wait_status),
                "reason": process.stop_reason,
                "stdout_truncated": process.outputs["stdout"].truncated,
                "stderr_truncated": process.outputs["stderr"].truncated,
                "usage": {
                    "cpu_time_s": used.ru_utime + used.ru_stime,
                    "wall_time_s": time.monotonic() - process.started_at,
                    "memory_mb": used.ru_maxrss / 1024,
                },
            }
        )
        self._close(process)
        return True

    def end_all(self, branch: Branch, reason: str) -> None:
        """Report that a branch ends, and kill its processes."""
        for process in [process for process in self._processes.values() if process.branch is branch]:
            del self._processes[process.pid]
            self._replies.send_error(process.id, "ended", reason)
            process_tree.kill(process.pid)
            self._close(process)

    def _check(self, process: RunningProcess) -> None:
        wall_left = process.wall_limit_s - (time.monotonic() - process.started_at)
        if wall_left <= 0:
            self._stop(process, "time_limit", f"the process ran longer than {process.wall_limit_s:g} s")
        elif process.measure_cpu_s() >= process.cpu_limit_s:
            self._stop(process, "time_limit", f"the process used more than {process.cpu_limit_s:g} s of CPU time")
        else:
            self._reactor.set_timer(process, min(CHECK_INTERVAL_S, wall_left), lambda: self._check(process))

    def _stop_runaway(self, process: RunningProcess) -> None:
        self._stop(process, "output_limit", "the process printed too much")

    def _stop(self, process: RunningProcess, status: str, reason: str) -> None:
        process.stopped, process.stop_reason = status, reason
        for pid in [*process_tree.list_descendants(process.pid), process.pid]:
            process_tree.kill(pid)

    def _close(self, process: RunningProcess) -> None:
        self._reactor.cancel_timer(process)
        for stream in process.outputs.values():
            stream.close()
        if process.input >= 0:
            os.close(process.input)
            process.input = -1


def _open_input(piped: bool) -> tuple[int, int]:
    """Return the descriptor that becomes a process's stdin, and the one that writes to it, or -1."""
    if not piped:
        return os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC), -1
    source, target = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(target, False)
    return source, target


def _build_run(command: list[bytes], directory: str) -> Callable[[BranchSpec], NoReturn]:
    def run(spec: BranchSpec) -> NoReturn:
        confine(spec.uid)
        try:
            if directory:
                os.chdir(directory)
        except OSError as error:
            _fail(NO_DIRECTORY, f"cannot enter the directory {directory}: {error.strerror}")
        try:
            os.execvp(command[0], command)
        except OSError as error:
            _fail(NO_PROGRAM, f"cannot run {os.fsdecode(command[0])}: {error.strerror}")

    return run


def _fail(code: int, message: str) -> NoReturn:
    os.write(2, f"{message}\n".encode(errors="replace"))
    os._exit(code)
