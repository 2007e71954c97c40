"""Assign CPUs to pinned slots: as many whole cores as possible, with all threads of a core together."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from sandbox.box.cgroup import CGROUP_ROOT
from sandbox.config import CpuPinning

SYSFS_CPU = Path("/sys/devices/system/cpu")
# Measured with 16 and 24 slots: pinning won where slots filled the host, and lost where half of it was idle.
MIN_PINNED_CPUS = 8
MIN_PINNED_SHARE = 0.75  # slots per CPU


def resolve_pinning(pin: CpuPinning, slots: int, cgroup_root: Path = CGROUP_ROOT) -> CpuPinning:
    """Return what to pin: `pin`, or for `auto` the slots if they fill the host, and nothing otherwise.

    With a quota, this container shares its CPUs with others, and a slot's CPU may be busy while another one is idle.
    """
    if pin != "auto":
        return pin
    cpus = len(os.sched_getaffinity(0))
    fills = (slots or cpus) >= MIN_PINNED_SHARE * cpus
    return "slots" if cpus >= MIN_PINNED_CPUS and fills and not _has_quota(cgroup_root) else "none"


def _has_quota(root: Path) -> bool:
    for path, unlimited in ((root / "cpu.max", "max"), (root / "cpu" / "cpu.cfs_quota_us", "-1")):
        try:
            return path.read_text().split()[0] != unlimited
        except (OSError, IndexError):  # another version of cgroups, or the root, which has no quota
            continue
    return False


def assign_cpus(slot: int, slots: int, root: Path = SYSFS_CPU) -> frozenset[int]:
    """Return the CPUs for slot number `slot` of `slots` (0: one slot per CPU). Other slot numbers get all usable CPUs.

    If there are more slots than cores, each slot gets one hardware thread; if there are more slots than threads, they
    share.
    """
    usable = os.sched_getaffinity(0)
    slots = slots or len(usable)
    if not 0 <= slot < slots:
        return frozenset(usable)
    cores = _group_by_core(usable, root)
    if slots <= len(cores):
        own_cores = cores[slot * len(cores) // slots : (slot + 1) * len(cores) // slots]
        return frozenset(cpu for core in own_cores for cpu in core)
    threads = [core[turn] for turn in range(max(map(len, cores))) for core in cores if turn < len(core)]
    return frozenset([threads[slot % len(threads)]])


def format_cpu_list(cpus: Collection[int]) -> str:
    """Format a set of CPUs the way the kernel and the engine do: `0,1,16`."""
    return ",".join(map(str, sorted(cpus)))


def _group_by_core(usable: Collection[int], root: Path) -> list[Sequence[int]]:
    """Group the usable CPUs by core, in numerical order. A CPU without topology information counts as a core."""
    cores: dict[str, list[int]] = {}
    for cpu in sorted(usable):
        try:
            siblings = (root / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text().strip()
        except OSError:
            siblings = str(cpu)
        cores.setdefault(siblings, []).append(cpu)
    return list(cores.values())
