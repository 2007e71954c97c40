"""Create the namespaces of a box, and map the user ids of its user namespace."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path

from sandbox.runner.launcher.plan import Plan

CLONE_FLAGS = {
    "user": 0x1000_0000,
    "mount": 0x0002_0000,
    "pid": 0x2000_0000,
    "network": 0x4000_0000,
    "ipc": 0x0800_0000,
    "uts": 0x0400_0000,
}
CLONE_CALL_NUMBERS = {"x86_64": 56, "aarch64": 220}
PROGRAM_UID = 1000  # the only user inside a box if the host provides no further uids

_libc = ctypes.PyDLL(None, use_errno=True)


class IsolationRefused(Exception):
    """Raised if the kernel refuses an isolation layer. `step` names the step that failed."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"{step}: {reason}")
        self.step = step
        self.reason = reason


def read_id_ranges() -> list[tuple[int, int]]:
    """Return the ranges of uids that the current user namespace has, as (first, count) pairs."""
    lines = Path("/proc/self/uid_map").read_text().splitlines()
    return [(int(first), int(count)) for first, _, count in map(str.split, lines)]


def clone(kinds: Iterable[str]) -> int:
    """Fork into new namespaces of these kinds. Raises IsolationRefused."""
    flags = int(signal.SIGCHLD)
    for kind in kinds:
        flags |= CLONE_FLAGS[kind]
    pid = int(_libc.syscall(CLONE_CALL_NUMBERS[platform.machine()], ctypes.c_ulong(flags), None, None, None, None))
    if pid < 0:
        raise IsolationRefused("clone", os.strerror(ctypes.get_errno()))
    return pid


def find_refused_kinds(kinds: set[str]) -> set[str]:
    """Try each kind by itself and return those that the kernel refuses; all of them if it refuses a user namespace."""
    root = {"user"} & kinds
    refused = set()
    for kind in sorted(kinds, key=lambda kind: kind != "user"):
        try:
            pid = clone(root | {kind})
        except IsolationRefused:
            if kind == "user":
                return kinds
            refused.add(kind)
            continue
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    return refused


def map_ids(pid: int, plan: Plan) -> None:
    """Map the uids and gids of the user namespace of `pid` according to the plan's `ids`. Raises IsolationRefused."""
    try:
        if plan.ids == "one":
            Path(f"/proc/{pid}/setgroups").write_text("deny")
            Path(f"/proc/{pid}/uid_map").write_text(f"{PROGRAM_UID} {os.geteuid()} 1")
            Path(f"/proc/{pid}/gid_map").write_text(f"{PROGRAM_UID} {os.getegid()} 1")
        elif plan.ids == "all":
            lines = "".join(f"{first} {first} {count}\n" for first, count in read_id_ranges())
            Path(f"/proc/{pid}/uid_map").write_text(lines)
            Path(f"/proc/{pid}/gid_map").write_text(lines)
        else:
            for tool, own, lent in (
                ("newuidmap", os.geteuid(), plan.lent_uids),
                ("newgidmap", os.getegid(), plan.lent_gids),
            ):
                if lent is None:
                    raise IsolationRefused("ids", f"no ids are lent to this user, for {tool}")
                numbers = map(str, (pid, 0, own, 1, 1, *lent))
                subprocess.run([tool, *numbers], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise IsolationRefused("ids", str(error)) from error
