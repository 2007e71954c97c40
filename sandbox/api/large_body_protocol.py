"""A large body on its way from the socket to where it is parsed, without a copy in between.

Theory of operation. uvicorn gets a body in pieces of 64 to 250 KB, and each is copied three times before all are one:
out of the event loop's buffer, out of the parser, and into the whole. Once the application asks for a body whose length
is declared, its connection gets this protocol for the rest of it: the kernel writes where the body will be parsed. At
its end, or after a second if it is slow, the connection has its old protocol back.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable, Sequence

_allocate_bytes = ctypes.pythonapi.PyBytes_FromStringAndSize
_allocate_bytes.argtypes, _allocate_bytes.restype = [ctypes.c_char_p, ctypes.c_ssize_t], ctypes.py_object
_get_address = ctypes.pythonapi.PyBytes_AsString
_get_address.argtypes, _get_address.restype = [ctypes.py_object], ctypes.c_void_p


class LargeBodyProtocol(asyncio.BufferedProtocol):
    """Reads `size` bytes, of which `begun` are there already.

    `done` gets them all, `broken_off` those that came after `begun`; one of the two is called, once. Whatever else
    happens on the connection goes to `owner`.
    """

    def __init__(
        self,
        owner: asyncio.Protocol,
        size: int,
        received: Sequence[bytes],
        on_complete: Callable[[bytes], None],
        on_interrupted: Callable[[bytes], None],
    ) -> None:
        self._owner = owner
        self._on_complete = on_complete
        self._on_interrupted = on_interrupted
        # Memory that nobody has cleared: it is given away only when it is full.
        self._body: bytes = _allocate_bytes(None, size)
        self._buffer = memoryview((ctypes.c_char * size).from_address(_get_address(self._body))).cast("B")
        self._filled_bytes = 0
        for piece in received:
            self._buffer[self._filled_bytes : self._filled_bytes + len(piece)] = piece
            self._filled_bytes += len(piece)
        self._received_bytes = self._filled_bytes

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer[self._filled_bytes :]

    def buffer_updated(self, number: int) -> None:
        self._filled_bytes += number
        if self._filled_bytes == len(self._buffer):
            self._on_complete(self._body)

    def interrupt(self) -> None:
        """Give back what came, for the owner to go on with."""
        self._on_interrupted(bytes(self._buffer[self._received_bytes : self._filled_bytes]))

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.connection_lost(exc)

    def eof_received(self) -> bool | None:
        return self._owner.eof_received()

    def pause_writing(self) -> None:
        self._owner.pause_writing()

    def resume_writing(self) -> None:
        self._owner.resume_writing()
