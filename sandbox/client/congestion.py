"""Congestion control: limits how many items a client has in flight.

Like TCP, the limit follows additive increase, multiplicative decrease (Chiu and Jain 1989). It grows while the service
keeps up. It halves when the service refuses a request (503, 429) or when items wait long in the queue of the service,
because sending them earlier gained nothing.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

INITIAL_LIMIT = 1_024
MIN_LIMIT = 1
MAX_LIMIT = 65_536
LIMIT_INCREASE = 64
LONG_QUEUE_TIME_S = 5.0
MIN_DECREASE_INTERVAL_S = 0.5


class CongestionWindow:
    """The limit of items in flight. Not thread-safe: its gate does the locking."""

    def __init__(self, limit: float = INITIAL_LIMIT, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self.in_flight = 0
        self._clock = clock
        self._decreased_at = float("-inf")

    def has_room(self, items: int) -> bool:
        """Return whether this many more items may be in flight. If none are, a request of any size may be sent."""
        return not self.in_flight or self.in_flight + items <= self.limit

    def record_answer(self, items: int, queue_time_s: float) -> None:
        """Record the results of items that waited at most `queue_time_s` in the queue of the service."""
        if queue_time_s > LONG_QUEUE_TIME_S:
            self.record_refusal()
        else:  # the answers to one full window add `LIMIT_INCREASE`
            self.limit = min(MAX_LIMIT, self.limit + LIMIT_INCREASE * items / self.limit)

    def record_refusal(self) -> None:
        """Halve the limit, unless it was just halved: a refusal of an earlier request is no new evidence."""
        now = self._clock()
        if now - self._decreased_at >= MIN_DECREASE_INTERVAL_S:
            self._decreased_at = now
            self.limit = max(MIN_LIMIT, self.limit / 2)


class Gate:
    """A congestion window for threads."""

    def __init__(self) -> None:
        self.window = CongestionWindow()
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, items: int) -> Iterator[None]:
        """Wait until there is room for the items, and hold it until the context exits."""
        with self._changed:
            self._changed.wait_for(lambda: not items or self.window.has_room(items))
            self.window.in_flight += items
        try:
            yield
        finally:
            with self._changed:
                self.window.in_flight -= items
                self._changed.notify_all()

    def record_answer(self, items: int, queue_time_s: float) -> None:
        with self._changed:
            self.window.record_answer(items, queue_time_s)

    def record_refusal(self) -> None:
        with self._changed:
            self.window.record_refusal()


class AsyncGate:
    """A congestion window for the tasks of one event loop."""

    def __init__(self) -> None:
        self.window = CongestionWindow()
        self._waiters: list[asyncio.Future[None]] = []

    @asynccontextmanager
    async def reserve(self, items: int) -> AsyncIterator[None]:
        """Wait until there is room for the items, and hold it until the context exits."""
        while items and not self.window.has_room(items):
            turn = asyncio.get_running_loop().create_future()
            self._waiters.append(turn)
            await turn
        self.window.in_flight += items
        try:
            yield
        finally:
            self.window.in_flight -= items
            waiting, self._waiters = self._waiters, []
            for turn in waiting:
                if not turn.done():
                    turn.set_result(None)

    def record_answer(self, items: int, queue_time_s: float) -> None:
        self.window.record_answer(items, queue_time_s)

    def record_refusal(self) -> None:
        self.window.record_refusal()
