"""What a worker does now and has just done, for those who watch.

Theory of operation. Nothing here costs the way of a program a round trip: what a slot does goes out with its heartbeat,
and what it has done lies in memory until the next publication, a few times a second, in one pipeline. Publishing is
best effort: a worker that is killed takes its last half second of it along, and never a result.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from redis import Redis

from sandbox.jobs import keys
from sandbox.jobs.envelope import Item

RECENT_KEPT = 500
TOLD_AT_ONCE = 100  # under load nobody reads them all, and each costs 16 us
RECENT_KEPT_S = 86_400
RATE_KEPT_S = 300
MINUTE_S = 60
# A result begins with what it came to (`schema.StageResult`, `schema.VerifyResult`): parsing all of it could cost as
# much as the run did. An item's id holds no quotation mark.
_EXECUTED = re.compile(rb'\{"status":"(\w+)"')
_VERIFIED = re.compile(rb'\{"id":"[^"]*","verdict":"(\w+)","passed":(\d+),"total":(\d+)')
_VOTED = b"ok"


@dataclass(frozen=True, slots=True)
class Ended:
    """One item that has its result. Times are seconds, `at` since the epoch."""

    item: Item
    verdict: str
    passed: int | None
    total: int | None
    at: float
    took_s: float

    def told(self, worker: str) -> dict[str, Any]:
        """What the watchers see: never code, input or output."""
        item = self.item
        return {
            "id": item.id,
            "job": item.submission if item.kept else None,
            "kind": kind_of(item),
            "language": language_of(item),
            "lane": lane_of(item),
            "verdict": self.verdict,
            "passed": self.passed,
            "total": self.total,
            "at": round(self.at, 3),
            "queued_s": round(max(0.0, self.at - self.took_s - item.submitted_at), 6),
            "took_s": round(self.took_s, 6),
            "worker": worker,
        }


@dataclass
class Activity:
    """One worker's. Thread-safe; `begins` and `ends` touch no network."""

    redis: Redis
    worker: str
    _ended: deque[Ended] = field(default_factory=lambda: deque(maxlen=TOLD_AT_ONCE))
    _rates: Counter[tuple[int, str]] = field(default_factory=Counter)
    _now: tuple[Item, float] | None = None
    _done: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begins(self, item: Item) -> None:
        """From here on the slot is busy with it."""
        self._now = item, time.time()

    def ends(self, item: Item, result: bytes) -> None:
        """It has its result, as JSON; the slot is idle."""
        now = time.time()
        began = self._now[1] if self._now is not None else now
        verdict, passed, total = verdict_of(result)
        with self._lock:
            self._now = None
            self._done += 1
            self._rates[int(now), verdict] += 1
            self._ended.append(Ended(item, verdict, passed, total, now, now - began))

    def drops(self) -> None:
        """The current item ends here without a result, or goes back to the queue; the slot is idle."""
        self._now = None

    def now(self) -> Mapping[str, Any]:
        """What goes out with the heartbeat."""
        current = self._now
        if current is None:
            return {"state": "idle", "done": self._done, "since": None, "running": None}
        item, since = current
        running = {"id": item.id, "kind": kind_of(item), "language": language_of(item), "lane": lane_of(item)}
        return {"state": "busy", "done": self._done, "since": round(since, 3), "running": running}

    def publish(self) -> None:
        """Tell what ended since the last time, in one round trip; none where nothing did. Raises RedisError."""
        with self._lock:
            ended, self._ended = self._ended, deque(maxlen=TOLD_AT_ONCE)
            rates, self._rates = self._rates, Counter()
        if not rates:
            return
        pipeline = self.redis.pipeline(transaction=False)
        pipeline.lpush(keys.RECENT, *(json.dumps(one.told(self.worker)) for one in ended))
        pipeline.ltrim(keys.RECENT, 0, RECENT_KEPT - 1)
        pipeline.expire(keys.RECENT, RECENT_KEPT_S)
        for (second, verdict), number in rates.items():
            pipeline.hincrby(keys.verdicts(second // MINUTE_S), f"{second} {verdict}", number)
        for minute in {second // MINUTE_S for second, _ in rates}:
            pipeline.expire(keys.verdicts(minute), RATE_KEPT_S)
        pipeline.execute()


def verdict_of(result: bytes) -> tuple[str, int | None, int | None]:
    """Verdict or status of a result's JSON, and the tests passed and all, where it was judged on tests."""
    if (judged := _VERIFIED.match(result)) is not None:
        return judged[1].decode(), int(judged[2]), int(judged[3])
    executed = _EXECUTED.match(result)
    return (_VOTED if executed is None else executed[1]).decode(), None, None


def kind_of(item: Item) -> str:
    if item.verify is not None:
        return "verify"
    return "execute" if item.execute is not None else "vote"


def language_of(item: Item) -> str:
    """As the client named it; of a vote, its candidates' languages."""
    request = item.verify or item.execute
    if request is not None:
        return request.language
    named = {one.language for one in item.vote.candidates} if item.vote is not None else set()
    return "+".join(sorted(named)[:3])


def lane_of(item: Item) -> str:
    request = item.verify or item.execute or item.vote
    return "" if request is None else request.priority.value


def seconds(redis: Redis, now: float, last_s: int) -> list[dict[str, Any]]:
    """Verdicts of each of the last `last_s` whole seconds that had any: `{"at": s, "verdicts": {verdict: number}}`."""
    first = int(now) - last_s
    pipeline = redis.pipeline(transaction=False)
    for minute in range(first // MINUTE_S, int(now) // MINUTE_S + 1):
        pipeline.hgetall(keys.verdicts(minute))
    found: dict[int, dict[str, int]] = {}
    for fields in pipeline.execute():
        for name, number in fields.items():
            second, _, verdict = name.decode().partition(" ")
            if first <= int(second) <= now:
                found.setdefault(int(second), {})[verdict] = int(number)
    return [{"at": second, "verdicts": found[second]} for second in sorted(found)]


def recent(redis: Redis, number: int = RECENT_KEPT) -> list[dict[str, Any]]:
    """What ended last, newest first."""
    return _parsed(redis.lrange(keys.RECENT, 0, number - 1))


def _parsed(texts: Iterable[bytes]) -> list[dict[str, Any]]:
    return sorted((json.loads(text) for text in texts), key=lambda one: -float(one["at"]))
