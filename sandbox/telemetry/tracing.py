"""Traces: the path of a submission from the request through queue, box and judge, as OpenTelemetry spans.

Theory of operation. This module is imported only if an exporter is configured. The API creates its span while it serves
the request, and the span's traceparent travels with the submission through Redis. The worker creates its spans once the
item has its result, from the times in the item's trace. Tracing therefore never delays a program, and boxes know
nothing about it. A thread exports the spans in batches
(https://opentelemetry.io/docs/specs/otel/trace/sdk/#batching-processor).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from socket import gethostname
from types import MappingProxyType

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox import __version__
from sandbox.queue.lifecycle import ItemTrace, LifecycleObserver
from sandbox.request_context import CURRENT_REQUEST_IDS

UNTRACED_PATHS = ("/health", "/metrics", "/live", "/web", "/guide", "/docs")
_PROPAGATOR = TraceContextTextMapPropagator()
NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})
_UNSAMPLED_SUFFIX = "-00"  # the end of the traceparent of a trace that is not recorded


@dataclass(frozen=True, slots=True)
class Tracing:
    """A tracer, and a function that exports its remaining spans."""

    tracer: Tracer
    close: Callable[[], None]

    def wrap_application(self, app: ASGIApp) -> TracingMiddleware:
        return TracingMiddleware(app, self.tracer)

    @property
    def span_writer(self) -> ItemSpanWriter:
        return ItemSpanWriter(self.tracer)


def start_tracing(endpoint: str, ratio: float, process: str) -> Tracing:
    """Export spans to an OTLP/HTTP collector, such as `http://127.0.0.1:4318`. Samples `ratio` of new traces."""
    resource = Resource.create(
        {"service.name": f"sandbox-{process}", "service.version": __version__, "host.name": gethostname()}
    )
    provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(ratio)), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")))
    return Tracing(provider.get_tracer("sandbox", __version__), provider.shutdown)


class TracingMiddleware:
    """ASGI middleware that creates a span per request, as a child of the client's span if it sent a traceparent."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(UNTRACED_PATHS):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        with self._tracer.start_as_current_span(
            scope["method"], context=_PROPAGATOR.extract(headers), kind=SpanKind.SERVER
        ) as span:
            request_ids = CURRENT_REQUEST_IDS.get()
            token = CURRENT_REQUEST_IDS.set(replace(request_ids, traceparent=_format_traceparent(span)))

            async def send_and_record_status(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            try:
                await self._app(scope, receive, send_and_record_status)
            finally:
                CURRENT_REQUEST_IDS.reset(token)
                route = getattr(scope.get("route"), "path", "")
                span.update_name(f"{scope['method']} {route}".strip())
                span.set_attributes(
                    {
                        "http.request.method": scope["method"],
                        "http.route": route,
                        "sandbox.request": request_ids.request_id,
                    }
                )


class ItemSpanWriter(LifecycleObserver):
    """Creates the spans of an item: queue, item and, inside the item, box, runs and judging."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def record_finished(self, trace: ItemTrace) -> None:
        traceparent = trace.item.trace
        if not traceparent or traceparent.endswith(_UNSAMPLED_SUFFIX):
            return
        parent = _PROPAGATOR.extract({"traceparent": traceparent})
        queued = {"sandbox.lane": trace.lane}
        self._write_span("queue", parent, trace.item.submitted_at, trace.started_at, queued, SpanKind.CONSUMER)
        item = self._write_span(trace.kind, parent, trace.started_at, trace.ended_at, _build_attributes(trace))
        self._write_phases(trace, set_span_in_context(item, parent))

    def _write_phases(self, item_trace: ItemTrace, context: Context) -> None:
        """Write the phases. The time between a run and the next phase, or the end, is judging."""
        until, ran = 0.0, False
        for phase, from_s, until_s in sorted(item_trace.phases, key=lambda one: one[1]):
            if ran and from_s > until:
                self._write_span("judge", context, item_trace.started_at + until, item_trace.started_at + from_s)
            name = "box" if phase == "box" else f"box {phase}"
            self._write_span(name, context, item_trace.started_at + from_s, item_trace.started_at + until_s)
            until, ran = max(until, until_s), phase == "run"
        if ran and item_trace.took_s > until:
            self._write_span("judge", context, item_trace.started_at + until, item_trace.ended_at)

    def _write_span(
        self,
        name: str,
        context: Context,
        began: float,
        ended: float,
        attributes: Mapping[str, str] = NO_ATTRIBUTES,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> Span:
        """Write a finished span. Times are seconds since the epoch."""
        span = self._tracer.start_span(name, context, kind, dict(attributes), start_time=int(began * 1e9))
        if attributes.get("sandbox.verdict") == "internal_error":
            span.set_status(Status(StatusCode.ERROR))
        span.end(int(ended * 1e9))
        return span


def _build_attributes(item_trace: ItemTrace) -> dict[str, str]:
    item = item_trace.item
    return {
        "sandbox.submission": item.submission,
        "sandbox.item": item.id,
        "sandbox.request": item.request,
        "sandbox.key": item.client,
        "sandbox.language": item_trace.language,
        "sandbox.verdict": item_trace.verdict,
    }


def _format_traceparent(span: Span) -> str:
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, set_span_in_context(span))
    return carrier.get("traceparent", "")
