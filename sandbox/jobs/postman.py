"""Sends what was submitted: single programs gathered into envelopes, as many at a time as the workers can use.

Theory of operation. Programs whose client waits are put into a lane's tray. A thread empties the trays: while fewer
envelopes are on their way than the workers can hold (two each: one running, one next), it sends one at once, however
small, so an idle service adds no waiting; when all workers have enough, programs gather in the tray and the next
envelope is larger. So the cost of an RQ job is shared exactly when it matters, without a timer. What is to be kept
(`durable`) never waits in a tray: it is in Redis before the client is told that it was accepted.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from redis import Redis
from redis.exceptions import RedisError

from sandbox.errors import QueueFull, QueueUnavailable
from sandbox.jobs import envelope, keys, leases
from sandbox.schema import Lane

logger = logging.getLogger(__name__)

LARGEST_ENVELOPE = 64
LARGEST_ENVELOPE_BYTES = 4 << 20
ENVELOPES_PER_WORKER = 2
COUNT_WORKERS_EVERY_S = 1.0


@dataclass
class _Tray:
    """One lane's programs that wait to be sent, and how many items of each envelope on its way still have no result.

    An envelope on its way goes by its first item's id.
    """

    waiting: deque[tuple[str, bytes]] = field(default_factory=deque)
    on_their_way: dict[str, int] = field(default_factory=dict)
    depth: int = 0


class Postman:
    """Thread-safe. `start` before use, `close` after."""

    def __init__(self, redis: Redis, queue_ttl_s: int, max_queued: int, lease_s: float) -> None:
        self._redis = redis
        self._queue_ttl_s = queue_ttl_s
        self._max_queued = max_queued
        self._lease_s = lease_s
        self._trays = {lane: _Tray() for lane in keys.LANES}
        self._queues = {lane: envelope.lane_queue(lane, redis) for lane in keys.LANES}
        self._envelope_of: dict[str, tuple[Lane, str]] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._workers = 1
        self._workers_counted_at = 0.0
        self._thread = threading.Thread(target=self._run, name="postman", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout=5)

    def accept(self, lane: Lane, items: Sequence[tuple[str, bytes]]) -> None:
        """Take items (id, JSON) whose client waits. Raises QueueFull."""
        with self._changed:
            self._refuse_overflow(lane, len(items))
            self._trays[lane].waiting.extend(items)
            self._changed.notify()

    def send_now(self, lane: Lane, items: Sequence[tuple[str, bytes]]) -> str:
        """Put items into Redis before returning; the first envelope's id. Raises QueueFull or QueueUnavailable."""
        with self._changed:
            self._refuse_overflow(lane, len(items))
            size = max(1, min(LARGEST_ENVELOPE, math.ceil(len(items) / (4 * self._workers))))
        content = [item for _, item in items]
        try:
            return self._send(lane, [content[at : at + size] for at in range(0, len(content), size)])[0]
        except RedisError as error:
            raise QueueUnavailable(f"the queue does not answer: {error}") from error

    def withdraw(self, item_ids: set[str]) -> set[str]:
        """Take items back that are not sent yet; returns the ids of those that were, whose room is given to others."""
        with self._changed:
            for tray in self._trays.values():
                kept = [(item_id, item) for item_id, item in tray.waiting if item_id not in item_ids]
                if len(kept) < len(tray.waiting):
                    tray.waiting = deque(kept)
            sent = {item_id for item_id in item_ids if item_id in self._envelope_of}
            self._make_room(sent)  # a worker that skips a cancelled item does not answer it
            return sent

    def answered(self, item_ids: Sequence[str]) -> None:
        """Items have their results: their envelopes may make room for the next."""
        with self._changed:
            self._make_room(item_ids)

    def _make_room(self, item_ids: Iterable[str]) -> None:
        for item_id in item_ids:
            lane, first_id = self._envelope_of.pop(item_id, (Lane.DEFAULT, ""))
            on_their_way = self._trays[lane].on_their_way
            if first_id in on_their_way:
                on_their_way[first_id] -= 1
                if on_their_way[first_id] <= 0:
                    del on_their_way[first_id]
                    self._changed.notify()

    def waiting(self) -> dict[str, int]:
        """Items by lane that have no worker yet, those on Redis included."""
        return {lane.value: len(tray.waiting) + tray.depth for lane, tray in self._trays.items()}

    def _refuse_overflow(self, lane: Lane, more: int) -> None:
        tray = self._trays[lane]
        if tray.depth + len(tray.waiting) + more > self._max_queued:
            raise QueueFull(
                f"lane {lane.value} holds {tray.depth + len(tray.waiting)} of {self._max_queued} submissions"
            )

    def _run(self) -> None:
        while not self._closed:
            try:
                self._count_workers()
                self._send_next()
            except RedisError as error:
                logger.warning("could not send, trying again: %s", error)
                time.sleep(0.2)

    def _send_next(self) -> None:
        """Wait until some lane has something to send and room to send it; send one envelope."""
        with self._changed:
            ready = self._ready_lane()
            if ready is None:
                self._changed.wait(COUNT_WORKERS_EVERY_S)
                ready = self._ready_lane()
            if ready is None:
                return
            tray = self._trays[ready]
            room = ENVELOPES_PER_WORKER * self._workers - len(tray.on_their_way)
            taken = self._take(tray, min(LARGEST_ENVELOPE, math.ceil(len(tray.waiting) / max(1, room))))
            tray.depth += len(taken)  # until Redis tells; a submission meanwhile must find them counted
            self._note(ready, [item_id for item_id, _ in taken])
        try:
            self._send(ready, [[item for _, item in taken]])
        except RedisError:
            with self._changed:
                self._make_room(item_id for item_id, _ in taken)
                tray.waiting.extendleft(reversed(taken))
                tray.depth -= len(taken)
            raise

    def _note(self, lane: Lane, item_ids: Sequence[str]) -> None:
        """An envelope sets out. Noted before it is sent, for its results may be back before the sender is."""
        self._trays[lane].on_their_way[item_ids[0]] = len(item_ids)
        for item_id in item_ids:
            self._envelope_of[item_id] = (lane, item_ids[0])

    def _ready_lane(self) -> Lane | None:
        for lane, tray in self._trays.items():
            if tray.waiting and len(tray.on_their_way) < ENVELOPES_PER_WORKER * self._workers:
                return lane
        return None

    def _take(self, tray: _Tray, most: int) -> list[tuple[str, bytes]]:
        taken = [tray.waiting.popleft()]
        size = len(taken[0][1])
        while tray.waiting and len(taken) < most and size + len(tray.waiting[0][1]) <= LARGEST_ENVELOPE_BYTES:
            taken.append(tray.waiting.popleft())
            size += len(taken[-1][1])
        return taken

    def _send(self, lane: Lane, envelopes: list[list[bytes]]) -> list[str]:
        ids, depth = envelope.send(self._redis, self._queues[lane], envelopes, time.time(), self._queue_ttl_s)
        self._trays[lane].depth = depth
        return ids

    def _count_workers(self) -> None:
        now = time.monotonic()
        if now - self._workers_counted_at < COUNT_WORKERS_EVERY_S:
            return
        self._workers_counted_at = now
        pipeline = self._redis.pipeline(transaction=False)
        for lane in keys.LANES:
            pipeline.get(keys.depth(lane))
        depths = pipeline.execute()
        self._workers = max(1, len(leases.alive(self._redis, self._lease_s)))
        for lane, depth in zip(keys.LANES, depths, strict=True):
            self._trays[lane].depth = max(0, int(depth or 0))
