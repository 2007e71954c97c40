"""Receive a large body from the socket into the buffer where it will be parsed, without copying it in between.

Theory of operation. uvicorn receives a body in pieces of 64 to 250 KB and copies each piece three times: out of the
event loop's buffer, out of the parser, and into the complete body. Instead, once the application asks for a body of
known length, the connection switches to this protocol, and the kernel writes into the buffer that will be parsed. At
the end of the body, or after a second if it arrives slowly, the connection gets its old protocol back.
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
    """Reads a body of `size` bytes whose first bytes, `received`, have already arrived.

    Calls exactly one callback, once: `on_complete` with the whole body, or `on_interrupted` with the bytes that came
    after `received`. Passes all other events of the connection to `owner`.
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
        # This memory is uninitialized, so it is passed on only once it is full.
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
        """Hand the bytes received so far to the owner, which reads the rest of the body."""
        self._on_interrupted(bytes(self._buffer[self._received_bytes : self._filled_bytes]))

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.connection_lost(exc)

    def eof_received(self) -> bool | None:
        return self._owner.eof_received()

    def pause_writing(self) -> None:
        self._owner.pause_writing()

    def resume_writing(self) -> None:
        self._owner.resume_writing()
