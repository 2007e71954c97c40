"""The cgroups that decide how much of a host's CPU sessions get: one for all boxes of a host, and one for each box.

The engine puts all containers into one cgroup, and this cgroup competes with each process outside of it: the API,
Redis, the workers. A small share of a session's box would only count against other boxes, so busy sessions would still
take half of the CPU from a worker. Session boxes therefore get a parent cgroup, beside the engine's, whose share counts
against everything else. On an idle machine they may use all of it. Each session host has its own parent, because it
changes the parent's priority.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from sandbox.box.cgroup import CGROUP_ROOT

PARENT_PREFIX = "sandbox-sessions-"
LEFT_AFTER_S = 600.0  # an empty parent that is older belongs to a host that was killed
ENGINE_PARENT = "docker"  # the engine's own, by default
PARENT_SHARES = "96"  # the cgroup of all other boxes has 1024, so sessions cost them at most 9 % of their CPU
PARENT_WEIGHT = "9"  # the same for version 2, where the default is 100
BOX_SHARES = 2  # without a parent: of the 1024 that a box of programs has
IDLE = "cpu.idle"  # since Linux 5.15
PERIOD_US = 100_000  # the engine's own
LONG_PERIOD_US = 1_000_000  # the longest
LEAST_QUOTA_US = 1_000


class CpuGroup(NamedTuple):
    """A CPU cgroup. Its methods do nothing if the cgroup no longer exists.

    Every other process preempts an idle cgroup at once, and a CPU that runs one counts as free for a process that wakes
    up. A cgroup that stops being idle gets the kernel's default share.
    """

    folder: Path
    version: int
    usage: Path = Path("/dev/null")  # tells the CPU time of all its processes

    @property
    def parent(self) -> CpuGroup:
        return CpuGroup(self.folder.parent, self.version, self.usage.parent.parent / self.usage.name)

    def list_parents(self) -> list[CpuGroup]:
        """Return the parents of the session boxes of all hosts on this machine. This group is one of them."""
        folders = self.folder.parent.glob(f"{PARENT_PREFIX}*")
        roots = self.usage.parent.parent
        return [CpuGroup(folder, self.version, roots / folder.name / self.usage.name) for folder in folders]

    def read_used_s(self) -> float:
        """Return the CPU time in seconds that the processes have used."""
        with suppress(OSError, ValueError, IndexError):
            text = self.usage.read_text()
            return int(text) / 1e9 if text[:1].isdigit() else int(text.split("usage_usec", 1)[1].split()[0]) / 1e6
        return 0.0

    def set_idle(self, idle: bool) -> None:
        with suppress(OSError):
            (self.folder / IDLE).write_text(str(int(idle)))

    def read_cpus(self) -> float:
        """Return how many CPUs the processes may use together; infinity without a limit."""
        with suppress(OSError, ValueError):
            if self.version == 2:
                quota, period = (self.folder / "cpu.max").read_text().split()
            else:
                quota, period = [(self.folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")]
            return int(quota) / int(period) if int(quota) > 0 else math.inf
        return math.inf

    def limit_cpus(self, cpus: float) -> None:
        """Set how many CPUs the processes may use together: at least 0.001."""
        period_us = PERIOD_US if cpus * PERIOD_US >= LEAST_QUOTA_US else LONG_PERIOD_US
        quota_us = None if math.isinf(cpus) else max(LEAST_QUOTA_US, round(cpus * period_us))
        with suppress(OSError):
            if self.version == 2:
                (self.folder / "cpu.max").write_text(f"{quota_us or 'max'} {period_us}")
            else:
                (self.folder / "cpu.cfs_period_us").write_text(str(period_us))
                (self.folder / "cpu.cfs_quota_us").write_text(str(quota_us or -1))

    def limit_share(self) -> None:
        """Give the cgroup, which is not idle, the small share of sessions."""
        name, share = ("cpu.weight", PARENT_WEIGHT) if self.version == 2 else ("cpu.shares", PARENT_SHARES)
        with suppress(OSError):
            (self.folder / name).write_text(share)


def find_box_group(pid: int, root: Path = CGROUP_ROOT, processes: Path = Path("/proc")) -> CpuGroup | None:
    """Return the CPU cgroup of a session's box by the pid of one of its processes on this host.

    Return None if the box does not have the parent of all session boxes, or if the kernel has no idle cgroups.
    """
    try:
        lines = (processes / str(pid) / "cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        version = 1 if "cpu" in controllers.split(",") else 2 if not controllers else 0
        folder = (root / "cpu" if version == 1 else root) / path.lstrip("/")
        if version and folder.parent.name.startswith(PARENT_PREFIX) and os.access(folder.parent / IDLE, os.W_OK):
            usage = root / "cpuacct" / path.lstrip("/") / "cpuacct.usage" if version == 1 else folder / "cpu.stat"
            return CpuGroup(folder, version, usage)
    return None


def build_cpu_options(information: Mapping[str, Any], name: str, root: Path = CGROUP_ROOT) -> dict[str, Any]:
    """Return the options of a session's container for the engine that `information`, its `docker info`, describes.

    `name` is that of the parent cgroup, and starts with PARENT_PREFIX.

    Use the parent cgroup if this host's cgroups can be written and the engine creates its own beside it. Otherwise,
    for example with systemd as the cgroup driver, give the box the smallest share that a container can have.
    """
    if information.get("CgroupDriver") == "cgroupfs":
        is_version_2 = information.get("CgroupVersion") == "2"
        controller = root if is_version_2 else root / "cpu"
        parent = CpuGroup(controller / name, 2 if is_version_2 else 1)
        if (controller / ENGINE_PARENT).is_dir():  # otherwise the engine's cgroups are not the ones that are seen here
            with suppress(OSError):
                if not parent.folder.is_dir():
                    parent.folder.mkdir()
                    parent.limit_share()
                return {"cgroup_parent": f"/{name}"}
    return {"cpu_shares": BOX_SHARES}


def remove_parents(name: str = "", root: Path = CGROUP_ROOT) -> None:
    """Remove the parent cgroup of a host that stops, and those that killed hosts have left. None may have boxes."""
    for pattern in (f"{PARENT_PREFIX}*", f"*/{PARENT_PREFIX}*"):
        for folder in root.glob(pattern):
            with suppress(OSError):
                if folder.name == name or folder.stat().st_mtime < time.time() - LEFT_AFTER_S:
                    folder.rmdir()
