"""The declared metrics as live ones, in a registry of their own, and their text for a scrape."""

from __future__ import annotations

from typing import cast

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from sandbox.metrics.declare import METRICS, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Live = Counter | Gauge | Histogram


class Meters:
    """One process's metrics. A registry for each, so that two in one process (as tests have) do not collide."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a timestamp beside every series doubles a scrape and nothing reads it
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._live = {metric.name: self._build(metric) for metric in METRICS}
        self._kept: dict[tuple[str, tuple[str, ...]], Live] = {}

    def counter(self, metric: Metric, *labels: str) -> Counter:
        return cast(Counter, self._series(metric.name, labels))

    def gauge(self, metric: Metric, *labels: str) -> Gauge:
        return cast(Gauge, self._series(metric.name, labels))

    def histogram(self, metric: Metric, *labels: str) -> Histogram:
        return cast(Histogram, self._series(metric.name, labels))

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self.registry)

    def _series(self, name: str, labels: tuple[str, ...]) -> Live:
        """The series of these labels. Kept here, for the library's own look-up copies them and takes a lock."""
        try:
            return self._kept[name, labels]
        except KeyError:
            live = self._live[name]
            return self._kept.setdefault((name, labels), live.labels(*labels) if labels else live)

    def _build(self, metric: Metric) -> Live:
        if metric.kind == "counter":
            return Counter(metric.name, metric.help, metric.labels, registry=self.registry)
        if metric.kind == "gauge":
            return Gauge(metric.name, metric.help, metric.labels, registry=self.registry)
        return Histogram(metric.name, metric.help, metric.labels, registry=self.registry, buckets=metric.buckets)
