"""Stop what runs in a slot, from another thread of its worker."""

from __future__ import annotations

import os
import weakref
from contextlib import suppress

from sandbox.errors import Cancelled


class StopSignal:
    """Set by one thread, polled as a descriptor by those that wait for a run. Stays set until it is cleared."""

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
        """Raise Cancelled when set."""
        if self.is_set:
            raise Cancelled("cancelled while it ran")
