"""Memory-mapped files for the metrics of a host's processes, in a directory below the home directory.

Theory of operation. Every process has a role, such as `api` or `worker-3`. For that role it has one file per kind of
metric, in the format of prometheus_client's multi-process mode. Counting is therefore a write to memory, and any
process can serve the metrics of all. Each process also holds a lock on a file as long as it lives. The kernel releases
the lock however the process ends. An unlocked file therefore belongs to a dead process, and its gauges no longer count.
Its counters stay, and the next process with that role continues them, so sums over processes never decrease. The file
names contain a hash of all definitions, so that versions with different definitions never mix their data.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from prometheus_client.mmap_dict import MmapedDict

from sandbox.telemetry.definitions import METRICS, Metric

logger = logging.getLogger(__name__)

DEFINITIONS_HASH = hashlib.sha256(repr(METRICS).encode()).hexdigest()[:8]
LOCK_TIMEOUT_S = 0.3
LOCK_POLL_INTERVAL_S = 0.01
_GAUGE_MODES = {"sum": "gauge_livesum", "latest": "gauge_livemostrecent"}


def get_metrics_folder(home: Path) -> Path:
    return home / "metrics"


class ProcessFiles:
    """The files of one process. `close` releases its role."""

    def __init__(self, folder: Path, role: str) -> None:
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.name, self._lock = _acquire_name(folder, role)
        except OSError as error:
            logger.warning("cannot use %s (%s): /metrics shows only this process", folder, error.strerror)
            self._temporary = tempfile.TemporaryDirectory(prefix="sandbox-metrics-")
            folder = Path(self._temporary.name)
            self.name, self._lock = _acquire_name(folder, role)
        self.folder = folder
        self._open_files: dict[str, MmapedDict] = {}

    def open_file(self, metric: Metric) -> MmapedDict:
        """Return the file that holds this metric's values."""
        kind = _GAUGE_MODES[metric.aggregation] if metric.kind == "gauge" else metric.kind
        if kind not in self._open_files:
            path = self.folder / f"{kind}_{self.name}.db"
            if metric.kind == "gauge":
                path.unlink(missing_ok=True)  # left by the previous process with this role
            self._open_files[kind] = MmapedDict(str(path))  # type: ignore[no-untyped-call]
        return self._open_files[kind]

    def close(self) -> None:
        """Close the files and release the role. Safe to call twice."""
        for values in self._open_files.values():
            values.close()  # type: ignore[no-untyped-call]
        self._open_files.clear()
        self._lock.close()
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None


def list_living_and_dead(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of living processes, which hold their locks, and of dead ones."""
    living, dead = list[str](), list[str]()
    for path in folder.glob(f"*-{DEFINITIONS_HASH}.lock"):
        (dead if _is_free(path) else living).append(path.stem)
    return living, dead


def list_readable_files(folder: Path) -> list[str]:
    """Return the counters and histograms of all processes, and the gauges of living ones. Raises OSError."""
    _, dead = list_living_and_dead(folder)
    gone = set(dead)
    return [
        str(path)
        for path in sorted(folder.glob(f"*-{DEFINITIONS_HASH}.db"))
        if not (path.name.startswith("gauge_") and path.stem.rpartition("_")[2] in gone)
    ]


def remove_dead_files(folder: Path) -> None:
    """Remove the files of dead processes. Call this before processes start: there may be fewer than before."""
    for path in list(folder.glob("*.lock")):
        if _is_free(path):
            for file in [*folder.glob(f"*_{path.stem}.db"), path]:
                file.unlink(missing_ok=True)


def _acquire_name(folder: Path, role: str) -> tuple[str, IO[bytes]]:
    """Return a name and its lock: the first name for this role that no living process holds."""
    for name in _generate_names(role):
        lock = (folder / f"{name}.lock").open("ab")
        if _try_lock(lock):
            return name, lock
        lock.close()
    raise AssertionError("unreachable")


def _generate_names(role: str) -> Iterator[str]:
    yield f"{role}-{DEFINITIONS_HASH}"
    number = 2
    while True:
        yield f"{role}.{number}-{DEFINITIONS_HASH}"
        number += 1


def _try_lock(lock: IO[bytes]) -> bool:
    """Try to take the lock, and retry for a moment, because a scrape may hold it briefly."""
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOCK_POLL_INTERVAL_S)


def _is_free(path: Path) -> bool:
    try:
        with path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return True
    return True
