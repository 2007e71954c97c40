"""An OpenTelemetry collector: takes spans over OTLP/HTTP as any real one does, and keeps them."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Received:
    """One span; times in nanoseconds since the epoch."""

    name: str
    service: str
    trace: str
    id: str
    parent: str
    began: int
    ended: int
    told: dict[str, str]


@dataclass
class Collector:
    """`url` is what SANDBOX_OTLP_ENDPOINT is set to."""

    url: str = ""
    spans: list[Received] = field(default_factory=list)

    def of(self, trace: str, enough: Callable[[Sequence[Received]], bool]) -> list[Received]:
        """The spans of a trace, once there are `enough`; in the order in which they began."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = sorted((span for span in list(self.spans) if span.trace == trace), key=lambda span: span.began)
            if enough(found):
                return found
            assert time.monotonic() < deadline, [span.name for span in found]
            time.sleep(0.1)

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            service = {each.key: each.value.string_value for each in resource.resource.attributes}["service.name"]
            for scope in resource.scope_spans:
                self.spans += [
                    Received(
                        name=span.name,
                        service=service,
                        trace=span.trace_id.hex(),
                        id=span.span_id.hex(),
                        parent=span.parent_span_id.hex(),
                        began=span.start_time_unix_nano,
                        ended=span.end_time_unix_nano,
                        told={each.key: each.value.string_value for each in span.attributes},
                    )
                    for span in scope.spans
                ]


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            packed = self.headers.get("Content-Encoding") == "gzip"
            assert self.path == "/v1/traces"
            collector.take(gzip.decompress(body) if packed else body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield collector
        server.shutdown()
        thread.join()
