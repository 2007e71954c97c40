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

FIRST_LIMIT = 1_024
LEAST_LIMIT = 1
MOST_LIMIT = 65_536
STEP = 64
LONG_QUEUE_S = 5.0
BETWEEN_DECREASES_S = 0.5
MOST_AT_ONCE = 1_000
MOST_BYTES = 32 << 20
LINGER_S = 0.02


class Window:
    """How many items may be under way. Not thread-safe; whoever owns it is."""

    def __init__(self, limit: float = FIRST_LIMIT, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self.under_way = 0
        self._clock = clock
        self._decreased_at = float("-inf")

    def has_room(self, items: int) -> bool:
        """One request may always go, however large it is."""
        return not self.under_way or self.under_way + items <= self.limit

    def answered(self, items: int, queue_time_s: float) -> None:
        """So many items have their results, and waited at most so long in the service's queue."""
        if queue_time_s > LONG_QUEUE_S:
            self.refused()
        else:  # a whole window's worth of answers makes it one step wider
            self.limit = min(MOST_LIMIT, self.limit + STEP * items / self.limit)

    def refused(self) -> None:
        """Too much is under way. What was sent before the last decrease tells nothing new."""
        now = self._clock()
        if now - self._decreased_at >= BETWEEN_DECREASES_S:
            self._decreased_at = now
            self.limit = max(LEAST_LIMIT, self.limit / 2)


class Gate:
    """A window that threads wait before."""

    def __init__(self) -> None:
        self.window = Window()
        self._changed = threading.Condition()

    @contextmanager
    def room(self, items: int) -> Iterator[None]:
        """Room for so many items, as long as the context lasts."""
        with self._changed:
            self._changed.wait_for(lambda: not items or self.window.has_room(items))
            self.window.under_way += items
        try:
            yield
        finally:
            with self._changed:
                self.window.under_way -= items
                self._changed.notify_all()

    def answered(self, items: int, queue_time_s: float) -> None:
        with self._changed:
            self.window.answered(items, queue_time_s)

    def refused(self) -> None:
        with self._changed:
            self.window.refused()


class AsyncGate:
    """A window that tasks of one event loop wait before."""

    def __init__(self) -> None:
        self.window = Window()
        self._waiting: list[asyncio.Future[None]] = []

    @asynccontextmanager
    async def room(self, items: int) -> AsyncIterator[None]:
        """Room for so many items, as long as the context lasts."""
        while items and not self.window.has_room(items):
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self.window.under_way += items
        try:
            yield
        finally:
            self.window.under_way -= items
            waiting, self._waiting = self._waiting, []
            for turn in waiting:
                if not turn.done():
                    turn.set_result(None)

    def answered(self, items: int, queue_time_s: float) -> None:
        self.window.answered(items, queue_time_s)

    def refused(self) -> None:
        self.window.refused()


def number_of(items: object) -> int | None:
    """How many there are, where that is known."""
    return len(items) if isinstance(items, Sized) else None


def pieces(
    items: Iterable[Item], encoded: Callable[[Item], bytes], most: Callable[[], float]
) -> Iterator[dict[int, bytes]]:
    """Items by index, so many at a time as the window lets through; read no further than that."""
    piece: dict[int, bytes] = {}
    size = 0
    for index, item in enumerate(items):
        data = encoded(item)
        if piece and size + len(data) > MOST_BYTES:
            yield piece
            piece, size = {}, 0
        piece[index] = data
        size += len(data)
        if len(piece) >= min(MOST_AT_ONCE, most()):
            yield piece
            piece, size = {}, 0
    if piece:
        yield piece


async def pieces_as_they_come(
    items: AsyncIterable[Item], encoded: Callable[[Item], bytes], most: Callable[[], float]
) -> AsyncIterator[dict[int, bytes]]:
    """The same for items that are made one by one: none waits longer than a moment for others to go with it."""
    source = enumerate_async(items)
    coming: asyncio.Future[tuple[int, Item]] | None = None
    piece: dict[int, bytes] = {}
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(source))
            await asyncio.wait([coming], timeout=LINGER_S if piece else None)
            if coming.done():
                try:
                    index, item = coming.result()
                except StopAsyncIteration:
                    break
                coming = None
                piece[index] = encoded(item)
                if len(piece) < min(MOST_AT_ONCE, most()) and sum(map(len, piece.values())) < MOST_BYTES:
                    continue
            yield piece
            piece = {}
        if piece:
            yield piece
    finally:
        if coming is not None:
            coming.cancel()


async def enumerate_async(items: AsyncIterable[Item]) -> AsyncIterator[tuple[int, Item]]:
    index = 0
    async for item in items:
        yield index, item
        index += 1
