"""How long, and how much, a connection may take to say what it wants.

uvicorn closes a connection that is idle between requests, and waits for ever for the first request's headers, of any
length. A body's time and size are bounded where it is read (`bodies`).
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
FORWARD_BYTES = 1 << 20  # of a body of unknown length
FORWARD_INTERVAL_S = 1.0
DRAIN_TIMEOUT_S = 0.5  # how long, and how much, a client that was refused may go on sending: else it misses the answer
MAX_DRAIN_BYTES = 8 << 20
_HEADERS_TOO_LARGE_RESPONSE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)
_REQUEST_TIMEOUT_RESPONSE = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class TimeoutProtocol(HttpToolsProtocol):
    """uvicorn's protocol, whose patience and memory for headers have an end.

    A body goes on to the application whole, or as much of it as came within a second: it comes in pieces of 64 KB or
    so, and each that is handed on by itself is copied three times more. Until the application asks for the body, no
    more of it is read than the first pieces; then a large one is read without any copy (`large_body`).
    """

    header_timeout_s = 20.0
    _timer: asyncio.TimerHandle | None = None
    _in_head = True  # or before one
    _heads_read = 0
    _head_bytes = 0
    _framing_bytes = 0  # since the last piece of a body: what lies between chunks, and trailers
    _drained_bytes = -1  # what a client that was refused has sent since; -1: this one was not

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
        """Give data to the parser, and count what of it is neither body nor a whole head."""
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
            # The application is told that there is something, finds nothing yet, and by asking again lets us read on.
            self._body_requested = True
            self.flow.pause_reading()
            self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        self._in_head = True
        self._forward_body()
        super().on_message_complete()

    def _start_direct_read(self) -> None:
        """The rest of this body goes straight to its place."""
        if self.transport.is_closing() or self.cycle.response_complete or self.pipeline:
            return
        size = self._forward_threshold_bytes
        self._is_large = False
        body = LargeBodyProtocol(self, size, self._pieces, self._finish_direct_read, self._abandon_direct_read)
        self._timer = self.loop.call_later(FORWARD_INTERVAL_S, body.interrupt)
        self._switch_protocol(body)

    def _finish_direct_read(self, body: bytes) -> None:
        self._restore_protocol()
        # The parser still waits for what it has not seen; there is nothing else that it would have to remember.
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        # What nobody asks for any more would keep us from reading on.
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
        """uvloop looks at the kind of its protocol when it begins to read."""
        self.transport.pause_reading()
        self.transport.set_protocol(protocol)
        self.transport.resume_reading()

    def _forward_body(self) -> None:
        if not self._pieces:
            return
        self._is_large = False  # what is left of it is not
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces, self._pieces_bytes = [], 0
        self._forwarded_at = self.loop.time()
        if self.cycle.body:
            super().on_body(body)
            return
        self.cycle.body = body  # type: ignore[assignment] # not copied into the bytearray that it is, nor out of it again
        if len(body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        self.cycle.message_event.set()

    def shutdown(self) -> None:
        """A stream of events has no end of its own to wait for; its client comes back to whoever serves then."""
        scope = getattr(self.cycle, "scope", {"path": ""})  # there is no cycle before the first request
        if scope["path"].endswith("/events"):
            self.transport.close()
        super().shutdown()

    def _reject(self, response: bytes) -> None:
        """Answer and end, but read on for a moment: closed at once, the connection is reset and the answer is lost."""
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
    """The protocol class with this patience, as uvicorn wants it."""
    return type("PatientProtocol", (TimeoutProtocol,), {"header_timeout_s": header_timeout_s})


def raise_open_file_limit() -> None:
    """As many open files as this process may have: the usual first limit, 1024, is less than a crowd of clients."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
