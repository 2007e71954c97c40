"""Splits a long stream of requests into batches and sends them in parallel. The asyncio version of `batching`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable
from inspect import isawaitable
from typing import TypeVar

from sandbox.client import batching
from sandbox.client.batching import MAX_BATCH_BYTES, MAX_BATCH_ITEMS
from sandbox.client.congestion import AsyncGate
from sandbox.client.protocol import Result
from sandbox.client.streams import BatchStream

Item = TypeVar("Item")

LINGER_S = 0.02


async def split_into_batches(
    items: Iterable[Item] | AsyncIterable[Item], encode: Callable[[Item], bytes], max_items: Callable[[], float]
) -> AsyncIterator[dict[int, bytes]]:
    """Yield encoded items by index, at most `max_items()` at a time; read no further than the current batch."""
    if isinstance(items, AsyncIterable):
        async for batch in _split_async_items(items, encode, max_items):
            yield batch
    else:
        for batch in batching.split_into_batches(items, encode, max_items):
            yield batch


async def _split_async_items(
    items: AsyncIterable[Item], encode: Callable[[Item], bytes], max_items: Callable[[], float]
) -> AsyncIterator[dict[int, bytes]]:
    """Split items that a model may still be generating: an item waits at most `LINGER_S` for others to join it."""
    source = _enumerate_async(items)
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


async def _enumerate_async(items: AsyncIterable[Item]) -> AsyncIterator[tuple[int, Item]]:
    index = 0
    async for item in items:
        yield index, item
        index += 1


async def stream_batches(
    gate: AsyncGate,
    batches: AsyncIterable[BatchStream[Result]],
    read: Callable[[BatchStream[Result]], AsyncIterator[tuple[int, Result]]],
) -> AsyncGenerator[tuple[int, Result], None]:
    """Send as many batches in parallel as the window has room for; yield each result as it arrives."""
    arrivals: asyncio.Queue[tuple[int, Result] | None] = asyncio.Queue()
    sending = asyncio.create_task(_send_batches(gate, batches, read, arrivals.put_nowait))
    sending.add_done_callback(lambda _: arrivals.put_nowait(None))
    try:
        while (pair := await arrivals.get()) is not None:
            yield pair
        await sending
    finally:
        sending.cancel()
        await asyncio.wait([sending])


async def _send_batches(
    gate: AsyncGate,
    batches: AsyncIterable[BatchStream[Result]],
    read: Callable[[BatchStream[Result]], AsyncIterator[tuple[int, Result]]],
    deliver: Callable[[tuple[int, Result]], None],
) -> None:
    async def send(batch: BatchStream[Result], reserved: asyncio.Event) -> None:
        async with gate.reserve(len(batch.pending)):
            reserved.set()
            async for pair in read(batch):
                gate.record_answer(1, pair[1].queue_time_s)
                deliver(pair)

    try:
        async with asyncio.TaskGroup() as group:
            async for batch in batches:
                reserved = asyncio.Event()
                group.create_task(send(batch, reserved))
                # Read the next batch only when this one has its place and there is room for another.
                await reserved.wait()
                async with gate.reserve(1):
                    pass
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None


async def pass_results(pairs: AsyncIterable[tuple[int, Result]], on_result: Callable[[int, Result], object]) -> None:
    """Call a function with each result and its index; if it returns an awaitable, await it."""
    async for index, result in pairs:
        returned = on_result(index, result)
        if isawaitable(returned):
            await returned
