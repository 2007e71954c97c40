"""Replacements for the Linux files and counters that gVisor lacks."""

from __future__ import annotations

from sandbox.runner.supervisor.usage import KernelFile


class GvisorKernel:
    """The gVisor kernel of this box. Each box has its own, so its counters cover this box only."""

    def __init__(self) -> None:
        self._memory = KernelFile("/proc/meminfo")
        self._network = KernelFile("/proc/net/snmp")

    def read_memory_mb(self) -> float:
        """Return the memory of all programs in MiB: process memory, in-memory files, and unmapped pages."""
        for line in self._memory.read_bytes().splitlines():
            if line.startswith(b"AnonPages:"):
                return int(line.split()[1]) / 1024
        return 0.0

    def count_tcp_connections(self) -> int:
        """Return the number of TCP connections opened or accepted so far. Each occupies its port for a minute."""
        rows = [line.split() for line in self._network.read_bytes().splitlines() if line.startswith(b"Tcp:")]
        names, numbers = rows[0], rows[1]
        return sum(int(number) for name, number in zip(names, numbers, strict=False) if name.endswith(b"Opens"))
