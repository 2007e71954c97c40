"""The metrics of the service: what it accepts, and whether it can run programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import get_args

from sandbox import languages
from sandbox.errors import SandboxError
from sandbox.queue.admission import get_caller_id
from sandbox.queue.lifecycle import DropReason, LifecycleObserver
from sandbox.queue.submission import Submission, SubmissionRequest
from sandbox.schema.hack import HackRequest
from sandbox.schema.health import AppendOnlyState, Readiness
from sandbox.schema.vote import VoteRequest
from sandbox.telemetry import definitions
from sandbox.telemetry.registry import MetricsRegistry

APPEND_ONLY_STATES: tuple[AppendOnlyState, ...] = get_args(AppendOnlyState)


class ServiceMetrics(LifecycleObserver):
    """The metrics of one API process's service."""

    def __init__(self, registry: MetricsRegistry) -> None:
        self._registry = registry

    def record_accepted(self, submission: Submission, submission_id: str) -> None:
        mode = "async" if submission.durable else "sync"
        self._registry.counter(definitions.SUBMISSIONS, submission.kind, submission.lane, mode).inc()
        programs = Counter(_list_programs(submission.requests))
        key = get_caller_id() or definitions.NO_KEY
        self._registry.counter(definitions.KEY_PROGRAMS, key).inc(programs.total())
        for (name, lane), number in programs.items():
            # Use the canonical name, not the client's alias, so that clients cannot create new series.
            language = languages.get_language(name).name
            self._registry.counter(definitions.PROGRAMS, submission.kind, language, lane).inc(number)

    def record_refused(self, error: SandboxError) -> None:
        self._registry.counter(definitions.REFUSALS, type(error).__name__).inc()
        self._registry.counter(definitions.KEY_REFUSALS, get_caller_id() or definitions.NO_KEY).inc()

    def record_dropped(self, reason: DropReason) -> None:
        metric = definitions.SUBMISSIONS_ABANDONED if reason == "abandoned" else definitions.JOBS_CANCELLED
        self._registry.counter(metric).inc()

    def record_readiness(self, readiness: Readiness) -> None:
        """Set the gauges that are computed at each scrape."""
        self._registry.gauge(definitions.READY).set(readiness.ready)
        self._registry.gauge(definitions.WORKERS).set(readiness.workers)
        self._registry.gauge(definitions.SESSION_HOSTS).set(readiness.session_hosts)
        self._registry.gauge(definitions.WAITING_FOR_BOX).set(readiness.waiting_for_box_s)
        for state in ("used", "limit"):
            self._registry.gauge(definitions.REDIS_MEMORY, state).set(readiness.storage_bytes.get(state, 0))
        self._registry.gauge(definitions.STORED_BYTES).set(readiness.storage_bytes.get("kept", 0))
        for state in APPEND_ONLY_STATES:
            self._registry.gauge(definitions.REDIS_APPEND_ONLY, state).set(readiness.append_only == state)
        self._registry.gauge(definitions.REDIS_APPEND_ONLY_BYTES).set(
            readiness.storage_bytes.get("append_only_file", 0)
        )
        for lane, waiting in readiness.queued.items():
            self._registry.gauge(definitions.QUEUE_DEPTH, lane).set(waiting)
            self._registry.gauge(definitions.QUEUE_AGE, lane).set(readiness.oldest_s.get(lane, 0.0) if waiting else 0.0)


def _list_programs(requests: Iterable[SubmissionRequest]) -> Iterable[tuple[str, str]]:
    """Yield the language and lane of every program. A vote or a hack has several programs."""
    for request in requests:
        names = (
            list(request.list_languages().values())
            if isinstance(request, VoteRequest | HackRequest)
            else [request.language]
        )
        yield from ((language, request.priority) for language in names)
