"""Count how many more sessions a host can hold, by number and by memory."""

from __future__ import annotations

import os
import threading

MEMORY_OVERCOMMIT = 4  # most sessions use a small part of their limit


class Places:
    """Counts free places and memory. Thread-safe."""

    def __init__(self, count: int, memory_mb: int) -> None:
        self._free = count
        self._memory_mb = memory_mb or _read_machine_memory_mb() // 2
        self._committed_mb = 0.0
        self._changed = threading.Condition()

    def wait_for_one(self, timeout_s: float) -> bool:
        """Wait until a place is free, without taking it; return False if none becomes free in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._free > 0, timeout_s)

    def take(self, count: int) -> int:
        """Take up to `count` places without waiting, and return how many."""
        with self._changed:
            taken = min(count, self._free)
            self._free -= taken
            return taken

    def release(self, count: int = 1) -> None:
        with self._changed:
            self._free += count
            self._changed.notify_all()

    def commit_memory(self, memory_mb: int) -> bool:
        """Reserve memory for a session and its forks. Return False if it does not fit.

        The first session of a host always fits.
        """
        share = memory_mb / MEMORY_OVERCOMMIT
        with self._changed:
            if self._committed_mb and self._committed_mb + share > self._memory_mb:
                return False
            self._committed_mb += share
            return True

    def free_memory(self, memory_mb: int) -> None:
        with self._changed:
            self._committed_mb = max(0.0, self._committed_mb - memory_mb / MEMORY_OVERCOMMIT)


def _read_machine_memory_mb() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
