"""The cgroups of a local box. The kernel limits memory, processes and CPU if root may create cgroups.

Each box has one folder. Its parent, shared by all boxes, is at the top of the hierarchy (on version 1, of each
hierarchy). The folder's name contains the pid of the worker that created it, so the next worker that starts can find
and remove orphans.
"""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path

from sandbox.box.cgroup import CGROUP_ROOT, MIB, MemoryCgroup
from sandbox.config import WorkerSettings

PARENT_NAME = "sandbox-local"
CPU_PERIOD_US = 100_000
INITIAL_LIMIT_BYTES = 512 * MIB
REMOVAL_TIMEOUT_S = 2.0
# The limit that each controller provides. Without memory the others are useless.
LIMIT_NAMES = {"memory": "memory", "pids": "processes", "cpu": "CPU"}
V1_EXTRA_CONTROLLERS = ("cpuacct",)  # only measures the CPU time of the box


class BoxCgroup:
    """The cgroups created for one box.

    `folders` lists their folders on the host, `bind_mounts` where these are mounted in the box, and `missing_limits`
    the limits that are unavailable.
    """

    def __init__(self, root: Path = CGROUP_ROOT) -> None:
        self._root = root
        self.version = 2 if (root / "cgroup.controllers").exists() else 1
        self.missing_limits: list[str] = []
        self._by_controller: dict[str, Path] = {}

    @classmethod
    def make(cls, settings: WorkerSettings, slot: int) -> BoxCgroup | None:
        """Create the cgroups of a box; return None if this process may not create one that limits memory."""
        group = cls()
        name = f"{slot}-{os.getpid()}-{uuid.uuid4().hex[:12]}"
        try:
            group.create_cgroups(name, settings)
        except OSError:
            group.remove()
            return None
        return group

    @property
    def folders(self) -> list[Path]:
        return list(dict.fromkeys(self._by_controller.values()))

    @property
    def bind_mounts(self) -> list[tuple[str, str]]:
        if self.version == 2:
            return [(str(self._by_controller["memory"]), str(CGROUP_ROOT))]
        return [(str(folder), f"{CGROUP_ROOT}/{name}") for name, folder in self._by_controller.items()]

    def create_cgroups(self, name: str, settings: WorkerSettings) -> None:
        """Create the cgroups and set their limits. Raises OSError if memory cannot be limited."""
        for controller in (*LIMIT_NAMES, *V1_EXTRA_CONTROLLERS):
            try:
                self._by_controller[controller] = self._make_folder(controller, name)
            except OSError:
                if controller == "memory":
                    raise
                self.missing_limits += [LIMIT_NAMES[controller]] if controller in LIMIT_NAMES else []
        self._limit("pids", {1: [("pids.max", str(settings.box_processes))]})
        quota = int(settings.box_cpus * CPU_PERIOD_US)
        v1_quota = [("cpu.cfs_period_us", str(CPU_PERIOD_US)), ("cpu.cfs_quota_us", str(quota))]
        self._limit("cpu", {1: v1_quota, 2: [("cpu.max", f"{quota} {CPU_PERIOD_US}")]})
        if self.version == 2:
            swap = self._by_controller["memory"] / "memory.swap.max"
            if swap.exists():
                swap.write_text("0")

    def open_memory_cgroup(self) -> MemoryCgroup:
        """Open the box's memory cgroup. Raises OSError."""
        group = MemoryCgroup(self._by_controller["memory"], self.version)
        group.limit(INITIAL_LIMIT_BYTES)
        return group

    def remove(self) -> None:
        """Remove the cgroups. Any process still in them must already be ending."""
        patience = time.monotonic() + REMOVAL_TIMEOUT_S
        for folder in self.folders:
            while not remove_cgroup(folder) and time.monotonic() < patience:
                time.sleep(0.005)

    def _make_folder(self, controller: str, name: str) -> Path:
        parent = self._root / PARENT_NAME
        if self.version == 1:
            parent = self._root / controller / PARENT_NAME
            if not parent.parent.is_dir():
                raise FileNotFoundError(f"no cgroup controller {controller}")
        elif controller in V1_EXTRA_CONTROLLERS:
            raise FileNotFoundError(f"no cgroup controller {controller}")
        parent.mkdir(exist_ok=True)
        if self.version == 2:
            for above in (self._root, parent):
                if controller not in (above / "cgroup.subtree_control").read_text().split():
                    (above / "cgroup.subtree_control").write_text(f"+{controller}")
        folder = parent / name
        folder.mkdir(exist_ok=True)
        return folder.resolve()

    def _limit(self, controller: str, values: dict[int, list[tuple[str, str]]]) -> None:
        """Write the limits of one controller; use those of version 1 if `values` has none for this version."""
        if controller not in self._by_controller:
            return
        try:
            for name, value in values.get(self.version, values[1]):
                (self._by_controller[controller] / name).write_text(value)
        except OSError:
            self.missing_limits.append(LIMIT_NAMES[controller])


def remove_cgroup(folder: Path) -> bool:
    """Remove a cgroup; return False while it is not empty."""
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def remove_orphans() -> None:
    """Remove the cgroups of workers that no longer exist."""
    for parent in (CGROUP_ROOT / PARENT_NAME, *CGROUP_ROOT.glob(f"*/{PARENT_NAME}")):
        for folder in parent.glob("*-*-*") if parent.is_dir() else ():
            if not Path("/proc", folder.name.split("-")[1]).exists():
                remove_cgroup(folder)
