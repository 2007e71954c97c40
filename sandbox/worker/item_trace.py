"""Record the path of each item through a worker, as a single source for metrics, traces, and logs.

Theory of operation. The slot and its boxes report when they waited for a box, compiled, or ran. The tracer adds these
phases to the trace of the current item, and passes the trace to its observers when the item has its result. Each run
therefore costs an addition, and more expensive work happens once per item. Judging time is the rest: the time that is
not spent waiting for a box, compiling, or running.
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
MAX_PHASES = 256  # recorded one by one; further phases only add to the sums


@dataclass(slots=True)
class ItemTrace:
    """The path of one item.

    `started_at` and `ended_at` are in seconds since the epoch, `phases` in seconds after the start. `test_count` is 0
    if there are no tests.
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
    """Receives the events of a worker's boxes and items."""

    def record_box_started(self, image: str) -> None: ...

    def record_box_ended(self, image: str, reason: str) -> None: ...

    def record_failure(self, reason: str, will_retry: bool) -> None: ...

    def set_slot_state(self, state: SlotState) -> None: ...

    def record_trace(self, trace: ItemTrace) -> None: ...


class NullObserver:
    """Ignores all events."""

    record_box_started = NULL_BOX_OBSERVER.record_box_started
    record_box_ended = NULL_BOX_OBSERVER.record_box_ended
    record_failure = NULL_BOX_OBSERVER.record_failure

    def set_slot_state(self, state: SlotState) -> None:
        return

    def record_trace(self, trace: ItemTrace) -> None:
        return


class ItemTracer:
    """Builds the item traces of one worker.

    The slot uses it as its box observer. The worker calls `start_item`, `finish_item`, `set_idle`, and `set_warming`.
    """

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
        """Attribute the slot's events to this item from now on."""
        LOG_FIELDS.set(build_log_fields(item, lane))
        self._trace = ItemTrace(item, lane, item.kind, get_canonical_language(item), time.time())
        self._started = time.monotonic()
        self._observer.set_slot_state("busy")

    def finish_item(self, result: Finished) -> None:
        """Record the item's result, and pass its trace to the observer and the handlers."""
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
        """Record that the slot has no work."""
        self._trace = None
        LOG_FIELDS.set({})
        self._observer.set_slot_state("idle")

    def set_warming(self) -> None:
        """Record that the slot has no box and cannot start one."""
        self._trace = None
        LOG_FIELDS.set({})
        self._observer.set_slot_state("warming")

    def record_reaped(self, batches: int) -> None:
        """Record that batches of dead workers were requeued."""
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
    """Log one line for a finished item. The log context adds its ids."""
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
    """Return the fields of every log line about an item: its ids and its lane."""
    fields = {"submission": item.submission, "lane": lane}
    if item.index is not None:
        fields["item"] = item.id
    if item.request:
        fields["request"] = item.request
    if item.client:
        fields["key"] = item.client
    return fields


def get_canonical_language(item: Item) -> str:
    """Return the registered name of an item's language, so that a client's aliases do not create metric series."""
    name = activity.get_language(item)
    try:
        return languages.get_language(name).name
    except BadRequest:
        return "several" if "+" in name else "unknown"
