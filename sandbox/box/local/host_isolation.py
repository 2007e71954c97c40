"""The isolation layers that a host offers local boxes, and the consequences of each missing layer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.box.uids import UIDS_PER_BOX, UidBlock

FIRST_SUBORDINATE_UID = 1_000  # in a user namespace of 65536 ids
MISSING_NAMESPACE_EFFECTS = {
    "mount": "file system: programs see the files of this machine and can write wherever their user can, even /tmp",
    "pid": "processes: programs see the other processes of this machine",
    "network": "network: blocked only by a system-call filter; programs can connect to this machine's Unix sockets",
    "ipc": "shared memory: programs see that of this machine",
    "uts": "host name: programs see that of this machine",
}
SINGLE_USER_MESSAGE = (
    "users: all programs of a box run as the same user, so a program can end its box or briefly leave files in it;"
    " install newuidmap (`apt install uidmap`) and give this user a range in /etc/subuid and /etc/subgid"
)
NAMESPACE_SYSCTLS = {
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    "/proc/sys/kernel/unprivileged_userns_clone": ("0", "sysctl kernel.unprivileged_userns_clone=1"),
    "/proc/sys/user/max_user_namespaces": ("0", "sysctl user.max_user_namespaces=10000"),
}


@dataclass(frozen=True, slots=True)
class HostIsolation:
    """The isolation layers that this host offers a local box, as found by `launcher.probe`."""

    namespaces: tuple[str, ...]
    id_mapping: str
    uid_ranges: Sequence[tuple[int, int]] = ()

    def list_missing_isolation(self) -> list[str]:
        missing = [effect for kind, effect in MISSING_NAMESPACE_EFFECTS.items() if kind not in self.namespaces]
        if missing:
            missing[0] += f"; {suggest_namespace_fix()}"
        return [*missing, SINGLE_USER_MESSAGE] if self.id_mapping == "one" else missing

    def find_uid_base(self, uid_block: UidBlock, box_index: int, needed_uids: int) -> int | None:
        """Return the uid above which the box's uids start, or None if the host offers fewer than `needed_uids`."""
        if self.id_mapping == "one":
            return None
        end = (
            max((first + count for first, count in self.uid_ranges), default=0)
            if self.id_mapping != "range"
            else UIDS_PER_BOX
        )
        base = uid_block.compute_base(box_index)
        if base + UIDS_PER_BOX <= end:
            return base
        return FIRST_SUBORDINATE_UID if FIRST_SUBORDINATE_UID + needed_uids < end else None


def suggest_namespace_fix() -> str:
    """Return a hint that explains how to enable the namespaces that the kernel refused."""
    for switch, (closed, command) in NAMESPACE_SYSCTLS.items():
        if os.geteuid() != 0 and Path(switch).exists() and Path(switch).read_text().strip() == closed:
            return f"run `{command}` as root to allow user namespaces"
    return (
        "run the worker as root to allow namespaces,"
        " and in a container also add `--privileged` or `--security-opt seccomp=unconfined`"
    )
