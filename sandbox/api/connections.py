"""How long, and how much, a connection may take to say what it wants.

uvicorn closes a connection that is idle between requests, and waits for ever for the first request's headers, of any
length. A body's time and size are bounded where it is read (`bodies`).
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 << 10
HANDED_ON_BYTES = 1 << 20
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol, whose patience and memory for headers have an end.

    A body goes on to the application by the megabyte: it comes in pieces of 64 KB or so, and handing each of them on
    costs as much as copying many.
    """

    header_timeout_s = 20.0
    _timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._pieces: list[bytes] = []
        self._pieces_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._timer = self.loop.call_later(self.header_timeout_s, self._close, b"")

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._close(_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._stop_timer()
        self._in_head = True
        self._timer = self.loop.call_later(self.header_timeout_s, self._close, _TOO_SLOW)

    def on_headers_complete(self) -> None:
        self._stop_timer()
        self._in_head, self._head_bytes = False, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)
        self._pieces_bytes += len(body)
        if self._pieces_bytes >= HANDED_ON_BYTES:
            self._hand_on()

    def on_message_complete(self) -> None:
        self._hand_on()
        super().on_message_complete()

    def _hand_on(self) -> None:
        if self._pieces:
            body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            self._pieces, self._pieces_bytes = [], 0
            super().on_body(body)

    def shutdown(self) -> None:
        """A stream of events has no end of its own to wait for; its client comes back to whoever serves then."""
        scope = getattr(self.cycle, "scope", {"path": ""})  # there is no cycle before the first request
        if scope["path"].endswith("/events"):
            self.transport.close()
        super().shutdown()

    def _close(self, words: bytes) -> None:
        self._stop_timer()
        if not self.transport.is_closing():
            self.transport.write(words)
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def patient(header_timeout_s: float) -> type[PatientProtocol]:
    """The protocol class with this patience, as uvicorn wants it."""
    return type("PatientProtocol", (PatientProtocol,), {"header_timeout_s": header_timeout_s})


def allow_many_connections() -> None:
    """As many open files as this process may have: the usual first limit, 1024, is less than a crowd of clients."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
