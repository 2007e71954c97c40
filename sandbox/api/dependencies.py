"""What the API needs of the service behind it, and where a request finds it."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import FastAPI, Request

from sandbox.config import ApiSettings
from sandbox.telemetry.instrumentation import SubmissionService as SubmissionService
from sandbox.telemetry.registry import MetricsRegistry


@dataclass(frozen=True, slots=True)
class ApiContext:
    """What every route may use."""

    settings: ApiSettings
    service: SubmissionService
    meters: MetricsRegistry


def attach_context(app: FastAPI, context: ApiContext) -> None:
    app.state.context = context


def get_context(request: Request) -> ApiContext:
    context: ApiContext = request.app.state.context
    return context
