"""A container's memory limit and memory peak, by its cgroup's files on the host: microseconds where `docker update`
takes 40 ms.

Both cgroup versions; where the files cannot be written (another host, no permission) `MemoryGroup.of` is None and the
engine's own way is used.
"""

from __future__ import annotations

import os
from pathlib import Path

from sandbox.runner.supervisor.usage import KernelCounter

MIB = 1 << 20
SOCKET_MEMORY_BYTES = 16 * MIB
CGROUP_ROOT = Path("/sys/fs/cgroup")


class MemoryCgroup:
    """The memory cgroup of one container."""

    def __init__(self, folder: Path, version: int) -> None:
        self._folder = folder
        self._version = version
        names = (
            ("memory.current", "memory.peak")
            if version == 2
            else ("memory.usage_in_bytes", "memory.max_usage_in_bytes")
        )
        self._usage = os.open(folder / names[0], os.O_RDONLY | os.O_CLOEXEC)
        self._peak = _open_resettable(folder / names[1])
        self._kills = KernelCounter(folder / ("memory.events" if version == 2 else "memory.oom_control"), b"oom_kill")
        self._kills_before = 0.0
        self._used_before_bytes = 0
        _limit_socket_memory(folder / "memory.kmem.tcp.limit_in_bytes")

    @classmethod
    def open_for_process(cls, pid: int) -> MemoryCgroup | None:
        """The memory cgroup of a process of this host, if we may steer it."""
        try:
            lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        except OSError:
            return None
        for line in lines:
            _, controllers, path = line.split(":", 2)
            version = 1 if "memory" in controllers.split(",") else 2 if not controllers else 0
            folder = CGROUP_ROOT / "memory" / path.lstrip("/") if version == 1 else CGROUP_ROOT / path.lstrip("/")
            limit = folder / ("memory.limit_in_bytes" if version == 1 else "memory.max")
            if version and os.access(limit, os.W_OK):
                return cls(folder, version)
        return None

    def close(self) -> None:
        self._kills.close()
        for descriptor in (self._usage, self._peak):
            if descriptor is not None:
                os.close(descriptor)

    def read_used_bytes(self) -> int:
        return int(os.pread(self._usage, 64, 0))

    def limit(self, limit_bytes: int) -> None:
        """Limit memory, swap included. Raises OSError."""
        value = str(limit_bytes)
        if self._version == 2:
            (self._folder / "memory.max").write_text(value)
            return
        names = ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]
        if not (self._folder / names[1]).exists():
            names.pop()
        elif int((self._folder / names[1]).read_text()) < limit_bytes:
            names.reverse()  # memory may never be above memory and swap together, not even between two writes
        for name in names:
            (self._folder / name).write_text(value)

    def begin_run(self) -> None:
        """Forget the peak so far, and the kills."""
        self._kills_before = self._kills.read()
        if self._peak is not None:
            self._used_before_bytes = self.read_used_bytes()
            os.pwrite(self._peak, b"0", 0)

    def had_oom_kill(self) -> bool:
        """Whether the kernel has killed for want of memory since `begin_run`; False once the group is gone."""
        try:
            return self._kills.read() > self._kills_before
        except OSError:
            return False

    def read_peak_mb(self) -> float | None:
        """MiB by which the peak since `begin_run` is above what was in use then; None where the kernel cannot tell."""
        if self._peak is None:
            return None
        return max(0, int(os.pread(self._peak, 64, 0)) - self._used_before_bytes) / MIB


def _limit_socket_memory(path: Path) -> None:
    """Version 1 counts what TCP and UDP sockets buffer apart from all other memory, and does not limit it by itself."""
    try:
        path.write_text(str(SOCKET_MEMORY_BYTES))
    except OSError:  # version 2, or a kernel without this file: there it counts as memory
        return


def _open_resettable(path: Path) -> int | None:
    """The peak's file, if writing to it resets it: always on v1, from Linux 6.12 on v2."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        os.pwrite(descriptor, b"0", 0)
    except OSError:
        return None
    return descriptor
