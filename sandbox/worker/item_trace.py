"""Record the path of each item through a worker, as a single source for metrics, traces, and logs.

Theory of operation. The slot and its boxes report when they waited for a box, compiled, or ran. The tracer adds these
phases to the trace of the current item, and passes the trace to its observers when the item has its result. Each run
therefore costs an addition, and more expensive work happens once per item. Judging time is the rest: the time that is
not spent waiting for a box, compiling, or running.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Literal

from sandbox import languages
from sandbox.box.environment import BuildOutcome
from sandbox.box.observer import Cache, Phase
from sandbox.errors import BadRequest
from sandbox.queue.job_batch import Item
from sandbox.queue.lifecycle import DropReason, Finished, ItemTrace, LifecycleObserver, get_language
from sandbox.request_context import LOG_FIELDS

SlotState = Literal["warming", "idle", "busy"]
MAX_PHASES = 256  # recorded one by one; further phases only add to the sums


class SlotObserver:
    """Receives the events of a worker's slot and its boxes. A subclass overrides the methods that it needs."""

    def record_box_started(self, image: str) -> None:
        """Record that a box has started."""

    def record_box_ended(self, image: str, reason: str) -> None:
        """Record that a box has ended. The reason is a key of `slot.DISCARD_REASONS`."""

    def record_failure(self, reason: str, will_retry: bool) -> None:
        """Record that the service failed a run, and whether it will retry."""

    def record_environment_build(self, outcome: BuildOutcome, seconds: float) -> None:
        """Record that the image of an environment was built, or that its build failed."""

    def set_slot_state(self, state: SlotState) -> None:
        """Record the state of the slot, which may be the same as before."""


class ItemTracer:
    """Builds the item traces of one worker, and reports the stages of its items to the observers.

    The slot uses it as its box observer. The worker calls `start_item`, then `finish_item` or `drop_item`, and
    `set_idle` or `set_warming` while it has no item.
    """

    def __init__(self, observers: Sequence[LifecycleObserver] = (), slot_observer: SlotObserver | None = None) -> None:
        self._observers = list(observers)
        self._slot_observer = SlotObserver() if slot_observer is None else slot_observer
        self._trace: ItemTrace | None = None
        self._is_helping = False
        self._started = 0.0
        self._lock = threading.Lock()  # a program and its interactor run side by side
        self.record_box_started = self._slot_observer.record_box_started
        self.record_box_ended = self._slot_observer.record_box_ended
        self.record_failure = self._slot_observer.record_failure
        self.record_environment_build = self._slot_observer.record_environment_build
        self._slot_observer.set_slot_state("warming")

    def add_observer(self, observer: LifecycleObserver) -> None:
        self._observers.append(observer)

    def start_item(self, item: Item, lane: str) -> None:
        """Attribute the slot's events to this item from now on."""
        LOG_FIELDS.set(build_log_fields(item, lane))
        self._trace = trace = ItemTrace(item, lane, item.kind, get_canonical_language(item), time.time())
        self._started = time.monotonic()
        self._slot_observer.set_slot_state("busy")
        for observer in self._observers:
            observer.record_started(trace)

    def start_help(self, item: Item, lane: str) -> None:
        """Record that the slot runs tests of another worker's item, whose trace belongs to that worker."""
        LOG_FIELDS.set(build_log_fields(item, lane))
        self._is_helping = True
        self._slot_observer.set_slot_state("busy")

    def finish_item(self, result: Finished) -> None:
        """Record the item's result, and pass its trace to the observers."""
        trace = self._trace
        if trace is None:
            return
        self._trace = None
        trace.ended_at = trace.started_at + time.monotonic() - self._started
        trace.result = result.json
        _, trace.verdict, trace.passed, trace.total, trace.test_verdicts = result
        for observer in self._observers:
            observer.record_finished(trace)
        trace.result = b""  # an observer may keep the trace, and results can be large

    def drop_item(self, reason: DropReason) -> None:
        """Forget the current item, which ends without a result or runs again elsewhere."""
        self._trace = None
        for observer in self._observers:
            observer.record_dropped(reason)

    def set_idle(self) -> None:
        """Record that the slot has no work."""
        self._trace, self._is_helping = None, False
        LOG_FIELDS.set({})
        self._slot_observer.set_slot_state("idle")

    def set_warming(self) -> None:
        """Record that the slot has no box and cannot start one."""
        self._trace = None
        LOG_FIELDS.set({})
        self._slot_observer.set_slot_state("warming")

    def record_reaped(self, batches: int) -> None:
        """Record that batches of dead workers were requeued."""
        for _ in range(batches):
            self.record_failure("worker_gone", True)

    def record_phase(self, phase: Phase, began: float, ended: float, sent: int = 0, received: int = 0) -> None:
        trace = self._trace
        if phase == "box" and ended - began > 0.001:
            self._slot_observer.set_slot_state("idle" if trace is None and not self._is_helping else "busy")
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
            self._slot_observer.set_slot_state("warming")
        if self._trace is not None:
            uses = self._trace.cache_uses
            uses[cache, hit] = uses.get((cache, hit), 0) + 1


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
    name = get_language(item)
    try:
        return languages.get_language(name).name
    except BadRequest:
        return "several" if "+" in name else "unknown"
