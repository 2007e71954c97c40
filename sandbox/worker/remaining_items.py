"""The items that a worker has taken but not run yet, shared with the thread that returns them to the queue."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from redis import Redis

from sandbox.queue import job_batch, redis_keys
from sandbox.queue.job_batch import Item, SentBatches
from sandbox.schema import Lane

RETURN_PAUSE_S = 0.2


class RemainingItems:
    """The items of one worker that wait behind the current one. Thread-safe."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._lock = threading.Lock()
        self._current_submission = ""  # of the item that runs
        self._cancelled: set[str] = set()  # submissions that were found cancelled while one of their items ran
        self._running_since = 0.0

    @property
    def is_empty(self) -> bool:
        return not self._items

    def extend(self, items: Sequence[Item]) -> None:
        with self._lock:
            self._items.extend(items)

    def take_next(self, allow_runs: Callable[[], None], release: Callable[[Item], None]) -> Item | None:
        """Return the next item whose submission is not cancelled, and call `release` for the skipped ones.

        `allow_runs` clears a stop signal that was meant for the previous item.
        """
        with self._lock:
            allow_runs()
            self._running_since = time.monotonic()
            while self._items and self._items[0].submission in self._cancelled:
                release(self._items.popleft())
            self._current_submission = self._items[0].submission if self._items else ""
            return self._items.popleft() if self._items else None

    def take_all(self) -> list[Item]:
        with self._lock:
            items = list(self._items)
            self._items.clear()
            return items

    def clear(self) -> None:
        with self._lock:
            self._running_since = 0.0
            self._current_submission = ""
            self._items.clear()
            self._cancelled.clear()

    def requeue_if_slow(self, after_s: float, requeue: Callable[[Sequence[Item]], object]) -> None:
        """Call `requeue` with the remaining items if the current one has been running for longer than `after_s`.

        If `requeue` raises, the items remain.
        """
        with self._lock:
            is_slow = self._running_since and time.monotonic() - self._running_since > after_s
            if is_slow and self._items:
                requeue(self._items)
                self._items.clear()

    def stop_if_cancelled(self, is_cancelled: Callable[[str], bool], stop: Callable[[], None]) -> None:
        """Call `stop` if the submission of the current item is cancelled. `is_cancelled` may raise."""
        submission = self._current_submission
        if not submission or submission in self._cancelled or not is_cancelled(submission):
            return
        with self._lock:
            if submission == self._current_submission:
                self._cancelled.add(submission)
                stop()


class ItemReturns:
    """Returns items of one worker. Thread-safe: only `requeue_not_run` uses the connection of the main thread."""

    def __init__(self, redis: Redis, background_redis: Redis, queue_ttl_s: int, lease_s: float) -> None:
        self._redis = redis
        self._background_redis = background_redis
        self._queue_ttl_s = queue_ttl_s
        self._lease_s = lease_s

    def requeue(self, items: Sequence[Item], lane: Lane, at_front: bool) -> SentBatches:
        """Queue items of one client as a new batch. Raises RedisError."""
        content = [item.model_dump_json().encode() for item in items]
        client, ttl_s = items[0].client, self._queue_ttl_s
        queue = job_batch.get_lane_queue(lane, self._background_redis)
        if client:
            return job_batch.send_for_client(
                self._background_redis, queue, [content], ttl_s, client, self._lease_s, at_front
            )
        return job_batch.send(self._background_redis, queue, [content], time.time(), ttl_s, at_front)

    def requeue_not_run(self, items: Sequence[Item], lane: Lane, serves: bool) -> None:
        """Return items that could not run to the queue. Raises RedisError.

        They go to the front of the queue. They go to the end if this slot still serves, because it would otherwise take
        them again immediately.
        """
        if not items:
            return
        sent = self.requeue(items, lane, at_front=not serves)
        for submission in {item.submission for item in items if item.kept}:
            if self._redis.exists(redis_keys.job(submission)):  # the new batch determines its position
                self._redis.hset(redis_keys.job(submission), "envelope", sent.ids[0])
        if serves:
            time.sleep(RETURN_PAUSE_S)


def select_wanted(redis: Redis, items: Sequence[Item]) -> Sequence[Item]:
    """Return the items that are not cancelled and have no stored result. Raises RedisError."""
    if not items:
        return items
    pipeline = redis.pipeline(transaction=False)
    pipeline.mget([redis_keys.cancelled(item.submission) for item in items])
    for item in items:
        if item.kept:
            pipeline.hexists(redis_keys.results(item.submission), str(item.index or 0))
    cancelled, *there = pipeline.execute()
    have = iter(there)
    return [
        item
        for item, is_cancelled in zip(items, cancelled, strict=True)
        if not (item.kept and next(have)) and is_cancelled is None
    ]
