"""The page of all metrics of `sandbox.telemetry.definitions`."""

from __future__ import annotations

from sandbox.docs.generate.markdown_format import format_code, format_table
from sandbox.telemetry.definitions import METRICS, Metric

INTRODUCTION = """
# Metrics

`GET /metrics` returns metrics in Prometheus' text format. Histograms also have the series `_bucket`, `_sum` and
`_count`. The `process_` metrics of the Prometheus client are included.
"""


def build_page() -> str:
    rows = [
        (format_code(metric.name), metric.kind, metric.unit, ", ".join(map(format_code, metric.labels)), metric.help)
        for metric in METRICS
    ]
    return "\n\n".join(
        [
            INTRODUCTION,
            format_table(("metric", "type", "unit", "labels", "meaning"), rows),
            "## Buckets",
            _build_bucket_table(),
        ]
    )


def _build_bucket_table() -> str:
    by_buckets: dict[tuple[float, ...], list[Metric]] = {}
    for metric in METRICS:
        if metric.buckets:
            by_buckets.setdefault(metric.buckets, []).append(metric)
    rows = [
        (", ".join(format_code(metric.name) for metric in metrics), ", ".join(f"{bound:g}" for bound in buckets))
        for buckets, metrics in by_buckets.items()
    ]
    return format_table(("histograms", "upper bounds"), rows)
