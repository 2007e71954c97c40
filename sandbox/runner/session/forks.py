"""Fork branches: a Python REPL forks itself; a shell's state is saved and replayed in new shells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.runner.session import shell
from sandbox.runner.session.branch import Branch
from sandbox.runner.session.branch_factory import BranchFactory
from sandbox.runner.session.branch_fork import ReplFork, create_directory
from sandbox.runner.session.calls import Calls
from sandbox.runner.session.directory_copy import DirectoryCopy
from sandbox.runner.session.links import LinkClosed, ShellLink
from sandbox.runner.session.reactor import Reactor
from sandbox.runner.session.replies import Replies, RequestFailed
from sandbox.runner.session.side_process import SideResult

MAX_COUNT = 32

RunSideProcess = Callable[[Callable[[], Any], int | None, Callable[[SideResult], None]], None]


class Forks:
    """The forks in progress, by parent branch."""

    def __init__(
        self,
        reactor: Reactor,
        replies: Replies,
        factory: BranchFactory,
        calls: Calls,
        known_pids: Callable[[], set[int]],
        run: RunSideProcess,
        add: Callable[[Branch], None],
        discard: Callable[[Branch], None],
    ) -> None:
        self._reactor = reactor
        self._replies = replies
        self._factory = factory
        self._calls = calls
        self._known_pids = known_pids
        self._run_side_process = run
        self._add = add
        self._discard = discard
        self._repl_forks: dict[int, ReplFork] = {}  # by the parent's number

    def begin(self, parent: Branch, request: Mapping[str, Any]) -> None:
        """Begin a fork. Raises RequestFailed if the branch cannot fork."""
        count = int(request.get("count", 1))
        if not 1 <= count <= MAX_COUNT:
            raise RequestFailed("invalid_request", f"count: expected 1 to {MAX_COUNT}, got {count}")
        if parent.kind == "python" and parent.family.listener is None:
            raise RequestFailed("fork_unavailable", "this kernel has no seccomp user notification")
        branches = [self._factory.create_sibling(parent) for _ in range(count)]
        parent.busy = True
        for branch in branches:
            create_directory(branch)

        def finish(error: str) -> None:
            self._finish(parent, request, branches, error)

        if parent.kind == "python":
            self._fork_repl(parent, branches, finish)
        else:
            self._fork_shell(parent, branches, finish)

    def fail(self, parent: Branch, reason: str) -> None:
        """End a fork that failed in the parent's process."""
        if (fork := self._repl_forks.get(parent.number)) is not None:
            fork.fail(f"the branch cannot fork: {reason}")

    def _fork_repl(self, parent: Branch, branches: list[Branch], finish: Callable[[str], None]) -> None:
        fork = ReplFork(self._reactor, parent, branches, self._known_pids, finish)
        self._repl_forks[parent.number] = fork
        try:
            fork.begin()
        except LinkClosed:
            fork.fail("the branch's process has ended")
            return
        self._copy(parent, branches, fork.finish_copy)

    def _fork_shell(self, parent: Branch, branches: list[Branch], finish: Callable[[str], None]) -> None:
        link = parent.link
        assert isinstance(link, ShellLink)

        def save() -> None:
            parent.pending_call = None
            state = link.read_state()
            self._copy(parent, branches, lambda error: self._start_shells(parent, branches, state, finish, error))

        parent.pending_call = save
        link.save_state()

    def _start_shells(
        self, parent: Branch, branches: list[Branch], state: bytes, finish: Callable[[str], None], error: str
    ) -> None:
        if error:
            finish(f"the directory cannot be copied: {error}")
            return
        left = len(branches)

        def count_ready(branch: Branch) -> None:
            nonlocal left
            branch.pending_call = None
            left -= 1
            if left == 0:
                finish("")

        for branch in branches:
            code = shell.build_replay(state, parent.spec.directory, branch.spec.directory)
            self._factory.start(branch)
            branch.pending_call = lambda branch=branch, code=code: self._replay(branch, code, count_ready)

    def _replay(self, branch: Branch, code: bytes, ready: Callable[[Branch], None]) -> None:
        def finish_replay() -> None:
            for stream in branch.outputs:
                stream.take_held()  # complaints about read-only variables
            ready(branch)

        branch.pending_call = finish_replay
        branch.link.execute(code, None)  # type: ignore[arg-type]

    def _copy(self, parent: Branch, branches: list[Branch], finish: Callable[[str], None]) -> None:
        source, old_uid, group = parent.spec.directory, parent.uid, branches[0].family.group
        targets = [(branch.spec.directory, branch.uid, branch.family.group) for branch in branches]

        def copy() -> None:
            for directory, uid, group in targets:
                DirectoryCopy(old_uid, uid, group).copy(source, directory)

        assert group
        self._run_side_process(copy, None, lambda result: finish(result.error))

    def _finish(self, parent: Branch, request: Mapping[str, Any], branches: list[Branch], error: str) -> None:
        parent.busy = False
        self._repl_forks.pop(parent.number, None)
        if error:
            for branch in branches:
                self._discard(branch)
            self._replies.send_error(request["id"], "fork_failed", error)
            return
        for branch in branches:
            self._add(branch)
        self._replies.send({"id": request["id"], "branches": [branch.number for branch in branches]})
