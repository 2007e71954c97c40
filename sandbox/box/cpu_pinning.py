"""Which CPUs are a slot's own, where slots are pinned: whole cores, threads of one together, as many as there are."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

SYSFS_CPU = Path("/sys/devices/system/cpu")


def assign_cpus(slot: int, slots: int, root: Path = SYSFS_CPU) -> frozenset[int]:
    """The CPUs for slot number `slot` of `slots` (0: one a CPU); all that we may use for what is no slot of these.

    With more slots than cores each has a thread of one, and with more slots than threads they share.
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
    """As the kernel and the engine write a set of CPUs: `0,1,16`."""
    return ",".join(map(str, sorted(cpus)))


def _group_by_core(usable: Collection[int], root: Path) -> list[Sequence[int]]:
    """The usable threads of each core, in the order of their numbers; a CPU that does not tell is a core."""
    cores: dict[str, list[int]] = {}
    for cpu in sorted(usable):
        try:
            siblings = (root / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text().strip()
        except OSError:
            siblings = str(cpu)
        cores.setdefault(siblings, []).append(cpu)
    return list(cores.values())
