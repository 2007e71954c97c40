"""What the supervisor asks gVisor's kernel instead of the files and counters that it does not have."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from sandbox.runner.supervisor.usage import KernelFile


class GvisorKernel:
    """This box's kernel, which is its own: what it counts is this box's, and nobody else's."""

    def __init__(self) -> None:
        self._memory = KernelFile(Path("/proc/meminfo"))
        self._network = KernelFile(Path("/proc/net/snmp"))

    def read_memory_mb(self) -> float:
        """All memory of programs, in MiB: their own, files in memory, and what no process has mapped."""
        for line in self._memory.read_bytes().splitlines():
            if line.startswith(b"AnonPages:"):
                return int(line.split()[1]) / 1024
        return 0.0

    def count_tcp_connections(self) -> int:
        """How many TCP connections were opened and accepted so far. Each keeps its port taken for a minute."""
        rows = [line.split() for line in self._network.read_bytes().splitlines() if line.startswith(b"Tcp:")]
        names, numbers = rows[0], rows[1]
        return sum(int(number) for name, number in zip(names, numbers, strict=False) if name.endswith(b"Opens"))


def kill_user_processes(uid: int) -> None:
    """Kill every process of a uid at once, as that uid: a list of them is out of date before it has been read."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
