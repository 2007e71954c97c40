"""An OpenTelemetry collector for tests, which receives spans over OTLP/HTTP and keeps them."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.http_servers import serve_http

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """One span. Times are nanoseconds since the epoch."""

    name: str
    service: str
    trace_id: str
    span_id: str
    parent_id: str
    started_ns: int
    ended_ns: int
    attributes: dict[str, str]


@dataclass
class Collector:
    """A collector. Set SANDBOX_OTLP_ENDPOINT to its `url`."""

    url: str = ""
    spans: list[ReceivedSpan] = field(default_factory=list)

    def wait_for_trace(
        self, trace_id: str, is_complete: Callable[[Sequence[ReceivedSpan]], bool]
    ) -> list[ReceivedSpan]:
        """Return the spans of a trace, in the order of their start, once there are `enough`."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            found = sorted(
                (span for span in list(self.spans) if span.trace_id == trace_id), key=lambda span: span.started_ns
            )
            if is_complete(found):
                return found
            assert time.monotonic() < deadline, [span.name for span in found]
            time.sleep(0.1)

    def receive(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            service = {each.key: each.value.string_value for each in resource.resource.attributes}["service.name"]
            for scope in resource.scope_spans:
                self.spans += [
                    ReceivedSpan(
                        name=span.name,
                        service=service,
                        trace_id=span.trace_id.hex(),
                        span_id=span.span_id.hex(),
                        parent_id=span.parent_span_id.hex(),
                        started_ns=span.start_time_unix_nano,
                        ended_ns=span.end_time_unix_nano,
                        attributes={each.key: each.value.string_value for each in span.attributes},
                    )
                    for span in scope.spans
                ]


@contextmanager
def run_collector() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            packed = self.headers.get("Content-Encoding") == "gzip"
            assert self.path == "/v1/traces"
            collector.receive(gzip.decompress(body) if packed else body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    with serve_http(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as collector.url:
        yield collector
