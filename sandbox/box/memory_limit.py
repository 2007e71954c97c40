"""The memory limit of a box, which is adjusted to the limit of each program that runs in it."""

from __future__ import annotations

from sandbox.box.connection import Connection
from sandbox.box.engine import BoxHandle
from sandbox.runner import messages
from sandbox.runner.messages import SettleRequest

WARMING_MEMORY_MB = 1_024
_NO_LIMIT_SET = -1


class MemoryLimit:
    """Sets the memory limit of a box. This takes time, so it happens only if the next run needs a different limit."""

    def __init__(self, handle: BoxHandle, connection: Connection) -> None:
        self._handle = handle
        self._connection = connection
        self._memory_mb = _NO_LIMIT_SET

    def set(self, memory_mb: int, forget_program: bool) -> None:
        """Limit the programs in the box to `memory_mb` MiB. Raises BoxError.

        With `forget_program`, a lower limit also removes the program that the supervisor has loaded.
        """
        if memory_mb == self._memory_mb:
            return
        if memory_mb < self._memory_mb:
            # Wait until the last run's files are gone: the kernel refuses a limit below the current usage.
            self._connection.request(SettleRequest(forget_program)._asdict(), messages.SETTLED)
        self._handle.limit_memory(memory_mb)
        self._memory_mb = memory_mb

    def raise_for_warming(self) -> None:
        """Raise the limit so that another interpreter fits in the box. Call `count_interpreter` once it has started."""
        self.set(max(self._memory_mb, WARMING_MEMORY_MB), forget_program=False)

    def count_interpreter(self) -> None:
        """Treat the box's current usage as its own memory. The limits of programs apply on top of it."""
        self._handle.measure_own_memory()
        self._memory_mb = _NO_LIMIT_SET
