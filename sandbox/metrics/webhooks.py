"""What the process that delivers webhooks counts."""

from __future__ import annotations

from typing import Literal

from sandbox.metrics import declare
from sandbox.metrics.meters import Meters


class WebhookMeters:
    """`jobs.deliverer.Watch` for its deliverer."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters
        for outcome in ("delivered", "failed", "dead"):  # so that the first one of each is seen as a rise
            meters.counter(declare.WEBHOOK_ATTEMPTS, outcome)
        for outcome in ("delivered", "dead"):
            meters.counter(declare.WEBHOOKS, outcome)

    def tried(self, outcome: Literal["delivered", "failed", "dead"], took_s: float) -> None:
        self._meters.counter(declare.WEBHOOK_ATTEMPTS, outcome).inc()
        self._meters.histogram(declare.WEBHOOK_DURATION).observe(took_s)
        if outcome != "failed":
            self._meters.counter(declare.WEBHOOKS, outcome).inc()

    def waiting(self, number: int) -> None:
        self._meters.gauge(declare.WEBHOOKS_WAITING).set(number)
