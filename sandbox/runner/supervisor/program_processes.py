"""Find, kill and reap the processes of the running program, so that none of them outlives the run."""

from __future__ import annotations

import os
import time

from sandbox.runner.supervisor import process_tree, usage
from sandbox.runner.supervisor.errors import BoxBroken
from sandbox.runner.supervisor.zygotes import ZygotePool

KILL_TIMEOUT_S = 5.0
INIT_PID = 1


class ProgramProcesses:
    """Every process in the box except the supervisor and the zygotes.

    Each run has its own uid above `uid_base`. If `uid_base` is None, all runs share the supervisor's uid.
    """

    def __init__(self, zygotes: ZygotePool, uid_base: int | None, in_gvisor: bool) -> None:
        self._zygotes = zygotes
        self._uid = self._spare_uid = uid_base
        self._in_gvisor = in_gvisor
        self._children_file = usage.KernelFile(f"/proc/self/task/{os.getpid()}/children")

    def take_uid(self) -> int | None:
        """Return the uid for the next run, or None if all runs share the supervisor's uid."""
        if self._uid is not None:
            self._uid += 1
        return self._uid

    def find_pids(self) -> list[int]:
        """Return the processes of the program: descendants of the zygotes, and orphans adopted by this process."""
        zygote_pids = self._zygotes.list_pids()
        return [pid for pid in process_tree.list_descendants(os.getpid()) if pid not in zygote_pids]

    def kill(self) -> float:
        """Kill all processes of the program; return the `time.monotonic` deadline by which they must be dead."""
        for pid in self.find_pids():
            process_tree.kill(pid)
        self._kill_uid()
        return time.monotonic() + KILL_TIMEOUT_S

    def reap_leftovers(self) -> float:
        """Kill and reap every process that outlived the child; return their CPU time in seconds. Raises BoxBroken."""
        if self._in_gvisor and os.getpid() != INIT_PID:
            self._kill_uid()  # gVisor hands orphans to the first process and ignores the child subreaper
        if self._children_file.read_bytes() == self._zygotes.children_when_idle:
            return 0.0
        zygote_pids = self._zygotes.list_pids()
        used = 0.0
        deadline = time.monotonic() + KILL_TIMEOUT_S
        while True:
            left = [pid for pid in process_tree.list_children(os.getpid()) if pid not in zygote_pids]
            if not left:
                return used
            self._kill_uid()
            for pid in left:
                for victim in [pid, *process_tree.list_descendants(pid)]:
                    process_tree.kill(victim)
                reaped, _, resources = os.wait4(pid, os.WNOHANG)
                if reaped:
                    used += resources.ru_utime + resources.ru_stime
            if time.monotonic() > deadline:
                raise BoxBroken(f"{len(left)} processes did not end within {KILL_TIMEOUT_S:g} s of being killed")

    def _kill_uid(self) -> None:
        """Kill all processes of the run's uid. This is for gVisor, where listing processes takes longer than a fork."""
        if self._in_gvisor and self._uid is not None and self._spare_uid is not None:
            process_tree.kill_user(self._uid, self._spare_uid)
