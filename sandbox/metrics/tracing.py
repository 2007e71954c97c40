"""Traces: one submission's way from the request through the queue to the box and the judge, as OpenTelemetry spans.

Theory of operation. Nothing here is imported unless an exporter is configured. The API's span is made while the request
is served, its traceparent goes with the submission through Redis, and the worker makes its spans when the item has its
result, out of the journey's times: so a program's way is never held up by tracing, and a box needs to know nothing of
it. Spans leave in batches by a thread (https://opentelemetry.io/docs/specs/otel/trace/sdk/#batching-processor).
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
from sandbox.jobs.journal import Journey
from sandbox.origin import ORIGIN

UNTRACED = ("/health", "/metrics", "/live", "/web", "/guide", "/docs")
_PROPAGATOR = TraceContextTextMapPropagator()
NOTHING: Mapping[str, str] = MappingProxyType({})
_UNSAMPLED = "-00"  # how the traceparent of a trace that nobody records ends


@dataclass(frozen=True, slots=True)
class Tracing:
    """A tracer, and how to send off what it still holds."""

    tracer: Tracer
    close: Callable[[], None]

    def application(self, app: ASGIApp) -> TracedApplication:
        return TracedApplication(app, self.tracer)

    @property
    def journeys(self) -> TracedJourneys:
        return TracedJourneys(self.tracer)


def start_tracing(endpoint: str, ratio: float, process: str) -> Tracing:
    """Export to an OTLP/HTTP collector, such as `http://127.0.0.1:4318`; `ratio` of the traces that begin here."""
    resource = Resource.create(
        {"service.name": f"sandbox-{process}", "service.version": __version__, "host.name": gethostname()}
    )
    provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(ratio)), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")))
    return Tracing(provider.get_tracer("sandbox", __version__), provider.shutdown)


class TracedApplication:
    """ASGI middleware: a span for each request, a child of the client's where it sent a traceparent."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(UNTRACED):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        with self._tracer.start_as_current_span(
            scope["method"], context=_PROPAGATOR.extract(headers), kind=SpanKind.SERVER
        ) as span:
            origin = ORIGIN.get()
            token = ORIGIN.set(replace(origin, trace=_traceparent(span)))

            async def watched_send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            try:
                await self._app(scope, receive, watched_send)
            finally:
                ORIGIN.reset(token)
                route = getattr(scope.get("route"), "path", "")
                span.update_name(f"{scope['method']} {route}".strip())
                span.set_attributes(
                    {"http.request.method": scope["method"], "http.route": route, "sandbox.request": origin.request}
                )


class TracedJourneys:
    """Makes the spans of a journey: the queue, the item, and in it the box, its runs and the judging between them."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def __call__(self, journey: Journey) -> None:
        trace = journey.item.trace
        if not trace or trace.endswith(_UNSAMPLED):
            return
        above = _PROPAGATOR.extract({"traceparent": trace})
        queued = {"sandbox.lane": journey.lane}
        self._span("queue", above, journey.item.submitted_at, journey.began, queued, SpanKind.CONSUMER)
        item = self._span(journey.kind, above, journey.began, journey.ended, _told(journey))
        self._stages(journey, set_span_in_context(item, above))

    def _stages(self, journey: Journey, context: Context) -> None:
        """What follows a run, until the next or the end, is judging."""
        until, ran = 0.0, False
        for stage, from_s, until_s in sorted(journey.stages, key=lambda one: one[1]):
            if ran and from_s > until:
                self._span("judge", context, journey.began + until, journey.began + from_s)
            name = "box" if stage == "box" else f"box {stage}"
            self._span(name, context, journey.began + from_s, journey.began + until_s)
            until, ran = max(until, until_s), stage == "run"
        if ran and journey.took_s > until:
            self._span("judge", context, journey.began + until, journey.ended)

    def _span(
        self,
        name: str,
        context: Context,
        began: float,
        ended: float,
        told: Mapping[str, str] = NOTHING,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> Span:
        """One that is over; times are seconds since the epoch."""
        span = self._tracer.start_span(name, context, kind, dict(told), start_time=int(began * 1e9))
        if told.get("sandbox.verdict") == "internal_error":
            span.set_status(Status(StatusCode.ERROR))
        span.end(int(ended * 1e9))
        return span


def _told(journey: Journey) -> dict[str, str]:
    item = journey.item
    return {
        "sandbox.submission": item.submission,
        "sandbox.item": item.id,
        "sandbox.request": item.request,
        "sandbox.key": item.client,
        "sandbox.language": journey.language,
        "sandbox.verdict": journey.verdict,
    }


def _traceparent(span: Span) -> str:
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, set_span_in_context(span))
    return carrier.get("traceparent", "")
