"""Enforce the limits of running calls: CPU time, wall time, disk.

A call that exceeds a limit is first interrupted. If it stops, the branch keeps its state. If it is still running after
a grace period, all processes of the branch's uid are killed and the branch ends.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from sandbox.runner.session.branch import Branch, Call
from sandbox.runner.session.branch_files import measure_bytes
from sandbox.runner.session.reactor import Reactor
from sandbox.runner.session.side_process import RunSideProcess, SideResult
from sandbox.runner.supervisor import process_tree, usage

GRACE_S = 0.5
REPEAT_INTERRUPT_S = 0.1
MIN_CHECK_S, MAX_CHECK_S = 0.005, 0.25
DISK_CHECK_INTERVAL_S = 1.0


class CallLimits:
    """Watches each running call with a timer."""

    def __init__(
        self,
        reactor: Reactor,
        root: str,
        shared: tuple[str, ...],
        own_pids: Callable[[], set[int]],
        run: RunSideProcess,
    ) -> None:
        self._reactor = reactor
        self._root = root
        self._shared = shared
        self._own_pids = own_pids
        self._run_side_process = run
        self._disk_checked_at = 0.0

    def list_pids(self, branch: Branch) -> list[int]:
        own = self._own_pids()
        return branch.list_pids([pid for pid in process_tree.list_children(os.getpid()) if pid not in own])

    def begin(self, branch: Branch, call: Call) -> None:
        call.cpu_before_s = branch.measure_cpu_s(self.list_pids(branch))
        call.started_at = time.monotonic()
        self._reactor.set_timer(
            call, min(MAX_CHECK_S, call.cpu_limit_s, call.wall_limit_s), lambda: self._check(branch, call)
        )

    def measure(self, branch: Branch, call: Call) -> float:
        """Return the branch's CPU time in seconds so far, and update the call's peak memory."""
        pids = self.list_pids(branch)
        call.memory_mb = max(call.memory_mb, sum(map(usage.read_resident_mb, pids)))
        return branch.measure_cpu_s(pids)

    def end(self, call: Call) -> None:
        self._reactor.cancel_timer(call)

    def stop(self, branch: Branch, call: Call, status: str, reason: str) -> None:
        """Interrupt a call that exceeded a limit, and kill the branch unless it stops in time."""
        if call.stopped:
            return
        call.stopped, call.stop_reason = status, reason
        self.interrupt(branch, call)
        self._reactor.set_timer(call, GRACE_S, branch.kill)

    def interrupt(self, branch: Branch, call: Call, repeats: int = 3) -> None:
        """Interrupt a call. A shell gets the signal several times, a REPL only once.

        A command that bash is just starting can miss the signal, and bash then waits for the command to end. In a REPL,
        a second KeyboardInterrupt could interrupt the handling of the first.
        """
        if branch.call is not call:
            return
        branch.interrupt()
        if branch.kind == "shell" and repeats:
            key = (call, "interrupt")
            self._reactor.set_timer(key, REPEAT_INTERRUPT_S, lambda: self.interrupt(branch, call, repeats - 1))

    def _check(self, branch: Branch, call: Call) -> None:
        if branch.call is not call:
            return
        cpu_left = call.cpu_limit_s - (self.measure(branch, call) - call.cpu_before_s)
        wall_left = call.wall_limit_s - (time.monotonic() - call.started_at)
        if cpu_left <= 0:
            self.stop(branch, call, "time_limit", f"the call used more than {call.cpu_limit_s:g} s of CPU time")
        elif wall_left <= 0:
            self.stop(branch, call, "time_limit", f"the call ran longer than {call.wall_limit_s:g} s")
        else:
            self._check_disk(branch, call)
            delay = max(MIN_CHECK_S, min(MAX_CHECK_S, cpu_left, wall_left))
            self._reactor.set_timer(call, delay, lambda: self._check(branch, call))

    def _check_disk(self, branch: Branch, call: Call) -> None:
        """Measure the branch's files. Skip this if all files in the box together are within the branch's limit."""
        limit = branch.disk_mb << 20
        if branch.measuring or time.monotonic() < self._disk_checked_at + DISK_CHECK_INTERVAL_S:
            return
        if sum(_count_used_bytes(place) for place in (self._root, *self._shared)) <= limit:
            return
        self._disk_checked_at = time.monotonic()
        branch.measuring = True

        def finish(result: SideResult) -> None:
            branch.measuring = False
            if branch.call is call and isinstance(result.value, int) and result.value > limit:
                self.stop(branch, call, "disk_limit", f"the branch's files occupy more than {branch.disk_mb} MB")

        directory, shared, uid = branch.spec.directory, self._shared, branch.uid
        self._run_side_process(lambda: measure_bytes(directory, shared, uid), uid, finish)


def _count_used_bytes(place: str) -> int:
    status = os.statvfs(place)
    return (status.f_blocks - status.f_bfree) * status.f_frsize
