"""Give the session boxes of a host, all together, a small share of its CPU.

The engine puts all containers into one cgroup, and this cgroup competes with each process outside of it: the API,
Redis, the workers. A small share of a session's box would only count against other boxes, so busy sessions would still
take half of the CPU from a worker. Session boxes therefore get a parent cgroup of their own, beside the engine's, whose
share counts against everything else. On an idle machine they may use all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sandbox.box.cgroup import CGROUP_ROOT

PARENT = "sandbox-sessions"
ENGINE_PARENT = "docker"  # the engine's own, by default
PARENT_SHARES = "96"  # the cgroup of all other boxes has 1024, so sessions cost them at most 9 % of their CPU
PARENT_WEIGHT = "9"  # the same for version 2, where the default is 100
BOX_SHARES = 2  # without a parent: of the 1024 that a box of programs has


def build_cpu_options(information: Mapping[str, Any], root: Path = CGROUP_ROOT) -> dict[str, Any]:
    """Return the options of a session's container for the engine that `information`, its `docker info`, describes.

    Use the parent cgroup if this host's cgroups can be written and the engine creates its own beside it. Otherwise,
    for example with systemd as the cgroup driver, give the box the smallest share that a container can have.
    """
    if information.get("CgroupDriver") == "cgroupfs":
        is_version_2 = information.get("CgroupVersion") == "2"
        controller = root if is_version_2 else root / "cpu"
        name, share = ("cpu.weight", PARENT_WEIGHT) if is_version_2 else ("cpu.shares", PARENT_SHARES)
        if (controller / ENGINE_PARENT).is_dir():  # otherwise the engine's cgroups are not the ones that are seen here
            with suppress(OSError):
                (controller / PARENT).mkdir(exist_ok=True)
                (controller / PARENT / name).write_text(share)
                return {"cgroup_parent": f"/{PARENT}"}
    return {"cpu_shares": BOX_SHARES}
