"""Every metric is defined once, follows Prometheus' naming conventions, and is exposed under its name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sandbox.telemetry.definitions import METRICS, Metric
from sandbox.telemetry.registry import MetricsRegistry

every_metric = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)


@every_metric
def test_a_name_follows_the_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"sandbox(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") is (metric.kind == "counter")
    if metric.unit in {"seconds", "bytes"}:
        assert metric.name.removesuffix("_total").endswith(f"_{metric.unit}")
    assert len(metric.help) > 10


@every_metric
def test_buckets_ascend_and_only_histograms_have_them(metric: Metric) -> None:
    assert bool(metric.buckets) is (metric.kind == "histogram")
    assert list(metric.buckets) == sorted(set(metric.buckets))


def test_no_name_is_declared_twice() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)


@every_metric
def test_a_metric_is_exposed_by_its_name(metric: Metric, tmp_path: Path) -> None:
    text = MetricsRegistry(tmp_path, "api").render().decode()
    exposed = metric.name
    assert f"# TYPE {exposed} {metric.kind}" in text
    assert f"# HELP {exposed} " in text
