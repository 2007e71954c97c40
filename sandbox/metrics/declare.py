"""Every metric there is: its name, unit, labels, buckets and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, named as it is exposed (https://prometheus.io/docs/practices/naming/)."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


# From a warm run's 2 ms to a batch's quarter of an hour, each about 2.3 times the one before.
_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 900.0)
_BYTES = (1e3, 1e4, 1e5, 1e6, 1e7, 1e8)

HTTP_REQUESTS = Metric(
    "sandbox_http_requests_total", "counter", "requests", "HTTP requests answered", ("method", "route", "status")
)
HTTP_DURATION = Metric(
    "sandbox_http_request_duration_seconds",
    "histogram",
    "seconds",
    "From a request's first byte to its answer's last, waiting for results included",
    ("route",),
    _SECONDS,
)
HTTP_BODY = Metric(
    "sandbox_http_request_body_bytes", "histogram", "bytes", "Size of request bodies", ("route",), _BYTES
)
HTTP_IN_FLIGHT = Metric(
    "sandbox_http_requests_in_flight", "gauge", "requests", "HTTP requests that wait for their answer now"
)
SUBMISSIONS = Metric(
    "sandbox_submissions_total", "counter", "submissions", "Submissions accepted", ("kind", "lane", "mode")
)
PROGRAMS = Metric(
    "sandbox_programs_total",
    "counter",
    "programs",
    "Programs accepted, batches' items each",
    ("kind", "language", "lane"),
)
REFUSALS = Metric(
    "sandbox_submissions_refused_total", "counter", "submissions", "Submissions that were not accepted", ("reason",)
)
ABANDONED = Metric(
    "sandbox_submissions_abandoned_total",
    "counter",
    "submissions",
    "Synchronous submissions dropped because the client went away or its time was up",
)
CANCELLED = Metric("sandbox_jobs_cancelled_total", "counter", "jobs", "Jobs that a client asked to cancel")
QUEUED = Metric(
    "sandbox_queue_submissions", "gauge", "submissions", "Submissions that wait for a worker, when scraped", ("lane",)
)
WORKERS = Metric("sandbox_workers", "gauge", "workers", "Workers alive, when scraped")
READY = Metric("sandbox_ready", "gauge", "ratio", "1 when submissions would be served, 0 when not, when scraped")

METRICS = (
    HTTP_REQUESTS,
    HTTP_DURATION,
    HTTP_BODY,
    HTTP_IN_FLIGHT,
    SUBMISSIONS,
    PROGRAMS,
    REFUSALS,
    ABANDONED,
    CANCELLED,
    QUEUED,
    WORKERS,
    READY,
)
