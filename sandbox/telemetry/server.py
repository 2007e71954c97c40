"""Serve `/metrics` on a separate port, for hosts without an API, or for scrapers without an API key."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

from sandbox.telemetry.registry import CONTENT_TYPE, Exposition

logger = logging.getLogger(__name__)

REQUEST_TIMEOUT_S = 10.0


def build_server(
    folder: Path, host: str, port: int, refresh: Callable[[], object] | None = None
) -> ThreadingHTTPServer:
    """Return a server that answers `GET /metrics` with the metrics that this host's processes have in `folder`.

    It calls `refresh` before each response, for gauges that are set at scrape time. Raises OSError if the port is
    in use.
    """
    exposition = Exposition(folder)

    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_TIMEOUT_S

        def do_GET(self) -> None:
            found = urlsplit(self.path).path == "/metrics"
            if found and refresh is not None:
                refresh()
            body = exposition.render() if found else b"the metrics are at /metrics\n"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", CONTENT_TYPE if found else "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            logger.debug(format, *args)

    return ThreadingHTTPServer((host, port), Handler)


@contextmanager
def serve_in_background(folder: Path, host: str, port: int, refresh: Callable[[], object]) -> Iterator[None]:
    """Serve `/metrics` from a thread of this process. Raises OSError if the port is in use."""
    with _run_in_thread(build_server(folder, host, port, refresh)):
        yield


@contextmanager
def serve_host_in_background(folder: Path, host: str, port: int) -> Iterator[None]:
    """Serve a host's `/metrics` from a thread of this process. Serves nothing if `port` is 0 or in use."""
    try:
        server = build_server(folder, host, port) if port else None
    except OSError as error:
        logger.warning(
            "no metrics at port %d: %s; this is fine if another process of this host serves them", port, error
        )
        server = None
    with nullcontext() if server is None else _run_in_thread(server):
        yield


def serve(folder: Path, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT. If the port is in use, for example by other workers of this host, only wait."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    with serve_host_in_background(folder, host, port):
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


@contextmanager
def _run_in_thread(server: ThreadingHTTPServer) -> Iterator[None]:
    with server:
        thread = Thread(target=server.serve_forever, name="metrics", daemon=True)
        thread.start()
        logger.info("metrics at http://%s:%d/metrics", *server.server_address[:2])
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
