"""The faults: each breaks a part of a deployed service, waits, and repairs it.

A fault returns when it is repaired. A process that its parent restarts counts as repaired at once.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from docker.errors import DockerException

from tests.chaos.deployment import LEASE_S, Deployment, find_descendants, wait_until_gone

DISK_FULL_S = 4.0
MEMORY_CGROUP_ROOT = Path("/sys/fs/cgroup/memory")
TIGHT_LIMIT_BYTES = 16 << 10


@dataclass(frozen=True, slots=True)
class Fault:
    """`needs` is the required environment: plain, tmpfs (a home that can be full), net (a worker across a network), or
    engine (a separate one).
    """

    name: str
    description: str
    inject: Callable[[Deployment], None]
    environment: str = "plain"


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_until_gone(pid)


def kill_worker(deployment: Deployment) -> None:
    _kill(random.choice(deployment.worker_pids))


def kill_all_workers(deployment: Deployment) -> None:
    for pid in deployment.worker_pids:
        _kill(pid)


def _find_supervisor(deployment: Deployment) -> int:
    pids = [int(box.attrs["State"]["Pid"]) for box in deployment.list_boxes()]
    return next(pid for pid in pids if pid)


def kill_supervisor(deployment: Deployment) -> None:
    _kill(_find_supervisor(deployment))


def kill_zygote(deployment: Deployment) -> None:
    _kill(find_descendants(_find_supervisor(deployment))[0])


def kill_containers(deployment: Deployment) -> None:
    for box in deployment.list_boxes():
        with suppress(DockerException):
            box.kill()


def stop_worker(deployment: Deployment) -> None:
    """Pause a worker for longer than its lease, so that its batches run elsewhere, then resume it."""
    pid = random.choice(deployment.worker_pids)
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(3 * LEASE_S)
    finally:
        os.kill(pid, signal.SIGCONT)


def kill_api(deployment: Deployment) -> None:
    _kill(deployment.api_pid)


def restart_redis(deployment: Deployment) -> None:
    _kill(deployment.redis_pid)


def fill_disk(deployment: Deployment) -> None:
    """Fill the file system of the home folder for some seconds."""
    filler = deployment.home / "filler"
    try:
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(1 << 20))
        with filler.open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(512))
        time.sleep(DISK_FULL_S)
    finally:
        filler.unlink()


def take_memory(deployment: Deployment) -> None:
    """Make the kernel kill a worker for lack of memory, as on a machine without any left."""
    group = MEMORY_CGROUP_ROOT / f"chaos-{os.getpid()}"
    group.mkdir()
    victim = random.choice(deployment.worker_pids)
    try:
        (group / "cgroup.procs").write_text(str(victim))
        (group / "memory.limit_in_bytes").write_text(str(TIGHT_LIMIT_BYTES))
        wait_until_gone(victim)
    finally:
        with suppress(OSError):
            (MEMORY_CGROUP_ROOT / "cgroup.procs").write_text(str(victim))
        time.sleep(0.2)
        group.rmdir()


QUICK_FAULTS = (
    Fault("kill-worker", "kill -9 of a worker", kill_worker),
    Fault("kill-containers", "kill of every container", kill_containers),
    Fault("stop-worker", "SIGSTOP of a worker for three leases, then SIGCONT", stop_worker),
    Fault("restart-redis", "kill -9 of Redis, which restarts with its saved data", restart_redis),
)
PLAIN_FAULTS = (
    *QUICK_FAULTS,
    Fault("kill-all-workers", "kill -9 of every worker at once", kill_all_workers),
    Fault("kill-supervisor", "kill -9 of a box's supervisor", kill_supervisor),
    Fault("kill-zygote", "kill -9 of a box's zygote", kill_zygote),
    Fault("kill-api", "kill -9 of the API while requests wait", kill_api),
    Fault("take-memory", "a worker's memory limit set below what it uses", take_memory),
    Fault("fill-disk", "no byte left on the home's file system for four seconds", fill_disk, "tmpfs"),
)
