"""Pass a program's output on to its partner, the program it is connected to, up to the output limit."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass, field

from sandbox.box.pipes import PIPE_BYTES, wait_for_last_writer


@dataclass
class RelayStats:
    """Statistics of a program's output to its partner: its size, its last byte, and the time of the last write."""

    size_bytes: int = 0
    last_byte: bytes = b""
    last_write_at: float = field(default_factory=time.monotonic)


class Relay:
    """Passes a program's output to its partner, as fast as the partner reads it, up to the output limit."""

    def __init__(self, source: int, target: int, limit_bytes: int, stats: RelayStats) -> None:
        self.source, self.target = source, target
        self.truncated = False
        self._limit_bytes = limit_bytes
        self._stats = stats
        self._left = b""

    def accept_chunk(self, chunk: bytes) -> None:
        """Accept a chunk of output. Anything beyond the limit is counted but not passed on."""
        self._stats.size_bytes += len(chunk)
        self._stats.last_byte, self._stats.last_write_at = chunk[-1:], time.monotonic()
        self.truncated = self.truncated or self._stats.size_bytes > self._limit_bytes
        self._left = b"" if self.truncated else chunk

    def write_some(self) -> bool:
        """Write as much as the partner's pipe accepts without blocking; return whether anything is left.

        Raises BrokenPipeError.
        """
        with suppress(BlockingIOError):
            self._left = self._left[os.write(self.target, self._left) :] if self._left else b""
        return bool(self._left)

    def forward_rest(self, deadline: float) -> None:
        """Pass the rest of the program's output to the partner.

        If the partner never reads, its own limits end this call.

        Raises BoxError if the program's output does not end before the deadline.
        """
        os.set_blocking(self.target, True)
        try:
            while self.write_some():
                pass
            while chunk := self._read_leftover(deadline):
                self.accept_chunk(chunk)
                while self.write_some():
                    pass
        except BrokenPipeError:
            pass

    def _read_leftover(self, deadline: float) -> bytes:
        """Return output that an ended program left in its pipe; empty at the end of the output."""
        while True:
            try:
                return os.read(self.source, PIPE_BYTES)
            except BlockingIOError:
                wait_for_last_writer(self.source, deadline)
