"""How much a client has under way: more while the service keeps up, half of it when the service says no.

Additive increase, multiplicative decrease (Chiu and Jain 1989), as TCP does it. What counts as too much is a refusal
(503, 429), or items that had to wait long in the service's queue: sending those earlier won nothing.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sized
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

Item = TypeVar("Item")

INITIAL_LIMIT = 1_024
MIN_LIMIT = 1
MAX_LIMIT = 65_536
LIMIT_INCREASE = 64
LONG_QUEUE_TIME_S = 5.0
MIN_DECREASE_INTERVAL_S = 0.5
MAX_BATCH_ITEMS = 1_000
MAX_BATCH_BYTES = 32 << 20
LINGER_S = 0.02


class CongestionWindow:
    """How many items may be under way. Not thread-safe; whoever owns it is."""

    def __init__(self, limit: float = INITIAL_LIMIT, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self.in_flight = 0
        self._clock = clock
        self._decreased_at = float("-inf")

    def has_room(self, items: int) -> bool:
        """One request may always go, however large it is."""
        return not self.in_flight or self.in_flight + items <= self.limit

    def record_answer(self, items: int, queue_time_s: float) -> None:
        """So many items have their results, and waited at most so long in the service's queue."""
        if queue_time_s > LONG_QUEUE_TIME_S:
            self.record_refusal()
        else:  # a whole window's worth of answers makes it one step wider
            self.limit = min(MAX_LIMIT, self.limit + LIMIT_INCREASE * items / self.limit)

    def record_refusal(self) -> None:
        """Too much is under way. What was sent before the last decrease tells nothing new."""
        now = self._clock()
        if now - self._decreased_at >= MIN_DECREASE_INTERVAL_S:
            self._decreased_at = now
            self.limit = max(MIN_LIMIT, self.limit / 2)


class Gate:
    """A window that threads wait before."""

    def __init__(self) -> None:
        self.window = CongestionWindow()
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, items: int) -> Iterator[None]:
        """Room for so many items, as long as the context lasts."""
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
    """A window that tasks of one event loop wait before."""

    def __init__(self) -> None:
        self.window = CongestionWindow()
        self._waiters: list[asyncio.Future[None]] = []

    @asynccontextmanager
    async def reserve(self, items: int) -> AsyncIterator[None]:
        """Room for so many items, as long as the context lasts."""
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


def count_items(items: object) -> int | None:
    """How many there are, where that is known."""
    return len(items) if isinstance(items, Sized) else None


def split_into_batches(
    items: Iterable[Item], encode: Callable[[Item], bytes], max_items: Callable[[], float]
) -> Iterator[dict[int, bytes]]:
    """Items by index, so many at a time as the window lets through; read no further than that."""
    batch: dict[int, bytes] = {}
    size = 0
    for index, item in enumerate(items):
        data = encode(item)
        if batch and size + len(data) > MAX_BATCH_BYTES:
            yield batch
            batch, size = {}, 0
        batch[index] = data
        size += len(data)
        if len(batch) >= min(MAX_BATCH_ITEMS, max_items()):
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch


async def split_async_into_batches(
    items: AsyncIterable[Item], encode: Callable[[Item], bytes], max_items: Callable[[], float]
) -> AsyncIterator[dict[int, bytes]]:
    """The same for items that are made one by one: none waits longer than a moment for others to go with it."""
    source = enumerate_async(items)
    next_item: asyncio.Future[tuple[int, Item]] | None = None
    batch: dict[int, bytes] = {}
    try:
        while True:
            next_item = next_item or asyncio.ensure_future(anext(source))
            await asyncio.wait([next_item], timeout=LINGER_S if batch else None)
            if next_item.done():
                try:
                    index, item = next_item.result()
                except StopAsyncIteration:
                    break
                next_item = None
                batch[index] = encode(item)
                if len(batch) < min(MAX_BATCH_ITEMS, max_items()) and sum(map(len, batch.values())) < MAX_BATCH_BYTES:
                    continue
            yield batch
            batch = {}
        if batch:
            yield batch
    finally:
        if next_item is not None:
            next_item.cancel()


async def enumerate_async(items: AsyncIterable[Item]) -> AsyncIterator[tuple[int, Item]]:
    index = 0
    async for item in items:
        yield index, item
        index += 1
