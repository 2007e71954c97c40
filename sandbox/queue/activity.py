"""The current and recently finished items of each worker, for the live view.

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
from typing import Any

from redis import Redis
from redis.client import Pipeline

from sandbox.queue import redis_keys
from sandbox.queue.job_batch import Item
from sandbox.queue.lifecycle import DropReason, ItemTrace, LifecycleObserver, get_lane, get_language

MAX_RECENT_RESULTS = 500
MAX_RESULTS_PER_PUBLISH = 100  # under load nobody reads all of them, and each costs 16 us
RECENT_RESULTS_TTL_S = 86_400
VERDICT_COUNTS_TTL_S = 300
VERDICT_HISTORY_TTL_S = 26 * 3_600  # the hour that ends within the last 24 hours, and one more for clocks that differ
MINUTE_S = 60
HOUR_S = 3_600


class WorkerActivity(LifecycleObserver):
    """The activity of one worker. Thread-safe. Only `publish` accesses the network."""

    def __init__(self, redis: Redis, worker: str) -> None:
        self._redis = redis
        self._worker = worker
        self._finished: deque[ItemTrace] = deque(maxlen=MAX_RESULTS_PER_PUBLISH)
        self._verdict_counts: Counter[tuple[int, str]] = Counter()
        self._current: ItemTrace | None = None
        self._helped: tuple[Item, float] | None = None
        self._finished_total = 0
        self._lock = threading.Lock()

    def record_started(self, trace: ItemTrace) -> None:
        """Mark the slot as busy with this item."""
        self._current = trace

    def record_finished(self, trace: ItemTrace) -> None:
        """Record the item's result and mark the slot as idle."""
        with self._lock:
            self._current = None
            self._finished_total += 1
            self._verdict_counts[int(trace.ended_at), trace.verdict] += 1
            self._finished.append(trace)

    def record_dropped(self, reason: DropReason) -> None:
        """Mark the slot as idle; its item ended without a result."""
        self._current = None

    def record_help(self, item: Item | None) -> None:
        """Mark the slot as busy with tests of another worker's item; None: as idle."""
        self._helped = None if item is None else (item, time.time())

    def describe_state(self) -> Mapping[str, Any]:
        """Return the fields to send with the heartbeat."""
        current = self._current
        busy_with = self._helped if current is None else (current.item, current.started_at)
        if busy_with is None:
            return {"state": "idle", "done": self._finished_total, "since": None, "running": None}
        item, started_at = busy_with
        running = {"id": item.id, "kind": item.kind, "language": get_language(item), "lane": get_lane(item)}
        since = round(started_at, 3)
        return {"state": "busy", "done": self._finished_total, "since": since, "running": running}

    def publish(self) -> None:
        """Publish the items that finished since the last call, in at most one round trip. Raises RedisError."""
        with self._lock:
            ended, self._finished = self._finished, deque(maxlen=MAX_RESULTS_PER_PUBLISH)
            rates, self._verdict_counts = self._verdict_counts, Counter()
        if not rates:
            return
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.lpush(redis_keys.RECENT_RESULTS, *(json.dumps(describe_finished(one, self._worker)) for one in ended))
        pipeline.ltrim(redis_keys.RECENT_RESULTS, 0, MAX_RECENT_RESULTS - 1)
        pipeline.expire(redis_keys.RECENT_RESULTS, RECENT_RESULTS_TTL_S)
        for (second, verdict), number in rates.items():
            pipeline.hincrby(redis_keys.verdict_counts(second // MINUTE_S), f"{second} {verdict}", number)
        for minute in {second // MINUTE_S for second, _ in rates}:
            pipeline.expire(redis_keys.verdict_counts(minute), VERDICT_COUNTS_TTL_S)
        _add_to_history(pipeline, rates)
        pipeline.execute()


def _add_to_history(pipeline: Pipeline, rates: Mapping[tuple[int, str], int]) -> None:
    """Count the verdicts by minute, in one hash per hour: at most 60 fields for each verdict."""
    by_minute: Counter[tuple[int, str]] = Counter()
    for (second, verdict), number in rates.items():
        by_minute[second - second % MINUTE_S, verdict] += number
    for (minute, verdict), number in by_minute.items():
        pipeline.hincrby(redis_keys.verdict_history(minute // HOUR_S), f"{minute} {verdict}", number)
    for hour in {minute // HOUR_S for minute, _ in by_minute}:
        pipeline.expire(redis_keys.verdict_history(hour), VERDICT_HISTORY_TTL_S)


def describe_finished(trace: ItemTrace, worker: str) -> dict[str, Any]:
    """Return what the live view shows of a finished item: never code, input, or output."""
    item = trace.item
    return {
        "id": item.id,
        "job": item.submission if item.kept else None,
        "kind": item.kind,
        "language": get_language(item),
        "lane": get_lane(item),
        "verdict": trace.verdict,
        "passed": trace.passed,
        "total": trace.total,
        "at": round(trace.ended_at, 3),
        "queued_s": round(trace.queued_s, 6),
        "took_s": round(trace.took_s, 6),
        "worker": worker,
    }


def read_verdicts_by_second(redis: Redis, now: float, window_s: int) -> list[dict[str, Any]]:
    """Return `{"at": second, "verdicts": {verdict: count}}` for each of the last `window_s` seconds with a verdict."""
    first = int(now) - window_s
    minutes = range(first // MINUTE_S, int(now) // MINUTE_S + 1)
    return _read_counts(redis, [redis_keys.verdict_counts(minute) for minute in minutes], first, now, step_s=1)


def read_verdict_history(redis: Redis, now: float, window_s: int, step_s: int) -> list[dict[str, Any]]:
    """Return the verdicts of each `step_s` seconds, a multiple of 60, of the last `window_s`, at most 24 hours.

    The entries are those of `read_verdicts_by_second`; `at` is when the period begins. Periods begin at multiples of
    `step_s`, and the first one is whole.
    """
    first = (int(now) - window_s) // step_s * step_s
    hours = range(first // HOUR_S, int(now) // HOUR_S + 1)
    return _read_counts(redis, [redis_keys.verdict_history(hour) for hour in hours], first, now, step_s)


def _read_counts(redis: Redis, keys: Iterable[str], first: int, now: float, step_s: int) -> list[dict[str, Any]]:
    pipeline = redis.pipeline(transaction=False)
    for key in keys:
        pipeline.hgetall(key)
    found: dict[int, Counter[str]] = {}
    for fields in pipeline.execute():
        for name, number in fields.items():
            at, _, verdict = name.decode().partition(" ")
            if first <= int(at) <= now:
                found.setdefault(int(at) // step_s * step_s, Counter())[verdict] += int(number)
    return [{"at": at, "verdicts": dict(found[at])} for at in sorted(found)]


def read_recent(redis: Redis, limit: int = MAX_RECENT_RESULTS) -> list[dict[str, Any]]:
    """Return the latest results, newest first."""
    return _parse_newest_first(redis.lrange(redis_keys.RECENT_RESULTS, 0, limit - 1))


def _parse_newest_first(texts: Iterable[bytes]) -> list[dict[str, Any]]:
    return sorted((json.loads(text) for text in texts), key=lambda one: -float(one["at"]))
