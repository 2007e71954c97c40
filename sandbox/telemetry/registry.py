"""The metrics of one process, which can be scraped together with those of all processes on the host.

This module replaces prometheus_client's own metric classes, for three reasons. They decide at import, from an
environment variable, whether there are several processes. They keep files for every process id that ever existed. An
observation takes 1.7 us instead of 0.7 us here (loadtest/NOTES.md). The format of the files, the code that merges them
and the text format still come from that library.
"""

from __future__ import annotations

import platform
import shutil
import threading
import weakref
from bisect import bisect_left
from collections.abc import Iterable
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from time import time
from typing import cast

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.utils import floatToGoString

from sandbox import __version__
from sandbox.telemetry.definitions import BUILD_INFO, DISK, METRICS, SLOTS, Metric
from sandbox.telemetry.process_files import ProcessFiles, list_living_and_dead, list_readable_files

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
WORKER_ROLE = "worker"
Lock = AbstractContextManager[bool]


class FileValue:
    """One number in a file. It persists after the process ends."""

    def __init__(self, file: MmapedDict, metric: Metric, name: str, labels: dict[str, str]) -> None:
        self._file = file
        self._key = mmap_key(_get_family_name(metric), name, list(labels), list(labels.values()), metric.help)
        self._now = file.read_value(self._key)[0]  # type: ignore[no-untyped-call]

    def add(self, amount: float) -> None:
        self._now += amount
        self._file.write_value(self._key, self._now, 0.0)  # type: ignore[no-untyped-call]

    def set(self, value: float) -> None:
        self._now = value
        self._file.write_value(self._key, value, time())  # type: ignore[no-untyped-call]


class Counter:
    """A value that only increases."""

    def __init__(self, value: FileValue, lock: Lock) -> None:
        self._value = value
        self._lock = lock

    def inc(self, amount: float = 1.0) -> None:
        with self._lock:
            self._value.add(amount)


class Gauge:
    """A value that goes up and down."""

    def __init__(self, value: FileValue, lock: Lock) -> None:
        self._value = value
        self._lock = lock
        self._now = 0.0

    def set(self, value: float) -> None:
        with self._lock:
            self._now = value
            self._value.set(value)

    def inc(self, amount: float = 1.0) -> None:
        with self._lock:
            self._now += amount
            self._value.set(self._now)

    def dec(self, amount: float = 1.0) -> None:
        self.inc(-amount)


class Histogram:
    """Counts observations by bucket, and sums their values."""

    def __init__(self, total: FileValue, bounds: tuple[float, ...], buckets: list[FileValue], lock: Lock) -> None:
        self._total = total
        self._bounds = bounds
        self._buckets = buckets
        self._lock = lock

    def observe(self, amount: float) -> None:
        with self._lock:
            self._total.add(amount)
            self._buckets[bisect_left(self._bounds, amount)].add(1.0)


Instrument = Counter | Gauge | Histogram


class MetricsRegistry:
    """One process's metrics, in files below `folder` under its role. Thread-safe. Creates the files at first use."""

    def __init__(self, folder: Path, role: str) -> None:
        self._folder = folder
        self._role = role
        self._lock = threading.RLock()
        self._instruments: dict[tuple[str, tuple[str, ...]], Instrument] = {}

    def close(self) -> None:
        """Release the role. No metric may be changed afterwards."""
        if "_files" in vars(self):
            self._files.close()

    @cached_property
    def _files(self) -> ProcessFiles:
        files = ProcessFiles(self._folder, self._role)
        weakref.finalize(self, files.close)
        return files

    def counter(self, metric: Metric, *labels: str) -> Counter:
        return cast(Counter, self._get_instrument(metric, labels))

    def gauge(self, metric: Metric, *labels: str) -> Gauge:
        return cast(Gauge, self._get_instrument(metric, labels))

    def histogram(self, metric: Metric, *labels: str) -> Histogram:
        return cast(Histogram, self._get_instrument(metric, labels))

    def render(self) -> bytes:
        """Render the metrics of all processes that share the folder, in Prometheus' text format."""
        with self._lock:
            self._initialize_unlabeled()
        return Exposition(self._files.folder).render()

    def _initialize_unlabeled(self) -> None:
        """Create counters at 0 before their first event, so that Prometheus sees that event as an increase."""
        for metric in METRICS:
            if not metric.labels and metric.kind != "gauge" and (metric.name, ()) not in self._instruments:
                self._instruments[metric.name, ()] = self._build(metric, ())

    def _get_instrument(self, metric: Metric, labels: tuple[str, ...]) -> Instrument:
        try:
            return self._instruments[metric.name, labels]
        except KeyError:
            with self._lock:
                if not self._instruments:
                    self._initialize_unlabeled()
                if (metric.name, labels) not in self._instruments:
                    self._instruments[metric.name, labels] = self._build(metric, labels)
                return self._instruments[metric.name, labels]

    def _build(self, metric: Metric, values: tuple[str, ...]) -> Instrument:
        labels = dict(zip(metric.labels, values, strict=True))
        file = self._files.open_file(metric)
        if metric.kind == "histogram":
            bounds = [*map(floatToGoString, metric.buckets), "+Inf"]
            buckets = [FileValue(file, metric, f"{metric.name}_bucket", {**labels, "le": bound}) for bound in bounds]
            return Histogram(FileValue(file, metric, f"{metric.name}_sum", labels), metric.buckets, buckets, self._lock)
        value = FileValue(file, metric, metric.name, labels)
        return Counter(value, self._lock) if metric.kind == "counter" else Gauge(value, self._lock)


class Exposition:
    """The metrics of one host: those of all processes, merged, and the scraped process's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        self._registry.register(self)

    def render(self) -> bytes:
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Family]:
        merged = {each.name: each for each in MultiProcessCollector.merge(list_readable_files(self._folder))}  # type: ignore[no-untyped-call]
        for metric in METRICS:
            name = _get_family_name(metric)
            family = merged.get(name, Family(name, metric.help, metric.kind))
            if metric is SLOTS:
                self._add_dead_slots(family)
            elif metric is BUILD_INFO:
                family.add_sample(metric.name, {"version": __version__, "python": platform.python_version()}, 1)
            elif metric is DISK:
                self._add_home_disk(family)
            yield family

    def _add_home_disk(self, family: Family) -> None:
        try:
            usage = shutil.disk_usage(self._folder)
        except OSError:  # no process of this host has written metrics yet
            return
        for state, size in (("total", usage.total), ("free", usage.free)):
            family.add_sample(DISK.name, {"place": "home", "state": state}, size)

    def _add_dead_slots(self, family: Family) -> None:
        """Add the number of dead slots, because a dead worker cannot report itself."""
        living, dead = list_living_and_dead(self._folder)
        if any(name.startswith(WORKER_ROLE) for name in [*living, *dead]):
            number = sum(name.startswith(WORKER_ROLE) for name in dead)
            family.add_sample(SLOTS.name, {"state": "dead", "role": "slot"}, number)


def _get_family_name(metric: Metric) -> str:
    """Return the metric family's name: prometheus_client omits the suffix of a counter's samples."""
    return metric.name.removesuffix("_total")
