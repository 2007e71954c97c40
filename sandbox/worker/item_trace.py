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
from sandbox.box.observer import NULL_BOX_OBSERVER, Cache, Phase
from sandbox.errors import BadRequest
from sandbox.queue import activity
from sandbox.queue.activity import Finished
from sandbox.queue.job_batch import Item
from sandbox.request_context import LOG_FIELDS

logger = logging.getLogger(__name__)

SlotState = Literal["warming", "idle", "busy"]
MAX_PHASES = 256  # kept one by one for traces; beyond that their sums alone


@dataclass(slots=True)
class ItemTrace:
    """One item's way.

    `began` and `ended` are seconds since the epoch, stages are seconds after `began`; `total` counts the tests, where
    there are any.
    """

    item: Item
    lane: str
    kind: str
    language: str
    started_at: float
    ended_at: float = 0.0
    result: bytes = b""
    verdict: str = ""
    test_count: int = 0
    phases: list[tuple[Phase, float, float]] = field(default_factory=list)
    seconds_by_phase: dict[Phase, float] = field(default_factory=dict)
    covered_s: float = 0.0
    covered_until_s: float = 0.0
    sent_bytes: int = 0
    received_bytes: int = 0
    cache_uses: dict[tuple[Cache, bool], int] = field(default_factory=dict)

    @property
    def queued_s(self) -> float:
        return max(0.0, self.started_at - self.item.submitted_at)

    @property
    def took_s(self) -> float:
        return max(0.0, self.ended_at - self.started_at)

    @property
    def judge_s(self) -> float:
        return max(0.0, self.took_s - self.covered_s)


class WorkerObserver(Protocol):
    """Told what becomes of a worker's boxes and items."""

    def record_box_started(self, image: str) -> None: ...

    def record_box_ended(self, image: str, reason: str) -> None: ...

    def record_failure(self, reason: str, will_retry: bool) -> None: ...

    def set_slot_state(self, state: SlotState) -> None: ...

    def record_trace(self, trace: ItemTrace) -> None: ...


class NullObserver:
    """Sees nothing."""

    record_box_started = NULL_BOX_OBSERVER.record_box_started
    record_box_ended = NULL_BOX_OBSERVER.record_box_ended
    record_failure = NULL_BOX_OBSERVER.record_failure

    def set_slot_state(self, state: SlotState) -> None:
        return

    def record_trace(self, trace: ItemTrace) -> None:
        return


class ItemTracer:
    """One worker's. `box.watch.BoxWatch` for its slot; `begins`, `ends` and `rests` are the worker's to call."""

    def __init__(
        self, observer: WorkerObserver | None = None, trace_handlers: Sequence[Callable[[ItemTrace], None]] = ()
    ) -> None:
        self._observer: WorkerObserver = NullObserver() if observer is None else observer
        self._trace_handlers = trace_handlers
        self._trace: ItemTrace | None = None
        self._started = 0.0
        self._lock = threading.Lock()  # a program and its interactor run side by side
        self.record_box_started = self._observer.record_box_started
        self.record_box_ended = self._observer.record_box_ended
        self.record_failure = self._observer.record_failure
        self._observer.set_slot_state("warming")

    def start_item(self, item: Item, lane: str) -> None:
        """From here on, what the slot says is about this item."""
        LOG_FIELDS.set(build_log_fields(item, lane))
        self._trace = ItemTrace(item, lane, item.kind, get_canonical_language(item), time.time())
        self._started = time.monotonic()
        self._observer.set_slot_state("busy")

    def finish_item(self, result: Finished) -> None:
        """Record the item's result, and hand its trace to the observers."""
        trace = self._trace
        if trace is None:
            return
        self._trace = None
        trace.ended_at = trace.started_at + time.monotonic() - self._started
        trace.result = result.json
        trace.verdict = result.verdict
        trace.test_count = result.total or 0
        self._observer.record_trace(trace)
        for handle_trace in self._trace_handlers:
            handle_trace(trace)

    def set_idle(self) -> None:
        """Nothing is left to do here for now."""
        self._trace = None
        LOG_FIELDS.set({})
        self._observer.set_slot_state("idle")

    def set_warming(self) -> None:
        """The slot has no box and cannot start one."""
        self._trace = None
        LOG_FIELDS.set({})
        self._observer.set_slot_state("warming")

    def record_reaped(self, batches: int) -> None:
        """So many envelopes were found whose worker is gone, and are queued again."""
        for _ in range(batches):
            self.record_failure("worker_gone", True)

    def record_phase(self, phase: Phase, began: float, ended: float, sent: int = 0, received: int = 0) -> None:
        trace = self._trace
        if phase == "box" and ended - began > 0.001:
            self._observer.set_slot_state("busy" if trace is not None else "idle")
        if trace is None:
            return
        with self._lock:
            from_s, until_s = began - self._started, ended - self._started
            if len(trace.phases) < MAX_PHASES:
                trace.phases.append((phase, from_s, until_s))
            trace.seconds_by_phase[phase] = trace.seconds_by_phase.get(phase, 0.0) + ended - began
            trace.covered_s += max(0.0, until_s - max(from_s, trace.covered_until_s))
            trace.covered_until_s = max(until_s, trace.covered_until_s)
            trace.sent_bytes += sent
            trace.received_bytes += received

    def record_cache_use(self, cache: Cache, hit: bool) -> None:
        if cache == "box" and not hit:
            self._observer.set_slot_state("warming")
        if self._trace is not None:
            uses = self._trace.cache_uses
            uses[cache, hit] = uses.get((cache, hit), 0) + 1


def log_trace(trace: ItemTrace) -> None:
    """A line for each item that has its result; its ids are in every line logged meanwhile."""
    logger.info(
        "judged" if trace.kind == "verify" else "ran",
        extra={
            "kind": trace.kind,
            "language": trace.language,
            "verdict": trace.verdict,
            "queued_s": round(trace.queued_s, 6),
            "took_s": round(trace.took_s, 6),
        },
    )


def build_log_fields(item: Item, lane: str) -> dict[str, str]:
    """What every log line about an item says: its ids, and its lane."""
    fields = {"submission": item.submission, "lane": lane}
    if item.index is not None:
        fields["item"] = item.id
    if item.request:
        fields["request"] = item.request
    if item.client:
        fields["key"] = item.client
    return fields


def get_canonical_language(item: Item) -> str:
    """The table's name, and not the client's alias: what a client makes up must not become a series of its own."""
    name = activity.get_language(item)
    try:
        return languages.get_language(name).name
    except BadRequest:
        return "several" if "+" in name else "unknown"
