"""Whether traces are made: only where a collector is configured is OpenTelemetry imported at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.config import QueueSettings
from sandbox.errors import BadRequest

if TYPE_CHECKING:
    from sandbox.telemetry.tracing import Tracing


def configure_tracing(settings: QueueSettings, process: str) -> Tracing | None:
    """The tracing of this process, None without a collector. Raises BadRequest where the packages are missing."""
    if not settings.otlp_endpoint:
        return None
    try:
        from sandbox.telemetry.tracing import start_tracing
    except ImportError as error:
        advice = "run pip install '.[otel]' in a checkout, or leave SANDBOX_OTLP_ENDPOINT empty"
        raise BadRequest(f"traces need OpenTelemetry ({error}): {advice}", "SANDBOX_OTLP_ENDPOINT") from error
    return start_tracing(settings.otlp_endpoint, settings.trace_ratio, process)
