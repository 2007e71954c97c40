"""Measure resource usage: CPU time, resident memory, out-of-memory kills, and time spent waiting for a CPU.

CPU time is read for trees of live processes and, from the cgroup, for the whole box. The engine may expose cgroups of
version 1 or 2, possibly read-only. Without a cgroup, only the process tree is measured.

No module of the supervisor imports `pathlib`, which would cost every box 0.6 MB.
"""

from __future__ import annotations

import os
import time

CGROUP_ROOT = "/sys/fs/cgroup"
MAX_FILE_LOCKS = 4_096  # of 192 bytes each
MAX_LOCK_LIST_BYTES = 1 << 20  # of /proc/locks, at 55 bytes per lock


def read_kernel_file(path: str) -> bytes:
    """Read a file whose content the kernel generates at each read. Raises OSError."""
    with open(path, "rb", buffering=0) as file:
        return file.read()


class KernelFile:
    """A file that stays open and whose content the kernel generates at each read. A missing file reads as empty."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._descriptor: int | None = None
        if path is not None:
            try:
                self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return

    @property
    def exists(self) -> bool:
        return self._descriptor is not None

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def read_bytes(self) -> bytes:
        return b"" if self._descriptor is None else os.pread(self._descriptor, 4096, 0)


class KernelCounter(KernelFile):
    """A number in a kernel file: the whole content, or the value after `key`."""

    def __init__(self, path: str | os.PathLike[str] | None, key: bytes = b"", scale: float = 1.0) -> None:
        super().__init__(path)
        self._key = key
        self._scale = scale

    def read(self) -> float:
        """Return the current number, or 0 if the file or the key does not exist."""
        text = self.read_bytes()
        if not self._key:
            return int(text or 0) * self._scale
        for line in text.splitlines():
            name, _, value = line.partition(b" ")
            if name == self._key:
                return int(value) * self._scale
        return 0.0


class FileLocks(KernelFile):
    """The file locks held by processes of this pid namespace.

    Linux does not limit their number, and it charges their memory to no cgroup.
    """

    def is_over_limit(self) -> bool:
        count = offset = 0
        while self._descriptor is not None and offset < MAX_LOCK_LIST_BYTES:
            lines = os.pread(self._descriptor, 65_536, offset)
            if not lines:
                break
            offset += len(lines)
            count += lines.count(b"POSIX")
        return count > MAX_FILE_LOCKS


def open_file_locks() -> FileLocks:
    """Open the list of file locks.

    It stays empty unless this process has pid 1, because it would otherwise include locks of the whole machine.
    """
    return FileLocks("/proc/locks" if os.getpid() == 1 else None)


def open_oom_kill_counter() -> KernelCounter:
    """Open the counter of this box's processes that the kernel has killed for lack of memory."""
    v2 = KernelCounter(f"{CGROUP_ROOT}/memory.events", b"oom_kill")
    return v2 if v2.exists else KernelCounter(f"{CGROUP_ROOT}/memory/memory.oom_control", b"oom_kill")


def open_refault_counter() -> KernelCounter:
    """Open the counter of file pages that the kernel evicted from this box for lack of memory and then read back."""
    v2 = KernelCounter(f"{CGROUP_ROOT}/memory.stat", b"workingset_refault_file")
    return v2 if v2.exists else KernelCounter(f"{CGROUP_ROOT}/memory/memory.stat", b"workingset_refault_file")


def open_box_cpu_clock() -> KernelCounter:
    """Open the counter of the whole box's CPU time in seconds. It includes processes that no parent has waited for."""
    v2 = KernelCounter(f"{CGROUP_ROOT}/cpu.stat", b"usage_usec", 1e-6)
    if v2.exists:
        return v2
    for controller in ("cpuacct", "cpu,cpuacct"):
        v1 = KernelCounter(f"{CGROUP_ROOT}/{controller}/cpuacct.usage", scale=1e-9)
        if v1.exists:
            return v1
    return KernelCounter(None)


def read_process_cpu_time_s(pid: int) -> float:
    """Return the CPU time in seconds of all threads of a live process; 0 if it has ended."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def read_cpu_wait_s(pid: int) -> float:
    """Return the longest time in seconds that any thread of a process was ready to run but had no CPU.

    Return 0 if the kernel does not count it.

    Time spent sleeping or waiting for anything else is not included, so it still counts toward the wall time.
    """
    waited = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            waited = max(waited, int(read_kernel_file(f"/proc/{pid}/task/{thread}/schedstat").split()[1]))
    except (OSError, IndexError, ValueError):
        pass
    return waited * 1e-9


def read_resident_mb(pid: int) -> float:
    """Return the resident memory of a process in MiB; 0 if it has ended."""
    try:
        pages = int(read_kernel_file(f"/proc/{pid}/statm").split()[1])
    except (OSError, IndexError, ValueError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
