"""Splits a long stream of requests into batches and sends one after the other; `async_batching` sends in parallel."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TypeVar

from sandbox.client.congestion import Gate
from sandbox.client.protocol import Result
from sandbox.client.streams import BatchStream

Item = TypeVar("Item")

MAX_BATCH_ITEMS = 1_000
MAX_BATCH_BYTES = 32 << 20


def split_into_batches(
    items: Iterable[Item], encode: Callable[[Item], bytes], max_items: Callable[[], float]
) -> Iterator[dict[int, bytes]]:
    """Yield encoded items by index, at most `max_items()` at a time; read no further than the current batch."""
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


def stream_batches(
    gate: Gate,
    batches: Iterable[BatchStream[Result]],
    read: Callable[[BatchStream[Result]], Iterator[tuple[int, Result]]],
) -> Generator[tuple[int, Result], None, None]:
    """Send one batch after the other, each once the window has room for it; yield each result as it arrives."""
    for batch in batches:
        with gate.reserve(len(batch.pending)):
            for pair in read(batch):
                gate.record_answer(1, pair[1].queue_time_s)
                yield pair


def pass_results(pairs: Iterable[tuple[int, Result]], on_result: Callable[[int, Result], object]) -> None:
    """Call a function with each result and its index."""
    for index, result in pairs:
        on_result(index, result)
