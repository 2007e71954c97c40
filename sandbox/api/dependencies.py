"""The shared context of the routes: settings, service and metrics."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import FastAPI, Request

from sandbox.config import ApiSettings
from sandbox.queue.session_calls import SessionCalls
from sandbox.schema.health import Readiness
from sandbox.service import Service
from sandbox.telemetry.registry import MetricsRegistry
from sandbox.telemetry.service_metrics import ServiceMetrics


@dataclass(frozen=True, slots=True)
class ApiContext:
    """Objects that every route may use."""

    settings: ApiSettings
    service: Service
    metrics_registry: MetricsRegistry
    sessions: SessionCalls

    def check_readiness(self) -> Readiness:
        """Return whether the service can run programs now, and set the metrics that say so."""
        readiness = self.service.check_readiness()
        ServiceMetrics(self.metrics_registry).record_readiness(readiness)
        return readiness


def attach_context(app: FastAPI, context: ApiContext) -> None:
    """Give the routes their context, and count what its service accepts."""
    context.service.add_observer(ServiceMetrics(context.metrics_registry))
    app.state.context = context


def get_context(request: Request) -> ApiContext:
    context: ApiContext = request.app.state.context
    return context
