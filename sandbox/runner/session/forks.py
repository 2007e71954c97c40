"""Fork branches: a Python REPL forks itself; a shell's state is saved and replayed in new shells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.runner.enums import MAX_FORK_COUNT
from sandbox.runner.session import shell
from sandbox.runner.session.branch import Branch
from sandbox.runner.session.branch_factory import BranchFactory
from sandbox.runner.session.branch_fork import ReplFork, create_directory, hand_over, has_no_files
from sandbox.runner.session.directory_copy import DirectoryCopy
from sandbox.runner.session.links import LinkClosed, ShellLink
from sandbox.runner.session.reactor import Reactor
from sandbox.runner.session.replies import Replies, RequestFailed
from sandbox.runner.session.side_process import RunSideProcess, SideProcess

FORK_TIMEOUT_S = 30.0


class RunningFork:
    """A fork in progress: its request, its parent and the new branches."""

    def __init__(self, parent: Branch, request: Mapping[str, Any], branches: list[Branch]) -> None:
        self.parent = parent
        self.request = request
        self.branches = branches
        self.copy: SideProcess | None = None  # copies the parent's directory
        self.repl_fork: ReplFork | None = None

    def concerns(self, branch: Branch) -> bool:
        return branch is self.parent or branch in self.branches


class Forks:
    """The forks in progress. Each is answered exactly once."""

    def __init__(
        self,
        reactor: Reactor,
        replies: Replies,
        factory: BranchFactory,
        known_pids: Callable[[], set[int]],
        run: RunSideProcess,
        add: Callable[[Branch], None],
        discard: Callable[[Branch], None],
    ) -> None:
        self._reactor = reactor
        self._replies = replies
        self._factory = factory
        self._known_pids = known_pids
        self._run_side_process = run
        self._add = add
        self._discard = discard
        self._running: list[RunningFork] = []

    def begin(self, parent: Branch, request: Mapping[str, Any]) -> None:
        """Begin a fork. Raises RequestFailed if the branch cannot fork."""
        count = int(request.get("count", 1))
        if not 1 <= count <= MAX_FORK_COUNT:
            raise RequestFailed("invalid_request", f"count: expected 1 to {MAX_FORK_COUNT}, got {count}")
        if parent.kind == "python" and parent.family.listener is None:
            raise RequestFailed("fork_unavailable", "this kernel has no seccomp user notification")
        fork = RunningFork(parent, request, [self._factory.create_sibling(parent) for _ in range(count)])
        self._running.append(fork)
        parent.busy = True
        try:
            for branch in fork.branches:
                create_directory(branch)
            if parent.kind == "python":
                self._fork_repl(fork)
            else:
                self._fork_shell(fork)
        except OSError as error:
            self._finish(fork, str(error))
        except LinkClosed:
            self._finish(fork, "the branch's process has ended")

    def fail(self, branch: Branch, reason: str) -> None:
        """End the fork that a branch takes part in, if there is one, as its parent or as a new branch."""
        for fork in [fork for fork in self._running if fork.concerns(branch)]:
            self._finish(fork, reason)

    def _fork_repl(self, fork: RunningFork) -> None:
        repl_fork = fork.repl_fork = ReplFork(
            self._reactor, fork.parent, fork.branches, self._known_pids, lambda error: self._finish(fork, error)
        )
        self._reactor.set_timer(fork, FORK_TIMEOUT_S, lambda: self._finish(fork, "the fork took too long"))
        if has_no_files(fork.parent):  # a side process would take longer than the fork itself
            for branch in fork.branches:
                hand_over(branch)
            repl_fork.finish_copy()
            repl_fork.begin()
        else:
            repl_fork.begin()
            self._copy(fork, repl_fork.finish_copy)

    def _fork_shell(self, fork: RunningFork) -> None:
        link = fork.parent.link
        assert isinstance(link, ShellLink)

        def save() -> None:
            fork.parent.pending_call = None
            state = link.read_state()
            self._copy(fork, lambda: self._start_shells(fork, state))

        def stop() -> None:
            stuck = fork.parent.pending_call is save
            self._finish(fork, "the fork took too long")
            if stuck:  # a later answer to the save could be taken for that of a call
                fork.parent.kill()

        self._reactor.set_timer(fork, FORK_TIMEOUT_S, stop)
        fork.parent.pending_call = save
        link.save_state()

    def _start_shells(self, fork: RunningFork, state: bytes) -> None:
        left = len(fork.branches)

        def count_ready(branch: Branch) -> None:
            nonlocal left
            branch.pending_call = None
            left -= 1
            if left == 0:
                self._finish(fork, "")

        for branch in fork.branches:
            code = shell.build_replay(state, fork.parent.spec.directory, branch.spec.directory)
            self._factory.start(branch)
            branch.pending_call = lambda branch=branch, code=code: self._replay(branch, code, count_ready)

    def _replay(self, branch: Branch, code: bytes, ready: Callable[[Branch], None]) -> None:
        def finish_replay() -> None:
            for stream in branch.outputs:
                stream.take_held()  # complaints about read-only variables
            ready(branch)

        branch.pending_call = finish_replay
        branch.link.execute(code, None)  # type: ignore[arg-type, call-arg]

    def _copy(self, fork: RunningFork, proceed: Callable[[], None]) -> None:
        """Copy the parent's directory to the new branches, then call `proceed`."""
        source, old_uid = fork.parent.spec.directory, fork.parent.uid
        targets = [(branch.spec.directory, branch.uid, branch.family.group) for branch in fork.branches]

        def copy() -> None:
            for directory, uid, group in targets:
                DirectoryCopy(old_uid, uid, group).copy(source, directory)

        def finish(error: str) -> None:
            if fork not in self._running:
                return
            if error:
                self._finish(fork, f"the directory cannot be copied: {error}")
                return
            try:
                proceed()
            except OSError as failure:
                self._finish(fork, str(failure))

        try:
            fork.copy = self._run_side_process(copy, None, lambda result: finish(result.error))
        except OSError as failure:
            self._finish(fork, str(failure))

    def _finish(self, fork: RunningFork, error: str) -> None:
        """Answer the fork's request, unless it is already answered. After an `error`, remove the new branches."""
        if fork not in self._running:
            return
        self._running.remove(fork)
        self._reactor.cancel_timer(fork)
        fork.parent.busy = False
        fork.parent.pending_call = None
        if fork.repl_fork is not None:
            fork.repl_fork.end()
        if not error:
            for branch in fork.branches:
                self._add(branch)
            self._replies.send({"id": fork.request["id"], "branches": [branch.number for branch in fork.branches]})
            return
        if fork.copy is not None:
            fork.copy.stop()
        for branch in fork.branches:
            self._discard(branch)
        self._replies.send_error(fork.request["id"], "fork_failed", error)
