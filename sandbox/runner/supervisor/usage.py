"""What processes used: CPU time of live trees, of the whole box by its cgroup, out-of-memory kills, time spent
waiting for a CPU.

cgroup v1 and v2 are read where the engine shows them (read-only is enough). Without a cgroup the process tree alone
is asked.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

HAS_CHILDREN_FILE = Path(f"/proc/self/task/{os.getpid()}/children").exists()  # gVisor does not
CGROUP_ROOT = Path("/sys/fs/cgroup")
MAX_FILE_LOCKS = 4_096  # of 192 bytes each
MAX_LOCK_LIST_BYTES = 1 << 20  # of their list, 55 for each


class KernelFile:
    """A file the kernel writes anew at each read; it stays open. Empty where there is no such file."""

    def __init__(self, path: Path | None) -> None:
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
    """One number in such a file: the whole of it, or the one behind `key`."""

    def __init__(self, path: Path | None, key: bytes = b"", scale: float = 1.0) -> None:
        super().__init__(path)
        self._key = key
        self._scale = scale

    def read(self) -> float:
        """The number now; 0 where there is none."""
        text = self.read_bytes()
        if not self._key:
            return int(text or 0) * self._scale
        for line in text.splitlines():
            name, _, value = line.partition(b" ")
            if name == self._key:
                return int(value) * self._scale
        return 0.0


class FileLocks(KernelFile):
    """The locks on files that processes of this pid namespace hold. Linux limits neither their number nor charges their
    memory to a cgroup.
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
    """Empty where this process is not the first of its pid namespace: it would see the locks of the whole machine."""
    return FileLocks(Path("/proc/locks") if os.getpid() == 1 else None)


def open_oom_kill_counter() -> KernelCounter:
    """How many processes of this box the kernel has killed for want of memory."""
    v2 = KernelCounter(CGROUP_ROOT / "memory.events", b"oom_kill")
    return v2 if v2.exists else KernelCounter(CGROUP_ROOT / "memory/memory.oom_control", b"oom_kill")


def open_refault_counter() -> KernelCounter:
    """Pages of files that the kernel took from this box for want of memory, and that were needed again."""
    v2 = KernelCounter(CGROUP_ROOT / "memory.stat", b"workingset_refault_file")
    return v2 if v2.exists else KernelCounter(CGROUP_ROOT / "memory/memory.stat", b"workingset_refault_file")


def open_box_cpu_clock() -> KernelCounter:
    """CPU seconds of everything in this box since it began, processes that nobody waited for included."""
    v2 = KernelCounter(CGROUP_ROOT / "cpu.stat", b"usage_usec", 1e-6)
    if v2.exists:
        return v2
    for controller in ("cpuacct", "cpu,cpuacct"):
        v1 = KernelCounter(CGROUP_ROOT / controller / "cpuacct.usage", scale=1e-9)
        if v1.exists:
            return v1
    return KernelCounter(None)


def read_process_cpu_time_s(pid: int) -> float:
    """CPU seconds of one live process, all its threads; 0 when it is gone."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def read_cpu_wait_s(pid: int) -> float:
    """Seconds that the most delayed thread of a process was ready to run but had no CPU; 0 where nobody counts them.

    Sleeping does not count: what waits for something else than a CPU is not forgiven, however busy the machine is.
    """
    waited = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            waited = max(waited, int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_bytes().split()[1]))
    except (OSError, IndexError, ValueError):
        pass
    return waited * 1e-9


def read_resident_mb(pid: int) -> float:
    """Resident memory of one process in MiB; 0 when it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_bytes().split()[1])
    except (OSError, IndexError, ValueError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def list_children(pid: int) -> list[int]:
    """Direct children of a process, of all its threads; empty when it is gone."""
    if not HAS_CHILDREN_FILE:
        return _map_children().get(pid, [])
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
        for thread in threads:
            found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split())
    except OSError:
        return found
    return found


def list_descendants(pid: int) -> list[int]:
    """All living descendants of a process, parents before children."""
    listed = None if HAS_CHILDREN_FILE else _map_children()
    found: list[int] = []
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        its_own = list_children(parent) if listed is None else listed.get(parent, [])
        found += its_own
        waiting += its_own
    return found


def _map_children() -> dict[int, list[int]]:
    """The children of every process, from each one's own word about its parent."""
    found: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if not name.isdecimal():
            continue
        try:
            status = Path(f"/proc/{name}/stat").read_bytes()
        except OSError:
            continue
        parent = int(status.rpartition(b")")[2].split()[1])  # a process may have any name, parentheses in it too
        found.setdefault(parent, []).append(int(name))
    return found
