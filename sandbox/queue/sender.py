"""Send submitted programs to the workers, in batches whose size depends on the load.

Theory of operation. A program whose client waits is first added to a pending list of its lane. A thread empties these
lists. The workers can hold two batches each: one running, one next. While fewer batches are in flight, the thread sends
a batch at once, no matter how small, so an idle service adds no delay. When the workers are full, programs accumulate
and the next batch is larger. This shares the cost of an RQ job exactly when it matters, without a timer.

API processes share the capacity of the workers. Each process that has sent something recently may use an equal part of
it, plus capacity that the others leave unused, which it polls for while it has pending programs. Stored submissions
skip the pending lists: they are in Redis before the client learns that they were accepted.

Each client with an API key has pending lists of its own, with their own room, and clients take turns (for batches in
Redis, see `fair_queue`). All clients without a key share one list per lane.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from redis import Redis
from redis.exceptions import RedisError

from sandbox.errors import QueueFull
from sandbox.queue import job_batch, leases, redis_keys
from sandbox.queue.connection import get_failure_log_level, translate_redis_errors
from sandbox.request_context import generate_id
from sandbox.schema import Lane

logger = logging.getLogger(__name__)

MAX_BATCH_ITEMS = 64
MAX_BATCH_BYTES = 4 << 20
BATCHES_PER_WORKER = 2
WORKER_COUNT_INTERVAL_S = 1.0
ROOM_CHECK_INTERVAL_S = 0.02  # only if other processes send, too
SENDER_TTL_S = 3.0  # how long a process counts as a sender after it sent a batch


@dataclass
class _Pending:
    """The unsent programs of one client in one lane, and the client's batches in flight.

    `in_flight` maps the id of the first item of each batch to the number of its items without a result.
    """

    lane: Lane
    waiting: deque[tuple[str, bytes]] = field(default_factory=deque)
    in_flight: dict[str, int] = field(default_factory=dict)


class BatchSender:
    """Collects items and sends them in batches. Thread-safe. Call `start` before use and `close` afterwards."""

    def __init__(self, redis: Redis, queue_ttl_s: int, max_queued: int, lease_s: float, max_bytes: int) -> None:
        self._redis = redis
        self._queue_ttl_s = queue_ttl_s
        self._max_queued = max_queued
        self._max_bytes = max_bytes
        self._waiting_bytes = 0
        self._lease_s = lease_s
        self._pending: dict[Lane, dict[str, _Pending]] = {lane: {"": _Pending(lane)} for lane in redis_keys.LANES}
        self._depths = dict.fromkeys(redis_keys.LANES, 0)
        self._outstanding = dict.fromkeys(redis_keys.LANES, 0)  # batches of all processes, as last reported by Redis
        self._send_counts = dict.fromkeys(redis_keys.LANES, 0)  # how often a send has updated the depth
        self._queues = {lane: job_batch.get_lane_queue(lane, redis) for lane in redis_keys.LANES}
        self._batch_by_item: dict[str, tuple[_Pending, str]] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._workers = 1
        self._senders = 1
        self._name = generate_id()
        self._has_sent = False
        self._workers_counted_at = 0.0
        self._thread = threading.Thread(target=self._run, name="batch-sender", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout=5)

    def accept(self, lane: Lane, items: Sequence[tuple[str, bytes]], client: str = "") -> None:
        """Accept items (id, JSON) whose client is waiting, and send them as soon as there is room. Raises QueueFull."""
        with self._changed:
            self._refuse_overflow(lane, len(items))
            size = sum(len(item) for _, item in items)
            if self._waiting_bytes and self._waiting_bytes + size > self._max_bytes:
                raise QueueFull(
                    f"{self._waiting_bytes >> 20} of {self._max_bytes >> 20} MiB of waiting submissions are in use"
                )
            self._waiting_bytes += size
            by_client = self._pending[lane]
            if client not in by_client:
                by_client[client] = _Pending(lane)
            by_client[client].waiting.extend(items)
            self._changed.notify()

    @translate_redis_errors
    def send_now(self, lane: Lane, items: Sequence[tuple[str, bytes]], client: str = "") -> str:
        """Write items to Redis and return the id of their first batch. Raises QueueFull or QueueUnavailable."""
        with self._changed:
            self._refuse_overflow(lane, len(items))
            size = max(1, min(MAX_BATCH_ITEMS, math.ceil(len(items) / (4 * self._workers))))
        content = [item for _, item in items]
        return self._send(lane, [content[at : at + size] for at in range(0, len(content), size)], client)[0]

    def withdraw(self, item_ids: set[str]) -> set[str]:
        """Remove items that were not sent yet. Free the room of those that were sent, and return their ids."""
        with self._changed:
            for pending in self._iterate_pending():
                remaining = [(item_id, item) for item_id, item in pending.waiting if item_id not in item_ids]
                if len(remaining) < len(pending.waiting):
                    self._waiting_bytes -= sum(len(item) for item_id, item in pending.waiting if item_id in item_ids)
                    pending.waiting = deque(remaining)
            sent = {item_id for item_id in item_ids if item_id in self._batch_by_item}
            self._release_room(sent)  # a worker that skips a cancelled item sends no result
            return sent

    def withdraw_all(self) -> dict[str, list[str]]:
        """Remove every item that is not sent yet, and return their ids by client."""
        taken: dict[str, list[str]] = {}
        with self._changed:
            for by_client in self._pending.values():
                for client, pending in by_client.items():
                    if pending.waiting:
                        self._waiting_bytes -= sum(len(item) for _, item in pending.waiting)
                        taken.setdefault(client, []).extend(item_id for item_id, _ in pending.waiting)
                        pending.waiting = deque()
        return taken

    def mark_answered(self, item_ids: Sequence[str]) -> None:
        """Record that items have results. When all items of a batch have one, this makes room for another batch."""
        with self._changed:
            self._release_room(item_ids)

    def _release_room(self, item_ids: Iterable[str]) -> None:
        for item_id in item_ids:
            if item_id not in self._batch_by_item:
                continue
            pending, first_id = self._batch_by_item.pop(item_id)
            in_flight = pending.in_flight
            if first_id in in_flight:
                in_flight[first_id] -= 1
                if in_flight[first_id] <= 0:
                    del in_flight[first_id]
                    self._outstanding[pending.lane] -= 1
                    self._changed.notify()

    def count_waiting(self) -> dict[str, int]:
        """Return the number of items that wait for a worker, by lane, both in this process and in Redis."""
        with self._changed:
            return {lane.value: self._count_held(lane) for lane in self._pending}

    def _count_held(self, lane: Lane) -> int:
        return self._depths[lane] + sum(len(pending.waiting) for pending in self._pending[lane].values())

    def _iterate_pending(self) -> Iterator[_Pending]:
        for by_client in self._pending.values():
            yield from by_client.values()

    def _refuse_overflow(self, lane: Lane, new_items: int) -> None:
        held = self._count_held(lane)
        if held + new_items > self._max_queued:
            raise QueueFull(f"lane {lane.value} holds {held} of {self._max_queued} submissions")

    def _run(self) -> None:
        while not self._closed:
            try:
                self._count_workers()
                self._send_next()
            except RedisError as error:
                logger.log(get_failure_log_level(), "cannot send a batch to Redis, retrying: %s", error)
                time.sleep(0.2)

    def _send_next(self) -> None:
        """Send one batch from a lane that has pending items and room; if there is none, wait briefly for one."""
        with self._changed:
            pending = self._find_ready() or self._wait_for_ready()
            taken = [] if pending is None else self._take_batch(pending)
        if pending is None:
            if self._should_check_room():
                self._refresh_outstanding()
            return
        try:
            self._send(pending.lane, [[item for _, item in taken]])
        except RedisError:
            with self._changed:
                self._release_room(item_id for item_id, _ in taken)
                pending.waiting.extendleft(reversed(taken))
                self._waiting_bytes += sum(len(item) for _, item in taken)
                self._depths[pending.lane] -= len(taken)
            raise

    def _wait_for_ready(self) -> _Pending | None:
        self._changed.wait(ROOM_CHECK_INTERVAL_S if self._should_check_room() else WORKER_COUNT_INTERVAL_S)
        return self._find_ready()

    def _take_batch(self, pending: _Pending) -> list[tuple[str, bytes]]:
        """Remove and return the items of the next batch, and count them as sent."""
        size = math.ceil(len(pending.waiting) / max(1, self._compute_room(pending)))
        taken = self._pop_items(pending, min(MAX_BATCH_ITEMS, size))
        self._waiting_bytes -= sum(len(item) for _, item in taken)
        self._depths[pending.lane] += len(taken)  # until Redis reports it: concurrent submissions must count them
        self._record_in_flight(pending, [item_id for item_id, _ in taken])
        return taken

    def _record_in_flight(self, pending: _Pending, item_ids: Sequence[str]) -> None:
        """Record a batch as in flight, before it is sent: its results may arrive before the send call returns."""
        pending.in_flight[item_ids[0]] = len(item_ids)
        for item_id in item_ids:
            self._batch_by_item[item_id] = (pending, item_ids[0])

    def _find_ready(self) -> _Pending | None:
        """Return a pending list with items and room, from the first lane that has one. Clients of a lane take turns."""
        for by_client in self._pending.values():
            for client, pending in by_client.items():
                if pending.waiting and self._compute_room(pending) > 0:
                    if len(by_client) > 1:
                        by_client[client] = by_client.pop(client)
                    return pending
        return None

    def _compute_room(self, pending: _Pending) -> int:
        """Return how many more batches of this list may be sent."""
        total_room = BATCHES_PER_WORKER * self._workers
        own_room = math.ceil(total_room / self._senders) - len(pending.in_flight)
        return own_room if self._senders == 1 else max(own_room, total_room - self._outstanding[pending.lane])

    def _should_check_room(self) -> bool:
        return self._senders > 1 and any(pending.waiting for pending in self._iterate_pending())

    def _refresh_outstanding(self) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for lane in redis_keys.LANES:
            pipeline.zcard(redis_keys.outstanding(lane))
        self._outstanding = dict(zip(redis_keys.LANES, pipeline.execute(), strict=True))

    def _pop_items(self, pending: _Pending, max_items: int) -> list[tuple[str, bytes]]:
        taken = [pending.waiting.popleft()]
        size = len(taken[0][1])
        while pending.waiting and len(taken) < max_items and size + len(pending.waiting[0][1]) <= MAX_BATCH_BYTES:
            taken.append(pending.waiting.popleft())
            size += len(taken[-1][1])
        return taken

    def _send(self, lane: Lane, batches: list[list[bytes]], client: str = "") -> list[str]:
        """Send batches and return their ids. With `client`, add them to the end of that client's own queue."""
        queue, ttl_s = self._queues[lane], self._queue_ttl_s
        if client:
            sent = job_batch.send_for_client(self._redis, queue, batches, ttl_s, client, self._lease_s)
        else:
            sent = job_batch.send(self._redis, queue, batches, time.time(), ttl_s)
        with self._changed:
            self._depths[lane], self._outstanding[lane] = sent.depth, sent.outstanding
            self._send_counts[lane] += 1
            self._has_sent = True
        return sent.ids

    def _count_workers(self) -> None:
        now = time.monotonic()
        if now - self._workers_counted_at < WORKER_COUNT_INTERVAL_S:
            return
        self._workers_counted_at = now
        sends = self._send_counts.copy()
        pipeline = self._redis.pipeline(transaction=False)
        for lane in redis_keys.LANES:
            pipeline.get(redis_keys.depth(lane))
        if self._has_sent:
            pipeline.zadd(redis_keys.SENDERS, {self._name: time.time()})
            pipeline.expire(redis_keys.SENDERS, math.ceil(SENDER_TTL_S))
        pipeline.zremrangebyscore(redis_keys.SENDERS, "-inf", time.time() - SENDER_TTL_S)
        pipeline.zcard(redis_keys.SENDERS)
        answers = pipeline.execute()
        self._has_sent = False
        self._senders = max(1, int(answers[-1]))
        self._workers = max(1, len(leases.list_slot_workers(self._redis, self._lease_s)))
        with self._changed:
            for lane, depth in zip(redis_keys.LANES, answers, strict=False):
                if sends[lane] == self._send_counts[lane]:  # else a send has reported a newer depth
                    self._depths[lane] = max(0, int(depth or 0))
