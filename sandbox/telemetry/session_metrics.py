"""The metrics of sessions: those of a session host, and the sessions that API processes find lost."""

from __future__ import annotations

from sandbox.telemetry import definitions
from sandbox.telemetry.registry import MetricsRegistry

LOST = "lost"


class SessionLosses:
    """Counts sessions whose host died. A dead host cannot count them."""

    def __init__(self, registry: MetricsRegistry) -> None:
        self._registry = registry

    def record(self, language: str) -> None:
        self._registry.counter(definitions.SESSIONS_ENDED, language, LOST).inc()


class SessionMetrics:
    """A session host's metrics; implements `session_host.observer.SessionObserver`."""

    def __init__(self, registry: MetricsRegistry) -> None:
        self._registry = registry
        self.set_boxes(0, 0)

    def record_opened(self, language: str, wait_s: float | None) -> None:
        self._registry.gauge(definitions.SESSIONS_OPEN, language).inc()
        if wait_s is not None:
            self._registry.counter(definitions.SESSIONS_OPENED, language).inc()
            self._registry.histogram(definitions.SESSION_OPEN_WAIT).observe(wait_s)

    def record_ended(self, language: str, status: str) -> None:
        self._registry.counter(definitions.SESSIONS_ENDED, language, status).inc()
        self._registry.gauge(definitions.SESSIONS_OPEN, language).dec()

    def record_not_rebuilt(self, language: str) -> None:
        self._registry.counter(definitions.SESSIONS_ENDED, language, LOST).inc()

    def record_call(self, language: str, status: str, duration_s: float) -> None:
        self._registry.counter(definitions.SESSION_CALLS, language, status).inc()
        self._registry.histogram(definitions.SESSION_CALL_DURATION, language).observe(duration_s)

    def record_forks(self, count: int, duration_s: float) -> None:
        self._registry.counter(definitions.SESSION_FORKS).inc(count)
        self._registry.histogram(definitions.SESSION_FORK_DURATION).observe(duration_s)

    def set_boxes(self, in_use: int, warm: int) -> None:
        self._registry.gauge(definitions.SESSION_BOXES, "in_use").set(in_use)
        self._registry.gauge(definitions.SESSION_BOXES, "warm").set(warm)
