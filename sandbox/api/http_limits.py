"""Limits on the time and memory that a connection may take to send its requests.

uvicorn closes connections that are idle between requests, but waits forever for the headers of the first request and
does not limit their length. `request_parsing` limits the time and size of bodies.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sandbox.api.large_body_protocol import LargeBodyProtocol
from sandbox.api.request_parsing import LARGE_BODY_BYTES

MAX_HEAD_BYTES = 64 << 10
FORWARD_BYTES = 1 << 20  # for a body of unknown length
FORWARD_INTERVAL_S = 1.0
# A refused client may keep sending for this long, and this much. If it is cut off at once, it never sees the response.
DRAIN_TIMEOUT_S = 0.5
MAX_DRAIN_BYTES = 8 << 20
_HEADERS_TOO_LARGE_RESPONSE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)
_REQUEST_TIMEOUT_RESPONSE = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class TimeoutProtocol(HttpToolsProtocol):
    """uvicorn's protocol with limits on the time and size of headers.

    It passes a body to the application in one piece or, if the body arrives slowly, in one piece per second. The
    network delivers pieces of about 64 KB, and passing on each of them would copy it three more times. Until the
    application asks for the body, only the first pieces are read. After that, a large body is read without any copy
    (`large_body_protocol`).
    """

    header_timeout_s = 20.0
    _timer: asyncio.TimerHandle | None = None
    _in_head = True  # or before a head
    _heads_read = 0
    _head_bytes = 0
    _framing_bytes = 0  # since the last piece of a body: chunk framing and trailers
    _drained_bytes = -1  # bytes that a refused client has sent since; -1: not refused

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._pieces: list[bytes] = []
        self._pieces_bytes = 0
        self._forward_threshold_bytes = FORWARD_BYTES
        self._body_requested = False
        self._forwarded_at = 0.0
        self._is_large = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._timer = self.loop.call_later(self.header_timeout_s, self._close, b"")

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._drained_bytes >= 0:
            self._discard(data)
            return
        is_wanted = self._body_requested
        while self._in_head and self._head_bytes + len(data) > MAX_HEAD_BYTES:
            room = MAX_HEAD_BYTES - self._head_bytes
            if not room:
                self._reject(_HEADERS_TOO_LARGE_RESPONSE)
                return
            head, data = data[:room], data[room:]
            self._parse(head)
            if self.transport.is_closing() or self._drained_bytes >= 0:
                return
        if data:
            self._parse(data)
        if is_wanted and self._is_large and self._pieces:
            self._start_direct_read()

    def _parse(self, data: bytes) -> None:
        """Pass data to the parser, and count the bytes that belong neither to a body nor to a complete head."""
        was_in_head, heads = self._in_head, self._heads_read
        self._framing_bytes += len(data)
        super().data_received(data)
        if self._in_head and was_in_head and self._heads_read == heads:
            self._head_bytes += len(data)
        if self._in_head:
            self._framing_bytes = 0
        if self._framing_bytes > MAX_HEAD_BYTES:
            self._reject(_HEADERS_TOO_LARGE_RESPONSE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._stop_timer()
        self._timer = self.loop.call_later(self.header_timeout_s, self._close, _REQUEST_TIMEOUT_RESPONSE)

    def on_headers_complete(self) -> None:
        self._stop_timer()
        self._in_head, self._head_bytes = False, 0
        self._heads_read += 1
        declared = next((value for name, value in self.headers if name == b"content-length"), b"")
        self._forward_threshold_bytes = int(declared) if declared.isdigit() else FORWARD_BYTES
        chunked = any(name == b"transfer-encoding" for name, _ in self.headers)
        self._is_large = declared.isdigit() and not chunked and self._forward_threshold_bytes >= LARGE_BODY_BYTES
        self._body_requested, self._forwarded_at = False, self.loop.time()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._framing_bytes = 0
        if self.cycle.response_complete:
            self._pieces, self._pieces_bytes = [], 0
            return
        self._pieces.append(body)
        self._pieces_bytes += len(body)
        if (
            self._pieces_bytes >= self._forward_threshold_bytes
            or self.loop.time() - self._forwarded_at > FORWARD_INTERVAL_S
        ):
            self._forward_body()
        elif not self._body_requested and self._pieces_bytes > HIGH_WATER_LIMIT:
            # Wake the application: it finds no data yet, and by asking again it resumes reading.
            self._body_requested = True
            self.flow.pause_reading()
            self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        self._in_head = True
        self._forward_body()
        super().on_message_complete()

    def _start_direct_read(self) -> None:
        """Switch to reading the rest of this body directly into its buffer."""
        if self.transport.is_closing() or self.cycle.response_complete or self.pipeline:
            return
        size = self._forward_threshold_bytes
        self._is_large = False
        body = LargeBodyProtocol(self, size, self._pieces, self._finish_direct_read, self._abandon_direct_read)
        self._timer = self.loop.call_later(FORWARD_INTERVAL_S, body.interrupt)
        self._switch_protocol(body)

    def _finish_direct_read(self, body: bytes) -> None:
        self._restore_protocol()
        # The old parser is still in the middle of the body; a new one needs nothing of its state.
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        # A body that nobody will read must not stop this connection from reading on.
        self._pieces = [] if self.cycle.response_complete else [body]
        self.on_message_complete()

    def _abandon_direct_read(self, unread: bytes) -> None:
        self._restore_protocol()
        if unread:
            self.data_received(unread)

    def _restore_protocol(self) -> None:
        self._stop_timer()
        if not self.transport.is_closing():
            self._switch_protocol(self)

    def _switch_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Change the transport's protocol. uvloop checks the type of its protocol only when it starts to read."""
        self.transport.pause_reading()
        self.transport.set_protocol(protocol)
        self.transport.resume_reading()

    def _forward_body(self) -> None:
        if not self._pieces:
            return
        self._is_large = False  # the rest of it is not large
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces, self._pieces_bytes = [], 0
        self._forwarded_at = self.loop.time()
        if self.cycle.body:
            super().on_body(body)
            return
        self.cycle.body = body  # type: ignore[assignment] # assigned instead of copied into the bytearray and out again
        if len(body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        self.cycle.message_event.set()

    def shutdown(self) -> None:
        """Close event streams, which never end by themselves. Their clients reconnect to the next process."""
        scope = getattr(self.cycle, "scope", {"path": ""})  # there is no cycle before the first request
        if scope["path"].endswith("/events"):
            self.transport.close()
        super().shutdown()

    def _reject(self, response: bytes) -> None:
        """Respond, then keep reading for a moment: closing at once resets the connection and loses the response."""
        self._stop_timer()
        if self.transport.is_closing():
            return
        self._drained_bytes = 0
        self.pipeline.clear()
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(response)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self._timer = self.loop.call_later(DRAIN_TIMEOUT_S, self.transport.close)

    def _discard(self, data: bytes) -> None:
        self._drained_bytes += len(data)
        if self._drained_bytes > MAX_DRAIN_BYTES:
            self.transport.close()

    def _close(self, response: bytes) -> None:
        self._stop_timer()
        if not self.transport.is_closing():
            self.transport.write(response)
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def build_timeout_protocol(header_timeout_s: float) -> type[TimeoutProtocol]:
    """Return a protocol class with this timeout: uvicorn expects a class and passes it no timeout."""
    return type("TimeoutProtocol", (TimeoutProtocol,), {"header_timeout_s": header_timeout_s})


def raise_open_file_limit() -> None:
    """Raise the limit of open files to its maximum: the usual default of 1024 is too low for many clients."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
