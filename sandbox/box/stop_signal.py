"""Stop the current run of a slot from another thread of its worker."""

from __future__ import annotations

import os
import weakref
from contextlib import suppress

from sandbox.errors import Cancelled


class StopSignal:
    """A flag that one thread sets and waiting threads poll as a descriptor. It stays set until it is cleared."""

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        weakref.finalize(self, os.close, self._descriptor)
        self.is_set = False

    def fileno(self) -> int:
        return self._descriptor

    def set(self) -> None:
        self.is_set = True
        os.eventfd_write(self._descriptor, 1)

    def clear(self) -> None:
        if self.is_set:
            self.is_set = False
            with suppress(BlockingIOError):
                os.eventfd_read(self._descriptor)

    def raise_if_set(self) -> None:
        """Raise Cancelled if the signal is set."""
        if self.is_set:
            raise Cancelled("cancelled while it ran")
