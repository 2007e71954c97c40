"""Measure how much CPU a machine needs for everything but sessions."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.box.docker.session_cgroup import CpuGroup

STATISTICS = Path("/proc/stat")
IDLE_FIELDS = slice(4, 6)  # idle, and idle while waiting for a disk
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class CpuDemand:
    """The mean number of CPUs in use between two readings: by sessions of all hosts, and by everything else.

    Time that a hypervisor takes away counts as used by others.
    """

    group: CpuGroup
    statistics: Path = STATISTICS
    sessions: float = 0.0
    others: float = 0.0
    _read_at: float = field(default_factory=time.monotonic)
    _idle_s: float = 0.0
    _sessions_s: float = 0.0

    def __post_init__(self) -> None:
        self.read()

    @property
    def cpus(self) -> int:
        return os.cpu_count() or 1

    def read(self) -> None:
        """Measure the time since the last reading."""
        now, idle_s = time.monotonic(), self._read_idle_s()
        sessions_s = sum(group.read_used_s() for group in self.group.list_parents())
        elapsed_s = max(0.001, now - self._read_at)
        self.sessions = max(0.0, sessions_s - self._sessions_s) / elapsed_s
        self.others = max(0.0, self.cpus - (idle_s - self._idle_s) / elapsed_s - self.sessions)
        self._read_at, self._idle_s, self._sessions_s = now, idle_s, sessions_s

    def _read_idle_s(self) -> float:
        with self.statistics.open() as file:
            return sum(map(int, file.readline().split()[IDLE_FIELDS])) / TICKS_PER_S
