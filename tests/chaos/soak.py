"""Full load for a long time: memory, descriptors, containers, processes and Redis keys, looked at every few seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path

from tests.chaos.capacity import resident_mb
from tests.chaos.load import Load
from tests.chaos.stage import Stage, descendants

LOOKS = 30
CLIENTS = 6
# Sockets and cgroup files a worker holds open of each box, of which there are more while one is replaced.
DESCRIPTORS_OF_A_BOX = 11
# The first fifth fills caches; after it nothing may grow by more than this share and these absolute numbers.
GROWTH = 0.10
SLACK = {
    "memory_mb": 12.0,
    "descriptors_beside_boxes": 12.0,
    "containers": 3.0,
    "processes": 6.0,
    "redis_keys": 60.0,
    "redis_mb": 3.0,
}


@dataclass(frozen=True)
class Look:
    """What the whole tree holds at one time."""

    seconds: float
    results: int
    memory_mb: float
    descriptors: float
    containers: float
    processes: float
    redis_keys: float
    redis_mb: float

    @property
    def descriptors_beside_boxes(self) -> float:
        return self.descriptors - DESCRIPTORS_OF_A_BOX * self.containers

    def row(self) -> str:
        return "| " + " | ".join(f"{value:.0f}" for value in astuple(self)) + " |"


HEADER = (
    "| s | results | memory MiB | descriptors | containers | processes | Redis keys | Redis MiB |\n"
    + "| --- " * 8
    + "|"
)


def soak(stage: Stage, seconds: float) -> Iterator[Look]:
    """Looks, evenly over the time."""
    began = time.monotonic()
    with Load(stage.url, clients=CLIENTS, pause_s=0.02) as load:
        for number in range(1, LOOKS + 1):
            time.sleep(max(0.0, began + seconds * number / LOOKS - time.monotonic()))
            yield _look(stage, load, time.monotonic() - began)
        load.stop()
    assert not load.tally.lost, load.tally.lost
    assert not load.tally.wrong, load.tally.wrong


def _look(stage: Stage, load: Load, seconds: float) -> Look:
    pids = [stage.api, stage.redis_server, *stage.workers]
    with stage.redis() as redis:
        keys, used = redis.dbsize(), redis.info("memory")["used_memory"] / (1 << 20)
    memory = descriptors = 0.0
    for pid in pids:
        with suppress(OSError):
            memory += resident_mb(pid)
            descriptors += len(list(Path(f"/proc/{pid}/fd").iterdir()))
    processes = sum(len(descendants(pid)) + 1 for pid in pids)
    results = sum(load.tally.ends.values())
    return Look(seconds, results, memory, descriptors, len(stage.boxes()), processes, keys, used)


def growth(looks: list[Look]) -> list[str]:
    """What grew after the first fifth: the mean of the last third against that of the second."""
    steady = looks[len(looks) // 5 :]
    third = len(steady) // 3
    grown = []
    for name, slack in SLACK.items():
        early = sum(getattr(look, name) for look in steady[:third]) / third
        late = sum(getattr(look, name) for look in steady[-third:]) / third
        if late > early * (1 + GROWTH) and late > early + slack:
            grown.append(f"{name} grew from {early:.1f} to {late:.1f}")
    return grown
