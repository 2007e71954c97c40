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
from sandbox.runner.session.uid_listener import ExpectedSwitch, Notification, has_uid, read_status

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
        self._finish = finish
        self._copied = False
        self._held: list[Notification] = []  # switches of uid that wait for the copy of the directory
        self._left = len(branches)

    def begin(self) -> None:
        """Ask the parent's REPL to fork. Raises OSError, or LinkClosed if the REPL has ended."""
        assert isinstance(self._parent.link, ReplLink)
        ends: list[int] = []
        try:
            for branch in self._branches:
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                branch.link = ReplLink(ours)
                branch.link.require_credentials(True)
                branch.stdout, branch.stderr = OutputStream(self._reactor), OutputStream(self._reactor)
                ends += [theirs.detach(), os.dup(branch.stdout.write_end), os.dup(branch.stderr.write_end)]
                branch.stdout.close_write_end()
                branch.stderr.close_write_end()
                self._watch(branch, self._receive_hello)
            ends.append(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))
            self._parent.family.receive_hellos.append(self._receive_hellos)
            self._parent.link.send_fork([(branch.uid, branch.spec.directory) for branch in self._branches], ends)
        finally:
            frames.close_descriptors(ends)

    def finish_copy(self) -> None:
        """Let the children move to their directories, which are now complete."""
        self._copied = True
        held, self._held = self._held, []
        for notification in held:
            notification.answer(allow=True)

    def end(self) -> None:
        """Allow no more children to move."""
        family = self._parent.family
        if self._receive_hellos in family.receive_hellos:
            family.receive_hellos.remove(self._receive_hellos)
        for branch in self._branches:
            family.expected.pop(branch.pid, None)
        held, self._held = self._held, []
        for notification in held:
            notification.answer(allow=False)

    def _watch(self, branch: Branch, callback: Callable[[Branch], None]) -> None:
        assert isinstance(branch.link, ReplLink)
        self._reactor.add_reader(branch.link.descriptor, lambda: self._receive(branch, callback))

    def _receive(self, branch: Branch, callback: Callable[[Branch], None]) -> None:
        try:
            callback(branch)
        except LinkClosed:
            self._finish("the forked process ended")

    def _receive_hellos(self) -> None:
        """Receive the first messages that have arrived: a child sends its own just before it switches its uid."""
        for branch in self._branches:
            if not branch.pid:
                self._receive(branch, self._receive_hello)

    def _receive_hello(self, branch: Branch) -> None:
        assert isinstance(branch.link, ReplLink)
        pid = branch.link.receive_pid()
        if pid is None:
            return
        if pid <= 0 or pid in self._known_pids() or any(other.pid == pid for other in self._branches):
            raise LinkClosed
        branch.pid = pid
        self._watch(branch, self._receive_moved)

        def begin_switch(notification: Notification) -> None:
            if self._copied:
                del self._parent.family.expected[pid]
                notification.answer(allow=True)
            else:
                self._held.append(notification)

        self._parent.family.expected[pid] = ExpectedSwitch(self._parent.uid, branch.uid, begin_switch)

    def _receive_moved(self, branch: Branch) -> None:
        assert isinstance(branch.link, ReplLink)
        pid = branch.link.receive_pid()
        if pid is None:  # its hello was received early
            return
        if pid != branch.pid or not has_uid(read_status(pid), branch.uid):
            raise LinkClosed
        branch.link.require_credentials(False)
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
