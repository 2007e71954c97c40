"""Create branches: assign the number and the uid, create the directory and the descriptors, and start the process."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.runner import frames
from sandbox.runner.session import repl, shell
from sandbox.runner.session.branch import Branch, Family
from sandbox.runner.session.branch_fork import create_directory, hand_over
from sandbox.runner.session.branch_launch import BranchSpec, start_process
from sandbox.runner.session.links import LinkClosed, ReplLink, ShellLink
from sandbox.runner.session.output_stream import OutputStream
from sandbox.runner.session.reactor import Reactor
from sandbox.runner.session.replies import RequestFailed
from sandbox.runner.session.uid_listener import answer_notification
from sandbox.runner.supervisor import usage

MAX_BRANCHES = 65_000  # of a box, over its whole life: each has a uid of its own
DEFAULT_LIMITS = {"processes": 64, "file_mb": 256, "disk_mb": 512}
HOME = "/home/user"  # where programs that were written for other sandboxes expect their files
OUT_OF_MEMORY = "the box ran out of memory"


class BranchFactory:
    """Creates branches and connects them to the event loop."""

    def __init__(
        self,
        reactor: Reactor,
        root: str,
        uid_base: int,
        forkable: bool,
        home: str,
        receive: Callable[[Branch], None],
    ) -> None:
        self._reactor = reactor
        self._root = root
        self._uid_base = uid_base
        self._count = 0
        self._last_number = -1
        self._forkable = forkable
        self._home = home
        self._receive = receive
        self._oom_kills = usage.open_oom_kill_counter()
        self._oom_kills_seen = self._oom_kills.read()

    def open(self, request: Mapping[str, Any], number: int) -> Branch:
        """Create a branch and start its process, but do not wait until it is ready. Raises RequestFailed or OSError."""
        kind = request.get("kind", "python")
        if kind not in {"python", "shell"}:
            raise RequestFailed("invalid_request", f"kind: {kind!r} is neither 'python' nor 'shell'")
        environment = {str(name): str(value) for name, value in request.get("environment", {}).items()}
        limits = {**DEFAULT_LIMITS, **request.get("limits", {}), "forkable": self._forkable}
        branch = self.create(number, kind, environment, limits, None)
        create_directory(branch)
        hand_over(branch)
        if self._home and not os.path.islink(self._home):
            os.symlink(branch.work, self._home)
        self.start(branch)
        return branch

    def create(
        self, number: int, kind: str, environment: Mapping[str, str], limits: Mapping[str, Any], family: Family | None
    ) -> Branch:
        """Create a branch without a process. If `family` is None, start a new family."""
        self._count += 1
        if self._count > MAX_BRANCHES:
            raise RequestFailed("too_many_branches", f"a box has at most {MAX_BRANCHES} branches over its life")
        uid = self._uid_base + self._count
        spec = BranchSpec(uid, self._uid_base, f"{self._root}/{uid}", environment, limits)
        family = family or Family(uid)
        family.members += 1
        self._last_number = max(self._last_number, number)
        return Branch(number, kind, spec, family, int(limits["disk_mb"]))

    def create_sibling(self, parent: Branch) -> Branch:
        """Create a branch for a fork of `parent`."""
        family = parent.family if parent.kind == "python" else None
        return self.create(self._last_number + 1, parent.kind, parent.spec.environment, parent.spec.limits, family)

    def start(self, branch: Branch) -> None:
        """Start the process of a branch whose directory is ready."""
        branch.stdout, branch.stderr = OutputStream(self._reactor), OutputStream(self._reactor)
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        try:
            if branch.kind == "shell":
                link = ShellLink()
                streams = [link.lines_read_end, branch.stdout.write_end, null]
                branch.link = link
                branch.pid = start_process(
                    branch.spec, streams, link.list_private(branch.stderr.write_end), shell.run_bash
                )
                link.close_child_ends()
                link.execute(b":", None)
            else:
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                branch.link = ReplLink(ours)
                streams = [null, branch.stdout.write_end, branch.stderr.write_end]
                branch.pid = start_process(branch.spec, streams, [theirs.fileno()], repl.run_repl)
                theirs.close()
        finally:
            os.close(null)
        branch.starting_pid = branch.pid
        branch.stdout.close_write_end()
        branch.stderr.close_write_end()
        self.watch(branch)

    def watch(self, branch: Branch) -> None:
        self._reactor.add_reader(branch.link.descriptor, lambda: self._receive(branch))

    def receive_ready(self, branch: Branch) -> None:
        """Receive the first message of a new process. Raises LinkClosed if the process failed to start."""
        if isinstance(branch.link, ShellLink):
            branch.link.receive()
        else:
            header, _, descriptors = branch.link.receive_frame()  # no program has run yet, so this is our own code
            if not header.get("ready"):
                frames.close_descriptors(descriptors)
                raise LinkClosed
            if descriptors:
                self._watch_listener(branch.family, descriptors[0])
        branch.ready = True
        branch.starting_pid = 0

    def _watch_listener(self, family: Family, listener: int) -> None:
        family.listener = listener
        self._reactor.add_reader(listener, lambda: answer_notification(listener, family.find_switch))

    def release(self, branch: Branch) -> None:
        """Close the supervisor's descriptors for a branch, and remove the link to its work directory."""
        if self._home and os.path.islink(self._home) and os.readlink(self._home) == branch.work:
            os.unlink(self._home)
        if hasattr(branch, "link"):
            self._reactor.remove_reader(branch.link.descriptor)
            branch.link.close()
        if hasattr(branch, "stdout"):
            branch.stdout.close()
            branch.stderr.close()
        family = branch.family
        family.members -= 1
        if not family.members and family.listener is not None:
            self._reactor.remove_reader(family.listener)
            os.close(family.listener)
            family.listener = None

    def explain_end(self, wait_status: int) -> str:
        """Describe in words how a process ended. `wait_status` is the status from `os.waitpid`."""
        kills = self._oom_kills.read()
        out_of_memory, self._oom_kills_seen = kills > self._oom_kills_seen, kills
        if os.WIFEXITED(wait_status):
            return f"the process exited with code {os.WEXITSTATUS(wait_status)}"
        number = os.WTERMSIG(wait_status)
        if out_of_memory and number == signal.SIGKILL:
            return OUT_OF_MEMORY
        return f"the process was ended by {signal.Signals(number).name}"
