"""Full load for a long time, sampling memory, descriptors, containers, processes and Redis keys."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path

from tests.chaos.capacity import read_resident_mb
from tests.chaos.deployment import Deployment, find_descendants
from tests.chaos.load import Load

SAMPLES = 30
CLIENTS = 6
# Sockets and cgroup files that a worker holds open per box. There is an extra box while one is replaced.
DESCRIPTORS_PER_BOX = 11
# The first fifth fills caches. After it, nothing may grow by more than this share and these absolute numbers.
MAX_GROWTH_FRACTION = 0.10
MAX_GROWTH = {
    "memory_mb": 12.0,
    "descriptors_beside_boxes": 12.0,
    "containers": 3.0,
    "processes": 6.0,
    "redis_keys": 60.0,
    "redis_mb": 3.0,
}


@dataclass(frozen=True)
class Sample:
    """The resources of the whole process tree at one time."""

    elapsed_s: float
    results: int
    memory_mb: float
    descriptors: float
    containers: float
    processes: float
    redis_keys: float
    redis_mb: float

    @property
    def descriptors_beside_boxes(self) -> float:
        return self.descriptors - DESCRIPTORS_PER_BOX * self.containers

    def format_row(self) -> str:
        return "| " + " | ".join(f"{value:.0f}" for value in astuple(self)) + " |"


HEADER = (
    "| s | results | memory MiB | descriptors | containers | processes | Redis keys | Redis MiB |\n"
    + "| --- " * 8
    + "|"
)


def run_soak(deployment: Deployment, seconds: float) -> Iterator[Sample]:
    """Yield samples at even intervals."""
    began = time.monotonic()
    with Load(deployment.url, clients=CLIENTS, pause_s=0.02) as load:
        for number in range(1, SAMPLES + 1):
            time.sleep(max(0.0, began + seconds * number / SAMPLES - time.monotonic()))
            yield _take_sample(deployment, load, time.monotonic() - began)
        load.stop()
    assert not load.tally.lost, load.tally.lost
    assert not load.tally.wrong, load.tally.wrong


def _take_sample(deployment: Deployment, load: Load, seconds: float) -> Sample:
    pids = [deployment.api_pid, deployment.redis_pid, *deployment.worker_pids]
    with deployment.connect_redis() as redis:
        keys, used = redis.dbsize(), redis.info("memory")["used_memory"] / (1 << 20)
    memory = descriptors = 0.0
    for pid in pids:
        with suppress(OSError):
            memory += read_resident_mb(pid)
            descriptors += len(list(Path(f"/proc/{pid}/fd").iterdir()))
    processes = sum(len(find_descendants(pid)) + 1 for pid in pids)
    results = sum(load.tally.statuses.values())
    return Sample(seconds, results, memory, descriptors, len(deployment.list_boxes()), processes, keys, used)


def find_growth(samples: list[Sample]) -> list[str]:
    """Return what grew after the first fifth: compares the mean of the last third with that of the second."""
    steady = samples[len(samples) // 5 :]
    third = len(steady) // 3
    grown = []
    for name, slack in MAX_GROWTH.items():
        early = sum(getattr(sample, name) for sample in steady[:third]) / third
        late = sum(getattr(sample, name) for sample in steady[-third:]) / third
        if late > early * (1 + MAX_GROWTH_FRACTION) and late > early + slack:
            grown.append(f"{name} grew from {early:.1f} to {late:.1f}")
    return grown
