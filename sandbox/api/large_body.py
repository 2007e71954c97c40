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

_new_bytes = ctypes.pythonapi.PyBytes_FromStringAndSize
_new_bytes.argtypes, _new_bytes.restype = [ctypes.c_char_p, ctypes.c_ssize_t], ctypes.py_object
_address_of = ctypes.pythonapi.PyBytes_AsString
_address_of.argtypes, _address_of.restype = [ctypes.py_object], ctypes.c_void_p


class LargeBody(asyncio.BufferedProtocol):
    """Reads `size` bytes, of which `begun` are there already.

    `done` gets them all, `broken_off` those that came after `begun`; one of the two is called, once. Whatever else
    happens on the connection goes to `owner`.
    """

    def __init__(
        self,
        owner: asyncio.Protocol,
        size: int,
        begun: Sequence[bytes],
        done: Callable[[bytes], None],
        broken_off: Callable[[bytes], None],
    ) -> None:
        self._owner = owner
        self._done = done
        self._broken_off = broken_off
        # Memory that nobody has cleared: it is given away only when it is full.
        self._body: bytes = _new_bytes(None, size)
        self._room = memoryview((ctypes.c_char * size).from_address(_address_of(self._body))).cast("B")
        self._filled = 0
        for piece in begun:
            self._room[self._filled : self._filled + len(piece)] = piece
            self._filled += len(piece)
        self._begun = self._filled

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._room[self._filled :]

    def buffer_updated(self, number: int) -> None:
        self._filled += number
        if self._filled == len(self._room):
            self._done(self._body)

    def break_off(self) -> None:
        """Give back what came, for the owner to go on with."""
        self._broken_off(bytes(self._room[self._begun : self._filled]))

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.connection_lost(exc)

    def eof_received(self) -> bool | None:
        return self._owner.eof_received()

    def pause_writing(self) -> None:
        self._owner.pause_writing()

    def resume_writing(self) -> None:
        self._owner.resume_writing()
