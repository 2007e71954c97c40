"""The shared context of the routes: settings, service and metrics."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import FastAPI, Request

from sandbox.config import ApiSettings
from sandbox.queue.session_calls import SessionCalls
from sandbox.telemetry.instrumentation import SubmissionService as SubmissionService
from sandbox.telemetry.registry import MetricsRegistry


@dataclass(frozen=True, slots=True)
class ApiContext:
    """Objects that every route may use."""

    settings: ApiSettings
    service: SubmissionService
    metrics_registry: MetricsRegistry
    sessions: SessionCalls


def attach_context(app: FastAPI, context: ApiContext) -> None:
    app.state.context = context


def get_context(request: Request) -> ApiContext:
    context: ApiContext = request.app.state.context
    return context
