"""The receiver of webhooks: a real HTTP server that records its requests and sends configurable responses."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.http_servers import serve_http

TIMEOUT_S = 60.0


@dataclass
class ReceivedRequest:
    """One recorded request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    received_at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """The requests received so far, and the responses to send.

    `choose_reply` returns the status and headers for each request. While `hold` is set, responses are delayed.
    """

    url: str = ""
    requests: list[ReceivedRequest] = field(default_factory=list)
    choose_reply: Callable[[ReceivedRequest], tuple[int, dict[str, str]]] = lambda received: (204, {})
    hold: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def wait(self, number: int) -> list[ReceivedRequest]:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.requests) >= number, TIMEOUT_S), self.requests
            return list(self.requests)

    def receive(self, received: ReceivedRequest) -> tuple[int, dict[str, str]]:
        with self.arrived:
            self.requests.append(received)
            self.arrived.notify_all()
        answer = self.choose_reply(received)
        while self.hold.is_set():
            time.sleep(0.01)
        return answer


@contextmanager
def run_receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more = receiver.receive(ReceivedRequest(self.command, self.path, headers, body, time.monotonic()))
            try:
                self.send_response(status)
                for name, value in {"Content-Length": "0", **more}.items():
                    self.send_header(name, value)
                self.end_headers()
            except OSError:  # the client has disconnected
                self.close_connection = True

        do_PUT = do_POST  # noqa: N815 -- the server's own way of naming methods

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with serve_http(server) as receiver.url:
        try:
            yield receiver
        finally:
            receiver.hold.clear()
