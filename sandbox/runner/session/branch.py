"""A branch: one uid, one directory, one process, and at most one call at a time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from sandbox.runner.session.branch_launch import BranchSpec, get_work_directory
from sandbox.runner.session.links import ReplLink, ShellLink
from sandbox.runner.session.output_stream import OutputStream
from sandbox.runner.session.uid_listener import ExpectedSwitch, read_status
from sandbox.runner.supervisor import process_tree, usage

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# index in /proc/PID/stat after the name: CPU time of children that were waited for, in user mode and in the kernel
_CHILDREN_USER, _CHILDREN_KERNEL = 13, 14


class Family:
    """The branches that descend from one opened branch: they share a group and a system-call listener."""

    def __init__(self, group: int) -> None:
        self.group = group
        self.listener: int | None = None
        self.expected: dict[int, ExpectedSwitch] = {}  # by pid
        self.receive_hellos: list[Callable[[], None]] = []  # of the forks in progress
        self.members = 0

    def find_switch(self, pid: int) -> ExpectedSwitch | None:
        """Return the change of uid that is expected of a process, which may have said hello just before it."""
        if pid not in self.expected:
            for receive in list(self.receive_hellos):
                receive()
        return self.expected.get(pid)


class Call:
    """A call that a branch's process executes."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.id = request["id"]
        limits = request.get("limits", {})
        self.cpu_limit_s = float(limits.get("cpu_time_s", 3600.0))
        self.wall_limit_s = float(limits.get("wall_time_s", 3600.0))
        self.output_bytes = int(limits.get("output_kb", 1024)) * 1024
        self.started_at = time.monotonic()
        self.cpu_before_s = 0.0
        self.memory_mb = 0.0
        self.interrupted = False  # the worker asked for it
        self.stopped = ""  # the status of a call that exceeded a limit
        self.stop_reason = ""


class Branch:
    """The supervisor's handle for one branch."""

    def __init__(self, number: int, kind: str, spec: BranchSpec, family: Family, disk_mb: int) -> None:
        self.number = number
        self.kind = kind
        self.spec = spec
        self.family = family
        self.disk_mb = disk_mb
        self.pid = 0
        self.starting_pid = 0  # of a process that may still be root
        self.link: ReplLink | ShellLink
        self.stdout: OutputStream
        self.stderr: OutputStream
        self.call: Call | None = None
        self.busy = False  # with an operation that is not a call of its process
        self.file_requests = 0  # that work on single files now
        self.ready = False
        self.open_request: Any = None  # the number of the request that opened it
        self.pending_call: Any = None
        self.reaped_cpu_s = 0.0  # of orphans
        self.measuring = False

    @property
    def uid(self) -> int:
        return self.spec.uid

    @property
    def work(self) -> str:
        return get_work_directory(self.spec.directory)

    @property
    def outputs(self) -> tuple[OutputStream, OutputStream]:
        return self.stdout, self.stderr

    def interrupt(self) -> None:
        """Send SIGINT to the branch's process and its foreground children, as a terminal does."""
        try:
            os.killpg(self.pid, signal.SIGINT)
        except (ProcessLookupError, PermissionError):
            return

    def kill(self) -> None:
        """Kill every process of the branch's uid, and the branch's process if it may not have the uid yet."""
        if self.starting_pid:
            process_tree.kill(self.starting_pid)
        process_tree.kill_user(self.uid, self.spec.spare_uid)

    def list_pids(self, orphans: list[int]) -> list[int]:
        """Return the pids of the branch's living processes.

        `orphans` are children of the supervisor that the supervisor did not start.
        """
        own = [self.pid, *process_tree.list_descendants(self.pid)]
        for orphan in orphans:
            if read_status(orphan).get("Uid", "").split()[:1] == [str(self.uid)]:
                own += [orphan, *process_tree.list_descendants(orphan)]
        return own

    def measure_cpu_s(self, pids: list[int]) -> float:
        """Return the CPU time in seconds that the branch has used since it began."""
        return self.reaped_cpu_s + sum(usage.read_process_cpu_time_s(pid) + _read_waited_s(pid) for pid in pids)

    def describe_usage(self, call: Call, cpu_s: float) -> dict[str, float]:
        return {
            "cpu_time_s": round(max(0.0, cpu_s - call.cpu_before_s), 6),
            "wall_time_s": round(time.monotonic() - call.started_at, 6),
            "memory_mb": round(call.memory_mb, 3),
        }


def _read_waited_s(pid: int) -> float:
    """Return the CPU time in seconds of the children that a process has already waited for."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return (int(fields[_CHILDREN_USER]) + int(fields[_CHILDREN_KERNEL])) / _TICKS_PER_S
    except (OSError, IndexError, ValueError):
        return 0.0
