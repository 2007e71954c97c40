"""Perform one fork of a branch, from copying its directory until all new branches are ready."""

from __future__ import annotations

import itertools
import os
import socket
import stat
from collections.abc import Callable

from sandbox.runner import frames
from sandbox.runner.session.branch import Branch
from sandbox.runner.session.links import LinkClosed, ReplLink
from sandbox.runner.session.output_stream import OutputStream
from sandbox.runner.session.reactor import Reactor
from sandbox.runner.session.uid_listener import ExpectedSwitch, has_uid, read_status

SUBDIRECTORIES = ("work", "tmp")  # of a branch's directory


class ReplFork:
    """Moves the children of a forking REPL to their own uids and directories.

    Calls `finish` with an empty string once all have moved, or with the reason of a failure.
    """

    def __init__(
        self,
        reactor: Reactor,
        parent: Branch,
        branches: list[Branch],
        known_pids: Callable[[], set[int]],
        finish: Callable[[str], None],
    ) -> None:
        self._reactor = reactor
        self._parent = parent
        self._branches = branches
        self._known_pids = known_pids
        self._report_end = finish
        self._ended = False
        self._copied = False
        self._waiting: list[Branch] = []  # said hello, but their directory is not ready
        self._left = len(branches)

    def begin(self) -> None:
        """Ask the parent's REPL to fork. Raises OSError, or LinkClosed if the REPL has ended."""
        assert isinstance(self._parent.link, ReplLink)
        ends: list[int] = []
        try:
            for branch in self._branches:
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                branch.link = ReplLink(ours)
                branch.link.require_credentials()
                branch.stdout, branch.stderr = OutputStream(self._reactor), OutputStream(self._reactor)
                ends += [theirs.detach(), os.dup(branch.stdout.write_end), os.dup(branch.stderr.write_end)]
                branch.stdout.close_write_end()
                branch.stderr.close_write_end()
                self._watch(branch, self._receive_hello)
            self._parent.link.send_fork(ends)
        finally:
            frames.close_descriptors(ends)

    def finish_copy(self) -> None:
        """Let the children move to their directories, whose copies are now complete."""
        self._copied = True
        waiting, self._waiting = self._waiting, []
        for branch in waiting:
            self._order_move(branch)

    def _watch(self, branch: Branch, callback: Callable[[Branch], None]) -> None:
        def receive() -> None:
            try:
                callback(branch)
            except LinkClosed:
                self._finish("the forked process ended")

        assert isinstance(branch.link, ReplLink)
        self._reactor.add_reader(branch.link.descriptor, receive)

    def _receive_hello(self, branch: Branch) -> None:
        assert isinstance(branch.link, ReplLink)
        pid = branch.link.receive_pid()
        if pid <= 0 or pid in self._known_pids() or any(other.pid == pid for other in self._branches):
            raise LinkClosed
        branch.pid = pid
        self._watch(branch, self._receive_moved)
        if self._copied:
            self._order_move(branch)
        else:
            self._waiting.append(branch)

    def _finish(self, error: str) -> None:
        self._ended = True
        self._report_end(error)

    def _order_move(self, branch: Branch) -> None:
        if self._ended:
            return
        assert isinstance(branch.link, ReplLink)
        self._parent.family.expected[branch.pid] = ExpectedSwitch(branch.pid, self._parent.uid, branch.uid)
        null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        try:
            branch.link.send_move(branch.uid, branch.spec.directory, null)
        except LinkClosed:
            self._finish("the forked process ended")
        finally:
            os.close(null)

    def _receive_moved(self, branch: Branch) -> None:
        assert isinstance(branch.link, ReplLink)
        branch.link.receive().close()
        if not has_uid(read_status(branch.pid), branch.uid):
            raise LinkClosed
        branch.ready = True
        self._reactor.remove_reader(branch.link.descriptor)
        self._left -= 1
        if not self._left:
            self._finish("")


def has_no_files(branch: Branch) -> bool:
    """Return whether a branch's directory is as `hand_over` left it. A program may have changed it in any way."""
    directory = branch.spec.directory
    try:
        return _holds(directory, set(SUBDIRECTORIES)) and all(
            _holds(f"{directory}/{name}", set()) for name in SUBDIRECTORIES
        )
    except OSError:
        return False


def _holds(path: str, names: set[str]) -> bool:
    """Return whether `path` is a directory with the mode 700 that contains exactly `names`. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with os.scandir(descriptor) as found:
            is_equal = {entry.name for entry in itertools.islice(found, len(names) + 1)} == names
        return is_equal and os.fstat(descriptor).st_mode == stat.S_IFDIR | 0o700
    finally:
        os.close(descriptor)


def create_directory(branch: Branch) -> None:
    """Create a branch's directory. Nobody else can access it until `hand_over`."""
    os.mkdir(branch.spec.directory, 0o700)


def hand_over(branch: Branch) -> None:
    """Create the subdirectories of a new branch and make its uid their owner."""
    for name in SUBDIRECTORIES:
        path = f"{branch.spec.directory}/{name}"
        os.mkdir(path, 0o700)
        os.chown(path, branch.uid, branch.family.group)
    os.chown(branch.spec.directory, branch.uid, branch.family.group)
