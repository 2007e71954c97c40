"""Sends what was submitted: single programs gathered into envelopes, as many at a time as the workers can use.

Theory of operation. Programs whose client waits are put into a lane's tray. A thread empties the trays: while fewer
envelopes are on their way than the workers can hold (two each: one running, one next), it sends one at once, however
small, so an idle service adds no waiting; when all workers have enough, programs gather in the tray and the next
envelope is larger. So the cost of an RQ job is shared exactly when it matters, without a timer. Several API processes
share what the workers can hold: each that has sent something lately may have an equal part of it, and besides what the
others leave, for which it looks now and then while it has something waiting. What is to be kept (`durable`) never waits
in a tray: it is in Redis before the client is told that it was accepted.

Clients with keys have a tray each, with room of its own, and are served in turn (`fairness` for what is in Redis);
all clients without one share one tray.
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
from sandbox.ids import new_id
from sandbox.jobs import envelope, keys, leases
from sandbox.jobs.storage import refusal_of
from sandbox.schema import Lane

logger = logging.getLogger(__name__)

LARGEST_ENVELOPE = 64
LARGEST_ENVELOPE_BYTES = 4 << 20
ENVELOPES_PER_WORKER = 2
COUNT_WORKERS_EVERY_S = 1.0
LOOK_FOR_ROOM_EVERY_S = 0.02  # only where others have sent, too
SENDS_FOR_S = 3.0  # a process counts as sending for so long after it sent something


@dataclass
class _Tray:
    """One client's programs in one lane that wait to be sent, and how many items of each envelope on its way still have
    no result.

    An envelope on its way goes by its first item's id.
    """

    lane: Lane
    waiting: deque[tuple[str, bytes]] = field(default_factory=deque)
    on_their_way: dict[str, int] = field(default_factory=dict)


class Postman:
    """Thread-safe. `start` before use, `close` after."""

    def __init__(self, redis: Redis, queue_ttl_s: int, max_queued: int, lease_s: float, max_bytes: int) -> None:
        self._redis = redis
        self._queue_ttl_s = queue_ttl_s
        self._max_queued = max_queued
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lease_s = lease_s
        self._trays: dict[Lane, dict[str, _Tray]] = {lane: {"": _Tray(lane)} for lane in keys.LANES}
        self._depths = dict.fromkeys(keys.LANES, 0)
        self._outstanding = dict.fromkeys(keys.LANES, 0)  # envelopes of all processes, as last told
        self._sends = dict.fromkeys(keys.LANES, 0)  # how often a send has told the depth
        self._queues = {lane: envelope.lane_queue(lane, redis) for lane in keys.LANES}
        self._envelope_of: dict[str, tuple[_Tray, str]] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._workers = 1
        self._senders = 1
        self._name = new_id()
        self._has_sent = False
        self._workers_counted_at = 0.0
        self._thread = threading.Thread(target=self._run, name="postman", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout=5)

    def accept(self, lane: Lane, items: Sequence[tuple[str, bytes]], client: str = "") -> None:
        """Take items (id, JSON) whose client waits. Raises QueueFull."""
        with self._changed:
            self._refuse_overflow(lane, len(items))
            size = sum(len(item) for _, item in items)
            if self._bytes and self._bytes + size > self._max_bytes:
                raise QueueFull(f"{self._bytes >> 20} MiB of submissions wait, of {self._max_bytes >> 20}")
            self._bytes += size
            trays = self._trays[lane]
            if client not in trays:
                trays[client] = _Tray(lane)
            trays[client].waiting.extend(items)
            self._changed.notify()

    def send_now(self, lane: Lane, items: Sequence[tuple[str, bytes]], client: str = "") -> str:
        """Put items into Redis before returning; the first envelope's id. Raises QueueFull or QueueUnavailable."""
        with self._changed:
            self._refuse_overflow(lane, len(items))
            size = max(1, min(LARGEST_ENVELOPE, math.ceil(len(items) / (4 * self._workers))))
        content = [item for _, item in items]
        try:
            return self._send(lane, [content[at : at + size] for at in range(0, len(content), size)], client)[0]
        except RedisError as error:
            raise refusal_of(error) from error

    def withdraw(self, item_ids: set[str]) -> set[str]:
        """Take items back that are not sent yet; returns the ids of those that were, whose room is given to others."""
        with self._changed:
            for tray in self._all_trays():
                kept = [(item_id, item) for item_id, item in tray.waiting if item_id not in item_ids]
                if len(kept) < len(tray.waiting):
                    self._bytes -= sum(len(item) for item_id, item in tray.waiting if item_id in item_ids)
                    tray.waiting = deque(kept)
            sent = {item_id for item_id in item_ids if item_id in self._envelope_of}
            self._make_room(sent)  # a worker that skips a cancelled item does not answer it
            return sent

    def withdraw_all(self) -> dict[str, list[str]]:
        """Take back every item that is not sent yet; their ids by client."""
        taken: dict[str, list[str]] = {}
        with self._changed:
            for trays in self._trays.values():
                for client, tray in trays.items():
                    if tray.waiting:
                        self._bytes -= sum(len(item) for _, item in tray.waiting)
                        taken.setdefault(client, []).extend(item_id for item_id, _ in tray.waiting)
                        tray.waiting = deque()
        return taken

    def answered(self, item_ids: Sequence[str]) -> None:
        """Items have their results: their envelopes may make room for the next."""
        with self._changed:
            self._make_room(item_ids)

    def _make_room(self, item_ids: Iterable[str]) -> None:
        for item_id in item_ids:
            if item_id not in self._envelope_of:
                continue
            tray, first_id = self._envelope_of.pop(item_id)
            on_their_way = tray.on_their_way
            if first_id in on_their_way:
                on_their_way[first_id] -= 1
                if on_their_way[first_id] <= 0:
                    del on_their_way[first_id]
                    self._outstanding[tray.lane] -= 1
                    self._changed.notify()

    def waiting(self) -> dict[str, int]:
        """Items by lane that have no worker yet, those on Redis included."""
        with self._changed:
            return {lane.value: self._held(lane) for lane in self._trays}

    def _held(self, lane: Lane) -> int:
        return self._depths[lane] + sum(len(tray.waiting) for tray in self._trays[lane].values())

    def _all_trays(self) -> Iterator[_Tray]:
        for trays in self._trays.values():
            yield from trays.values()

    def _refuse_overflow(self, lane: Lane, more: int) -> None:
        held = self._held(lane)
        if held + more > self._max_queued:
            raise QueueFull(f"lane {lane.value} holds {held} of {self._max_queued} submissions")

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
            tray = self._ready_tray() or self._awaited_tray()
            taken = [] if tray is None else self._taken(tray)
        if tray is None:
            if self._looks_for_room():
                self._look_for_room()
            return
        try:
            self._send(tray.lane, [[item for _, item in taken]])
        except RedisError:
            with self._changed:
                self._make_room(item_id for item_id, _ in taken)
                tray.waiting.extendleft(reversed(taken))
                self._bytes += sum(len(item) for _, item in taken)
                self._depths[tray.lane] -= len(taken)
            raise

    def _awaited_tray(self) -> _Tray | None:
        self._changed.wait(LOOK_FOR_ROOM_EVERY_S if self._looks_for_room() else COUNT_WORKERS_EVERY_S)
        return self._ready_tray()

    def _taken(self, tray: _Tray) -> list[tuple[str, bytes]]:
        """The next envelope's items, as if they were sent."""
        size = math.ceil(len(tray.waiting) / max(1, self._room(tray)))
        taken = self._take(tray, min(LARGEST_ENVELOPE, size))
        self._bytes -= sum(len(item) for _, item in taken)
        self._depths[tray.lane] += len(taken)  # until Redis tells; a submission meanwhile must find them counted
        self._note(tray, [item_id for item_id, _ in taken])
        return taken

    def _note(self, tray: _Tray, item_ids: Sequence[str]) -> None:
        """An envelope sets out. Noted before it is sent, for its results may be back before the sender is."""
        tray.on_their_way[item_ids[0]] = len(item_ids)
        for item_id in item_ids:
            self._envelope_of[item_id] = (tray, item_ids[0])

    def _ready_tray(self) -> _Tray | None:
        """The first lane's tray that has something to send and room to send it; the next time, another client's."""
        for trays in self._trays.values():
            for client, tray in trays.items():
                if tray.waiting and self._room(tray) > 0:
                    if len(trays) > 1:
                        trays[client] = trays.pop(client)
                    return tray
        return None

    def _room(self, tray: _Tray) -> int:
        """How many envelopes more of this tray may be sent."""
        all_of_it = ENVELOPES_PER_WORKER * self._workers
        ours = math.ceil(all_of_it / self._senders) - len(tray.on_their_way)
        return ours if self._senders == 1 else max(ours, all_of_it - self._outstanding[tray.lane])

    def _looks_for_room(self) -> bool:
        return self._senders > 1 and any(tray.waiting for tray in self._all_trays())

    def _look_for_room(self) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for lane in keys.LANES:
            pipeline.zcard(keys.outstanding(lane))
        self._outstanding = dict(zip(keys.LANES, pipeline.execute(), strict=True))

    def _take(self, tray: _Tray, most: int) -> list[tuple[str, bytes]]:
        taken = [tray.waiting.popleft()]
        size = len(taken[0][1])
        while tray.waiting and len(taken) < most and size + len(tray.waiting[0][1]) <= LARGEST_ENVELOPE_BYTES:
            taken.append(tray.waiting.popleft())
            size += len(taken[-1][1])
        return taken

    def _send(self, lane: Lane, envelopes: list[list[bytes]], client: str = "") -> list[str]:
        """With `client`, behind what that one has sent already, and in turn with others."""
        queue, ttl_s = self._queues[lane], self._queue_ttl_s
        if client:
            sent = envelope.park(self._redis, queue, envelopes, ttl_s, client, self._lease_s)
        else:
            sent = envelope.send(self._redis, queue, envelopes, time.time(), ttl_s)
        with self._changed:
            self._depths[lane], self._outstanding[lane] = sent.depth, sent.outstanding
            self._sends[lane] += 1
            self._has_sent = True
        return sent.ids

    def _count_workers(self) -> None:
        now = time.monotonic()
        if now - self._workers_counted_at < COUNT_WORKERS_EVERY_S:
            return
        self._workers_counted_at = now
        sends = self._sends.copy()
        pipeline = self._redis.pipeline(transaction=False)
        for lane in keys.LANES:
            pipeline.get(keys.depth(lane))
        if self._has_sent:
            pipeline.zadd(keys.SENDERS, {self._name: time.time()})
            pipeline.expire(keys.SENDERS, math.ceil(SENDS_FOR_S))
        pipeline.zremrangebyscore(keys.SENDERS, "-inf", time.time() - SENDS_FOR_S)
        pipeline.zcard(keys.SENDERS)
        answers = pipeline.execute()
        self._has_sent = False
        self._senders = max(1, int(answers[-1]))
        self._workers = max(1, len(leases.slots(self._redis, self._lease_s)))
        with self._changed:
            for lane, depth in zip(keys.LANES, answers, strict=False):
                if sends[lane] == self._sends[lane]:  # else a send knows better than what was read before it
                    self._depths[lane] = max(0, int(depth or 0))
