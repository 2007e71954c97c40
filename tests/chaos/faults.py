"""The faults: each breaks something of a staged service, waits as long as the fault lasts, and heals it.

A fault returns when it is healed; what heals by itself (a process that its parent starts again) is healed at once.
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

from tests.chaos.stage import LEASE_S, Stage, descendants, until_gone

DISK_FULL_S = 4.0
MEMORY_GROUPS = Path("/sys/fs/cgroup/memory")
TIGHT_BYTES = 16 << 10


@dataclass(frozen=True, slots=True)
class Fault:
    """`needs` names what the stage must be: plain, tmpfs (a home that can be full), net (a worker across a network), or
    engine (one of its own)."""

    name: str
    words: str
    strike: Callable[[Stage], None]
    needs: str = "plain"


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    until_gone(pid)


def kill_worker(stage: Stage) -> None:
    _kill(random.choice(stage.workers))


def kill_all_workers(stage: Stage) -> None:
    for pid in stage.workers:
        _kill(pid)


def _supervisor(stage: Stage) -> int:
    pids = [int(box.attrs["State"]["Pid"]) for box in stage.boxes()]
    return next(pid for pid in pids if pid)


def kill_supervisor(stage: Stage) -> None:
    _kill(_supervisor(stage))


def kill_zygote(stage: Stage) -> None:
    _kill(descendants(_supervisor(stage))[0])


def kill_containers(stage: Stage) -> None:
    for box in stage.boxes():
        with suppress(DockerException):
            box.kill()


def stop_worker(stage: Stage) -> None:
    """Longer than its lease: its envelopes run elsewhere, and then it wakes."""
    pid = random.choice(stage.workers)
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(3 * LEASE_S)
    finally:
        os.kill(pid, signal.SIGCONT)


def kill_api(stage: Stage) -> None:
    _kill(stage.api)


def restart_redis(stage: Stage) -> None:
    _kill(stage.redis_server)


def fill_disk(stage: Stage) -> None:
    """The home's file system takes no byte more, for some seconds."""
    filler = stage.home / "filler"
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


def take_memory(stage: Stage) -> None:
    """The kernel kills a worker for want of memory, as it does on a machine that has none left."""
    group = MEMORY_GROUPS / f"chaos-{os.getpid()}"
    group.mkdir()
    victim = random.choice(stage.workers)
    try:
        (group / "cgroup.procs").write_text(str(victim))
        (group / "memory.limit_in_bytes").write_text(str(TIGHT_BYTES))
        until_gone(victim)
    finally:
        with suppress(OSError):
            (MEMORY_GROUPS / "cgroup.procs").write_text(str(victim))
        time.sleep(0.2)
        group.rmdir()


SHORT = (
    Fault("kill-worker", "kill -9 of a worker", kill_worker),
    Fault("kill-containers", "kill of every container", kill_containers),
    Fault("stop-worker", "SIGSTOP of a worker for three leases, then SIGCONT", stop_worker),
    Fault("restart-redis", "kill -9 of Redis, which starts again with what it kept", restart_redis),
)
PLAIN = (
    *SHORT,
    Fault("kill-all-workers", "kill -9 of every worker at once", kill_all_workers),
    Fault("kill-supervisor", "kill -9 of a box's supervisor", kill_supervisor),
    Fault("kill-zygote", "kill -9 of a box's zygote", kill_zygote),
    Fault("kill-api", "kill -9 of the API while requests wait", kill_api),
    Fault("take-memory", "a worker's memory limit set below what it uses", take_memory),
    Fault("fill-disk", "no byte left on the home's file system for four seconds", fill_disk, "tmpfs"),
)
