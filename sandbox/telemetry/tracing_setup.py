"""Configure tracing. OpenTelemetry is imported only if a collector is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.config import QueueSettings
from sandbox.errors import BadRequest

if TYPE_CHECKING:
    from sandbox.telemetry.tracing import Tracing


def configure_tracing(settings: QueueSettings, process: str) -> Tracing | None:
    """Return this process's tracing; None without a collector. Raises BadRequest if OpenTelemetry is not installed."""
    if not settings.otlp_endpoint:
        return None
    try:
        from sandbox.telemetry.tracing import start_tracing
    except ImportError as error:
        advice = "run pip install '.[otel]' in a checkout, or leave SANDBOX_OTLP_ENDPOINT empty"
        raise BadRequest(f"traces need OpenTelemetry ({error}): {advice}", "SANDBOX_OTLP_ENDPOINT") from error
    return start_tracing(settings.otlp_endpoint, settings.trace_ratio, process)
