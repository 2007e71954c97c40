"""The metrics of the webhook sender."""

from __future__ import annotations

from typing import Literal

from sandbox.telemetry import definitions
from sandbox.telemetry.registry import MetricsRegistry


class WebhookMetrics:
    """A webhook sender's metrics; implements `webhooks.sender.DeliveryObserver`."""

    def __init__(self, registry: MetricsRegistry) -> None:
        self._registry = registry
        for outcome in ("delivered", "failed", "dead"):  # start at 0, so that the first one shows as an increase
            registry.counter(definitions.WEBHOOK_ATTEMPTS, outcome)
        for outcome in ("delivered", "dead"):
            registry.counter(definitions.WEBHOOKS, outcome)

    def record_attempt(self, outcome: Literal["delivered", "failed", "dead"], took_s: float) -> None:
        self._registry.counter(definitions.WEBHOOK_ATTEMPTS, outcome).inc()
        self._registry.histogram(definitions.WEBHOOK_DURATION).observe(took_s)
        if outcome != "failed":
            self._registry.counter(definitions.WEBHOOKS, outcome).inc()

    def record_backlog(self, due_count: int) -> None:
        self._registry.gauge(definitions.WEBHOOKS_WAITING).set(due_count)
