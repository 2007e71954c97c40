"""Run code in a branch: start the call, forward its events, and report how it ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from sandbox.runner import frames
from sandbox.runner.session.branch import Branch, Call
from sandbox.runner.session.call_limits import CallLimits
from sandbox.runner.session.links import Message, ReplLink, ShellLink
from sandbox.runner.session.output_stream import RUNAWAY_BYTES
from sandbox.runner.session.replies import Replies

MAX_EXIT_CODE = 255
CELL_OPTIONS = frozenset({"context", "contexts", "directory", "variables"})  # of a Python call
SHELL_INTERRUPTED = 128 + signal.SIGINT


class Calls:
    """The running calls of all branches."""

    def __init__(self, replies: Replies, limits: CallLimits) -> None:
        self._replies = replies
        self._limits = limits

    def execute(self, branch: Branch, request: dict[str, Any], content: bytes) -> None:
        """Begin a call. `content` is the code followed by the stdin.

        Raises LinkClosed if the branch's process has ended.
        """
        size = request.get("stdin")
        code, stdin = (
            (content, None) if size is None else (content[: len(content) - size], content[len(content) - size :])
        )
        call = Call(request)
        self._limits.begin(branch, call)
        branch.call = call
        for name, stream in (("stdout", branch.stdout), ("stderr", branch.stderr)):
            stream.begin(call.output_bytes, self._build_emit(call, name), lambda: self._stop_runaway(branch, call))
        if isinstance(branch.link, ShellLink):
            branch.link.execute(code, stdin)
        else:
            self._execute_cell(branch.link, code, stdin, {name: request[name] for name in CELL_OPTIONS & set(request)})

    def _execute_cell(self, link: ReplLink, code: bytes, stdin: bytes | None, options: dict[str, Any]) -> None:
        if stdin is None:
            descriptor = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        else:
            descriptor = frames.create_memory_file("stdin", stdin)
            os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            link.execute(code, descriptor, options)
        finally:
            os.close(descriptor)

    def _build_emit(self, call: Call, name: str) -> Callable[[bytes], bool]:
        def emit(content: bytes) -> bool:
            self._replies.send({"id": call.id, "event": "output", "stream": name}, content)
            return not self._replies.is_congested

        return emit

    def _stop_runaway(self, branch: Branch, call: Call) -> None:
        self._limits.stop(branch, call, "output_limit", f"the call printed more than {RUNAWAY_BYTES >> 20} MB")

    def interrupt(self, branch: Branch) -> bool:
        """Interrupt the branch's call; return whether there is one."""
        if branch.call is None:
            return False
        branch.call.interrupted = True
        self._limits.interrupt(branch, branch.call)
        return True

    def handle(self, branch: Branch, message: Message) -> None:
        """Handle a message of the branch's process.

        It is not trusted: it may contain anything and arrive at any time.
        """
        call = branch.call
        if call is None or not (message.header.get("done") or message.header.get("display")):
            message.close()
            return
        for stream in branch.outputs:
            stream.drain()
        if message.header.get("done"):
            self._finish(branch, call, message)
        elif message.large is not None:
            self._replies.send_large({"id": call.id, "event": "display"}, message.large, message.large_bytes)
        elif isinstance(message.body.get("data"), dict):
            self._replies.send({"id": call.id, "event": "display"}, body={"data": message.body["data"]})

    def _finish(self, branch: Branch, call: Call, message: Message) -> None:
        code = message.header.get("exit_code")
        code = code if type(code) is int and 0 <= code <= MAX_EXIT_CODE else None
        was_interrupted = message.header.get("interrupted") is True or (
            branch.kind == "shell" and code == SHELL_INTERRUPTED
        )
        if call.stopped:
            status = call.stopped
        elif call.interrupted and was_interrupted:
            status = "interrupted"
        else:
            status = "ok" if code == 0 else "error"
        header = self._build_done(branch, call, status, code) | {"state": "kept", "reason": call.stop_reason}
        if message.large is not None:
            self._replies.send_large(header, message.large, message.large_bytes)
        else:
            body = {
                name: value if isinstance(value := message.body.get(name), dict) else None
                for name in ("result", "error")
            }
            self._replies.send(header | {"result": None, "error": None}, body=body)

    def end(self, branch: Branch, wait_status: int | None, reason: str) -> None:
        """Report that the branch ended during its call: by itself with a `wait_status`, or because it was closed."""
        call = branch.call
        assert call is not None
        for stream in branch.outputs:
            stream.drain()
        code = None if wait_status is None or not os.WIFEXITED(wait_status) else os.WEXITSTATUS(wait_status)
        header = self._build_done(branch, call, call.stopped or "ended", code)
        self._replies.send(
            header | {"result": None, "error": None, "state": "lost", "reason": call.stop_reason or reason}
        )

    def _build_done(self, branch: Branch, call: Call, status: str, code: int | None) -> dict[str, Any]:
        cpu_s = self._limits.measure(branch, call)
        self._limits.end(call)
        branch.call = None
        for stream in branch.outputs:
            stream.end()
        return {
            "id": call.id,
            "event": "done",
            "status": status,
            "exit_code": code,
            "usage": branch.describe_usage(call, cpu_s),
            "stdout_truncated": branch.stdout.truncated,
            "stderr_truncated": branch.stderr.truncated,
        }
