"""What each worker is doing and has just finished, for the live view.

Theory of operation. Running a program never waits for a round trip of this module. The current state of a slot is sent
with its heartbeat. Finished items are collected in memory and published a few times per second in one pipeline.
Publishing is best effort: if a worker is killed, the live view misses its last half second, but no result is lost.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from redis import Redis

from sandbox.queue import redis_keys
from sandbox.queue.job_batch import Item
from sandbox.schema.vote import VoteRequest

MAX_RECENT_RESULTS = 500
MAX_RESULTS_PER_PUBLISH = 100  # under load nobody reads all of them, and each costs 16 us
RECENT_RESULTS_TTL_S = 86_400
VERDICT_COUNTS_TTL_S = 300
MINUTE_S = 60


class Finished(NamedTuple):
    """An item's result: its JSON, and a summary for the live view, metrics, and traces.

    If the program was run but not judged, `verdict` is its status. `passed` and `total` count tests; they are None if
    there are no tests.
    """

    json: bytes
    verdict: str
    passed: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class FinishedItem:
    """One finished item. `finished_at` is in seconds since the epoch."""

    item: Item
    verdict: str
    passed: int | None
    total: int | None
    finished_at: float
    took_s: float

    def to_dict(self, worker: str) -> dict[str, Any]:
        """Return what the live view shows: never code, input, or output."""
        item = self.item
        return {
            "id": item.id,
            "job": item.submission if item.kept else None,
            "kind": item.kind,
            "language": get_language(item),
            "lane": get_lane(item),
            "verdict": self.verdict,
            "passed": self.passed,
            "total": self.total,
            "at": round(self.finished_at, 3),
            "queued_s": round(max(0.0, self.finished_at - self.took_s - item.submitted_at), 6),
            "took_s": round(self.took_s, 6),
            "worker": worker,
        }


@dataclass
class WorkerActivity:
    """The activity of one worker. Thread-safe. Only `publish` accesses the network."""

    redis: Redis
    worker: str
    _finished: deque[FinishedItem] = field(default_factory=lambda: deque(maxlen=MAX_RESULTS_PER_PUBLISH))
    _verdict_counts: Counter[tuple[int, str]] = field(default_factory=Counter)
    _current: tuple[Item, float] | None = None
    _finished_total: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start_item(self, item: Item) -> None:
        """Mark the slot as busy with this item."""
        self._current = item, time.time()

    def finish_item(self, item: Item, result: Finished) -> None:
        """Record the item's result, and mark the slot as idle."""
        now = time.time()
        began = self._current[1] if self._current is not None else now
        with self._lock:
            self._current = None
            self._finished_total += 1
            self._verdict_counts[int(now), result.verdict] += 1
            self._finished.append(FinishedItem(item, result.verdict, result.passed, result.total, now, now - began))

    def drop_item(self) -> None:
        """Mark the slot as idle after an item that has no result or goes back to the queue."""
        self._current = None

    def describe_state(self) -> Mapping[str, Any]:
        """Return the fields to send with the heartbeat."""
        current = self._current
        if current is None:
            return {"state": "idle", "done": self._finished_total, "since": None, "running": None}
        item, since = current
        running = {"id": item.id, "kind": item.kind, "language": get_language(item), "lane": get_lane(item)}
        return {"state": "busy", "done": self._finished_total, "since": round(since, 3), "running": running}

    def publish(self) -> None:
        """Publish the items that finished since the last call, in at most one round trip. Raises RedisError."""
        with self._lock:
            ended, self._finished = self._finished, deque(maxlen=MAX_RESULTS_PER_PUBLISH)
            rates, self._verdict_counts = self._verdict_counts, Counter()
        if not rates:
            return
        pipeline = self.redis.pipeline(transaction=False)
        pipeline.lpush(redis_keys.RECENT_RESULTS, *(json.dumps(one.to_dict(self.worker)) for one in ended))
        pipeline.ltrim(redis_keys.RECENT_RESULTS, 0, MAX_RECENT_RESULTS - 1)
        pipeline.expire(redis_keys.RECENT_RESULTS, RECENT_RESULTS_TTL_S)
        for (second, verdict), number in rates.items():
            pipeline.hincrby(redis_keys.verdict_counts(second // MINUTE_S), f"{second} {verdict}", number)
        for minute in {second // MINUTE_S for second, _ in rates}:
            pipeline.expire(redis_keys.verdict_counts(minute), VERDICT_COUNTS_TTL_S)
        pipeline.execute()


def get_language(item: Item) -> str:
    """Return the language as the client named it; for a vote, the languages of its candidates."""
    if isinstance(item.work, VoteRequest):
        return "+".join(sorted({candidate.language for candidate in item.work.candidates})[:3])
    return "" if item.work is None else item.work.language


def get_lane(item: Item) -> str:
    return "" if item.work is None else item.work.priority.value


def read_verdicts_by_second(redis: Redis, now: float, window_s: int) -> list[dict[str, Any]]:
    """Return `{"at": second, "verdicts": {verdict: count}}` for each of the last `window_s` seconds with a verdict."""
    first = int(now) - window_s
    pipeline = redis.pipeline(transaction=False)
    for minute in range(first // MINUTE_S, int(now) // MINUTE_S + 1):
        pipeline.hgetall(redis_keys.verdict_counts(minute))
    found: dict[int, dict[str, int]] = {}
    for fields in pipeline.execute():
        for name, number in fields.items():
            second, _, verdict = name.decode().partition(" ")
            if first <= int(second) <= now:
                found.setdefault(int(second), {})[verdict] = int(number)
    return [{"at": second, "verdicts": found[second]} for second in sorted(found)]


def read_recent(redis: Redis, limit: int = MAX_RECENT_RESULTS) -> list[dict[str, Any]]:
    """Return the latest results, newest first."""
    return _parse_newest_first(redis.lrange(redis_keys.RECENT_RESULTS, 0, limit - 1))


def _parse_newest_first(texts: Iterable[bytes]) -> list[dict[str, Any]]:
    return sorted((json.loads(text) for text in texts), key=lambda one: -float(one["at"]))
