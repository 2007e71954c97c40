"""Forward the output in one pipe of a branch immediately, up to a limit per call. Discard the rest.

A small write is forwarded immediately. After each event the supervisor leaves the pipe unread for a moment, so that a
program that prints line by line causes a few large events instead of thousands of small ones. Output between calls
belongs to the next call.
"""

from __future__ import annotations

import array
import fcntl
import os
import termios
from collections.abc import Callable

from sandbox.runner.session.reactor import Reactor

READ_BYTES = 65_536
REST_S = 0.004
MAX_HELD_BYTES = 65_536  # of output between calls
RUNAWAY_BYTES = 256 << 20  # a call that prints more is stopped


class OutputStream:
    """Reads one pipe. `emit` receives the output of a call; `runaway` is called once if the output seems endless."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._descriptor, self.write_end = os.pipe()
        os.set_blocking(self._descriptor, False)
        self._emit: Callable[[bytes], bool] | None = None
        self._runaway: Callable[[], None] | None = None
        self._held = b""
        self._left = self._total = 0
        self.truncated = False
        self._reactor.add_reader(self._descriptor, self._read)

    def begin(self, limit_bytes: int, emit: Callable[[bytes], bool], runaway: Callable[[], None]) -> None:
        """Begin a call. `emit` returns False if the worker cannot accept more output at the moment."""
        self._left, self._total, self.truncated = limit_bytes, 0, False
        self._emit, self._runaway = emit, runaway
        held, self._held = self._held, b""
        self._forward(held)

    def end(self) -> None:
        """Forward everything that the call has written, and end the call."""
        if self._descriptor >= 0:
            waiting = array.array("i", [0])
            fcntl.ioctl(self._descriptor, termios.FIONREAD, waiting)
            while waiting[0] > 0 and (content := self._read_pipe()):
                waiting[0] -= len(content)
                self._forward(content)
        self._emit = self._runaway = None

    def drain(self) -> None:
        """Forward everything that the call has written so far."""
        emit, runaway = self._emit, self._runaway
        self.end()
        self._emit, self._runaway = emit, runaway

    def close(self) -> None:
        self.close_write_end()
        if self._descriptor >= 0:
            self._reactor.cancel_timer(self)
            self._reactor.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def close_write_end(self) -> None:
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    def _read(self) -> None:
        content = self._read_pipe()
        if content is None:
            return
        if not content:
            self.close()
        elif not self._forward(content):
            self._rest()

    def _rest(self) -> None:
        self._reactor.remove_reader(self._descriptor)
        self._reactor.set_timer(self, REST_S, self._resume)

    def _resume(self) -> None:
        if self._descriptor >= 0:
            self._reactor.add_reader(self._descriptor, self._read)

    def _read_pipe(self) -> bytes | None:
        try:
            return os.read(self._descriptor, READ_BYTES)
        except BlockingIOError:
            return None

    def _forward(self, content: bytes) -> bool:
        """Forward output; return whether the pipe may be read again immediately."""
        if self._emit is None:
            self._held = (self._held + content)[:MAX_HELD_BYTES]
            return True
        self._total += len(content)
        if self._total > RUNAWAY_BYTES and self._runaway is not None:
            runaway, self._runaway = self._runaway, None
            runaway()
        kept = content[: self._left]
        self._left -= len(kept)
        self.truncated = self.truncated or len(kept) < len(content)
        if not kept:
            return True
        self._emit(kept)
        return False

    def take_held(self) -> bytes:
        """Read everything that is in the pipe; remove and return the output that belongs to no call."""
        self.drain()
        held, self._held = self._held, b""
        return held
