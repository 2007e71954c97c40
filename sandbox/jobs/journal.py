"""The way of each item through a worker, written down once for all who want to know: metrics, traces and the log.

Theory of operation. The slot and its boxes say when they were waited for, compiled and ran; the journal adds that up in
the journey of the item that is being performed, and hands the journey over when the item has its result. So what is
done for each run is an addition, and what costs more is done once an item. Judging is what is left of an item's time:
whatever is neither waiting for a box nor compiling nor running.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from sandbox import languages
from sandbox.box.watch import UNWATCHED, Cache, Stage
from sandbox.errors import BadRequest
from sandbox.jobs import activity
from sandbox.jobs.envelope import Item
from sandbox.origin import LOGGED

logger = logging.getLogger(__name__)

SlotState = Literal["warming", "idle", "busy"]
MOST_STAGES = 256  # kept one by one for traces; beyond that their sums alone


@dataclass(slots=True)
class Journey:
    """One item's way.

    `began` and `ended` are seconds since the epoch, stages are seconds after `began`; `total` counts the tests, where
    there are any.
    """

    item: Item
    lane: str
    kind: str
    language: str
    began: float
    ended: float = 0.0
    result: bytes = b""
    verdict: str = ""
    total: int = 0
    stages: list[tuple[Stage, float, float]] = field(default_factory=list)
    seconds: dict[Stage, float] = field(default_factory=dict)
    covered_s: float = 0.0
    covered_until_s: float = 0.0
    sent: int = 0
    received: int = 0
    uses: dict[tuple[Cache, bool], int] = field(default_factory=dict)

    @property
    def queued_s(self) -> float:
        return max(0.0, self.began - self.item.submitted_at)

    @property
    def took_s(self) -> float:
        return max(0.0, self.ended - self.began)

    @property
    def judge_s(self) -> float:
        return max(0.0, self.took_s - self.covered_s)


class Watcher(Protocol):
    """Told what becomes of a worker's boxes and items."""

    def started(self, image: str) -> None: ...

    def ended(self, image: str, reason: str) -> None: ...

    def failed(self, reason: str, again: bool) -> None: ...

    def slot_is(self, state: SlotState) -> None: ...

    def arrived(self, journey: Journey) -> None: ...


class Blind:
    """Sees nothing."""

    started = UNWATCHED.started
    ended = UNWATCHED.ended
    failed = UNWATCHED.failed

    def slot_is(self, state: SlotState) -> None:
        return

    def arrived(self, journey: Journey) -> None:
        return


class Journal:
    """One worker's. `box.watch.BoxWatch` for its slot; `begins`, `ends` and `rests` are the worker's to call."""

    def __init__(self, watcher: Watcher | None = None, readers: Sequence[Callable[[Journey], None]] = ()) -> None:
        self._watcher: Watcher = Blind() if watcher is None else watcher
        self._readers = readers
        self._journey: Journey | None = None
        self._began = 0.0
        self._lock = threading.Lock()  # a program and its interactor run side by side
        self.started = self._watcher.started
        self.ended = self._watcher.ended
        self.failed = self._watcher.failed
        self._watcher.slot_is("warming")

    def begins(self, item: Item, lane: str) -> None:
        """From here on, what the slot says is about this item."""
        LOGGED.set(fields_of(item, lane))
        self._journey = Journey(item, lane, activity.kind_of(item), language_of(item), time.time())
        self._began = time.monotonic()
        self._watcher.slot_is("busy")

    def ends(self, result: bytes) -> None:
        """The item has its result, as JSON."""
        journey = self._journey
        if journey is None:
            return
        self._journey = None
        journey.ended = journey.began + time.monotonic() - self._began
        journey.result = result
        journey.verdict, _, total = activity.verdict_of(result)
        journey.total = total or 0
        self._watcher.arrived(journey)
        for read in self._readers:
            read(journey)

    def rests(self) -> None:
        """Nothing is left to do here for now."""
        self._journey = None
        LOGGED.set({})
        self._watcher.slot_is("idle")

    def waits(self) -> None:
        """The slot has no box and cannot start one."""
        self._journey = None
        LOGGED.set({})
        self._watcher.slot_is("warming")

    def reaped(self, envelopes: int) -> None:
        """So many envelopes were found whose worker is gone, and are queued again."""
        for _ in range(envelopes):
            self.failed("worker_gone", True)

    def stage(self, stage: Stage, began: float, ended: float, sent: int = 0, received: int = 0) -> None:
        journey = self._journey
        if stage == "box" and ended - began > 0.001:
            self._watcher.slot_is("busy" if journey is not None else "idle")
        if journey is None:
            return
        with self._lock:
            from_s, until_s = began - self._began, ended - self._began
            if len(journey.stages) < MOST_STAGES:
                journey.stages.append((stage, from_s, until_s))
            journey.seconds[stage] = journey.seconds.get(stage, 0.0) + ended - began
            journey.covered_s += max(0.0, until_s - max(from_s, journey.covered_until_s))
            journey.covered_until_s = max(until_s, journey.covered_until_s)
            journey.sent += sent
            journey.received += received

    def used(self, cache: Cache, hit: bool) -> None:
        if cache == "box" and not hit:
            self._watcher.slot_is("warming")
        if self._journey is not None:
            uses = self._journey.uses
            uses[cache, hit] = uses.get((cache, hit), 0) + 1


def log_journey(journey: Journey) -> None:
    """A line for each item that has its result; its ids are in every line logged meanwhile."""
    logger.info(
        "judged" if journey.kind == "verify" else "ran",
        extra={
            "kind": journey.kind,
            "language": journey.language,
            "verdict": journey.verdict,
            "queued_s": round(journey.queued_s, 6),
            "took_s": round(journey.took_s, 6),
        },
    )


def fields_of(item: Item, lane: str) -> dict[str, str]:
    """What every log line about an item says: its ids, and its lane."""
    fields = {"submission": item.submission, "lane": lane}
    if item.index is not None:
        fields["item"] = item.id
    if item.request:
        fields["request"] = item.request
    if item.client:
        fields["key"] = item.client
    return fields


def language_of(item: Item) -> str:
    """The table's name, and not the client's alias: what a client makes up must not become a series of its own."""
    name = activity.language_of(item)
    try:
        return languages.named(name).name
    except BadRequest:
        return "several" if "+" in name else "unknown"
