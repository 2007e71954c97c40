"""HTTP servers of the standard library that run in a thread of the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import HTTPServer

POLL_INTERVAL_S = 0.02


@contextmanager
def serve_http(server: HTTPServer) -> Iterator[str]:
    """Serve until the block ends, and yield the URL."""
    thread = threading.Thread(target=server.serve_forever, args=(POLL_INTERVAL_S,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
