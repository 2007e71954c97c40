"""What a worker does now and has just done, for those who watch.

Theory of operation. Nothing here costs the way of a program a round trip: what a slot does goes out with its heartbeat,
and what it has done lies in memory until the next publication, a few times a second, in one pipeline. Publishing is
best effort: a worker that is killed takes its last half second of it along, and never a result.
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
MAX_RESULTS_PER_PUBLISH = 100  # under load nobody reads them all, and each costs 16 us
RECENT_RESULTS_TTL_S = 86_400
VERDICT_COUNTS_TTL_S = 300
MINUTE_S = 60


class Finished(NamedTuple):
    """An item's result: its JSON, and what the live view, metrics and traces say of it.

    `verdict` is the status of a program that was only run. `passed` and `total` count tests, None if there are none.
    """

    json: bytes
    verdict: str
    passed: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class FinishedItem:
    """One item that has its result. Times are seconds, `at` since the epoch."""

    item: Item
    verdict: str
    passed: int | None
    total: int | None
    finished_at: float
    took_s: float

    def to_dict(self, worker: str) -> dict[str, Any]:
        """What the watchers see: never code, input or output."""
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
    """One worker's. Thread-safe; `begins` and `ends` touch no network."""

    redis: Redis
    worker: str
    _finished: deque[FinishedItem] = field(default_factory=lambda: deque(maxlen=MAX_RESULTS_PER_PUBLISH))
    _verdict_counts: Counter[tuple[int, str]] = field(default_factory=Counter)
    _current: tuple[Item, float] | None = None
    _finished_total: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start_item(self, item: Item) -> None:
        """From here on the slot is busy with it."""
        self._current = item, time.time()

    def finish_item(self, item: Item, result: Finished) -> None:
        """Record the item's result; the slot is idle."""
        now = time.time()
        began = self._current[1] if self._current is not None else now
        with self._lock:
            self._current = None
            self._finished_total += 1
            self._verdict_counts[int(now), result.verdict] += 1
            self._finished.append(FinishedItem(item, result.verdict, result.passed, result.total, now, now - began))

    def drop_item(self) -> None:
        """The current item ends here without a result, or goes back to the queue; the slot is idle."""
        self._current = None

    def describe_state(self) -> Mapping[str, Any]:
        """What goes out with the heartbeat."""
        current = self._current
        if current is None:
            return {"state": "idle", "done": self._finished_total, "since": None, "running": None}
        item, since = current
        running = {"id": item.id, "kind": item.kind, "language": get_language(item), "lane": get_lane(item)}
        return {"state": "busy", "done": self._finished_total, "since": round(since, 3), "running": running}

    def publish(self) -> None:
        """Tell what ended since the last time, in one round trip; none where nothing did. Raises RedisError."""
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
    """Return the language as the client named it; for a vote, its candidates' languages."""
    if isinstance(item.work, VoteRequest):
        return "+".join(sorted({candidate.language for candidate in item.work.candidates})[:3])
    return "" if item.work is None else item.work.language


def get_lane(item: Item) -> str:
    return "" if item.work is None else item.work.priority.value


def read_verdicts_by_second(redis: Redis, now: float, window_s: int) -> list[dict[str, Any]]:
    """Verdicts of each of the last `last_s` whole seconds that had any: `{"at": s, "verdicts": {verdict: number}}`."""
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
    """What ended last, newest first."""
    return _parse_newest_first(redis.lrange(redis_keys.RECENT_RESULTS, 0, limit - 1))


def _parse_newest_first(texts: Iterable[bytes]) -> list[dict[str, Any]]:
    return sorted((json.loads(text) for text in texts), key=lambda one: -float(one["at"]))
