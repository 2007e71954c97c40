"""The metrics of a worker. It records an item's trace once, when the item has its result."""

from __future__ import annotations

import time
from collections import Counter
from functools import partial
from typing import Literal

from sandbox.box.environment import BuildOutcome
from sandbox.box.observer import Cache
from sandbox.errors import BoxError, BoxOutOfMemory, EngineUnavailable
from sandbox.queue.lifecycle import ItemTrace, LifecycleObserver
from sandbox.telemetry import definitions
from sandbox.telemetry.registry import MetricsRegistry
from sandbox.worker.item_trace import SlotObserver, SlotState

WorkerRole = Literal["slot", "express"]
STATES: tuple[SlotState, ...] = ("warming", "idle", "busy")
CACHES: tuple[Cache, ...] = ("box", "interpreter")
FAILURE_REASONS = (BoxError.__name__, BoxOutOfMemory.__name__, EngineUnavailable.__name__, "worker_gone")


class WorkerMetrics(LifecycleObserver, SlotObserver):
    """One worker's metrics. Reserved workers have their own role. `slot` is the number of the worker's slot."""

    def __init__(self, registry: MetricsRegistry, role: WorkerRole = "slot", slot: int = 0) -> None:
        self._registry = registry
        self._role = role
        name = f"express-{slot}" if role == "express" else str(slot)
        self._since = {state: registry.gauge(definitions.SLOT_SINCE, name, state) for state in STATES}
        self._states = {state: registry.gauge(definitions.SLOTS, state, role) for state in STATES}
        self._state: SlotState | None = None
        self._series: dict[tuple[str, str, str], _LabeledSeries] = {}
        for gauge in self._states.values():
            gauge.set(0)
        # Start at 0: then the first failure shows as an increase, and ratios have both terms.
        for cache in CACHES:
            registry.counter(definitions.CACHE_HITS, cache)
            registry.counter(definitions.CACHE_MISSES, cache)
        for reason in FAILURE_REASONS:
            registry.counter(definitions.FAILURES, reason)
            registry.counter(definitions.RETRIES, reason)

    def record_box_started(self, image: str) -> None:
        self._registry.counter(definitions.BOXES_CREATED, image).inc()
        self._registry.gauge(definitions.BOXES, image).inc()

    def record_box_ended(self, image: str, reason: str) -> None:
        self._registry.counter(definitions.BOXES_DESTROYED, image, reason).inc()
        self._registry.gauge(definitions.BOXES, image).dec()
        if reason in {"age", "run_count"}:
            self._registry.counter(definitions.BOXES_RECYCLED, image, reason).inc()

    def record_failure(self, reason: str, will_retry: bool) -> None:
        self._registry.counter(definitions.FAILURES, reason).inc()
        if will_retry:
            self._registry.counter(definitions.RETRIES, reason).inc()

    def record_environment_build(self, outcome: BuildOutcome, seconds: float) -> None:
        self._registry.counter(definitions.ENVIRONMENT_BUILDS, outcome).inc()
        self._registry.histogram(definitions.ENVIRONMENT_BUILD_DURATION).observe(seconds)

    def set_slot_state(self, state: SlotState) -> None:
        if state == self._state:
            return
        if self._state is not None:
            self._states[self._state].set(0)
            self._since[self._state].set(0)
        self._states[state].set(1)
        self._since[state].set(time.time())
        self._state = state

    def record_finished(self, trace: ItemTrace) -> None:
        labels = trace.kind, trace.lane, trace.language
        try:
            series = self._series[labels]
        except KeyError:
            series = self._series[labels] = _LabeledSeries(self._registry, self._role, *labels)
        series.count(trace)
        self._registry.counter(definitions.KEY_BUSY, trace.item.client or definitions.NO_KEY).inc(trace.took_s)


class _LabeledSeries:
    """The series for one kind, lane and language. They are cached, because a lookup costs as much as counting."""

    def __init__(self, registry: MetricsRegistry, role: WorkerRole, kind: str, lane: str, language: str) -> None:
        self._verdict = partial(registry.counter, definitions.VERDICTS, kind, language, lane)
        self._test = partial(registry.counter, definitions.TESTS, language, lane)
        self._cache_hits = partial(registry.counter, definitions.CACHE_HITS)
        self._cache_misses = partial(registry.counter, definitions.CACHE_MISSES)
        self._queue_wait = registry.histogram(definitions.QUEUE_WAIT, lane)
        self._end_to_end = registry.histogram(definitions.END_TO_END, kind, lane)
        self._box_wait = registry.histogram(definitions.BOX_WAIT, language)
        self._compile = partial(registry.histogram, definitions.COMPILE_DURATION, language)
        self._run = registry.histogram(definitions.RUN_DURATION, language)
        self._judge = registry.histogram(definitions.JUDGE_DURATION, kind)
        self._busy = registry.counter(definitions.SLOT_BUSY, role)
        self._input = registry.counter(definitions.BOX_INPUT)
        self._output = registry.counter(definitions.BOX_OUTPUT)

    def count(self, trace: ItemTrace) -> None:
        queued_s, took_s, seconds = trace.queued_s, trace.took_s, trace.seconds_by_phase
        self._verdict(trace.verdict).inc()
        self._queue_wait.observe(queued_s)
        self._end_to_end.observe(queued_s + took_s)
        self._busy.inc(took_s)
        self._box_wait.observe(seconds.get("box", 0.0))
        self._run.observe(seconds.get("run", 0.0))
        if "compile" in seconds:
            self._compile().observe(seconds["compile"])
        self._judge.observe(trace.judge_s)
        self._input.inc(trace.sent_bytes)
        self._output.inc(trace.received_bytes)
        for (cache, hit), number in trace.cache_uses.items():
            (self._cache_hits if hit else self._cache_misses)(cache).inc(number)
        if trace.kind == "verify":
            self._count_tests(trace)

    def _count_tests(self, trace: ItemTrace) -> None:
        if not trace.test_verdicts and trace.total:  # all tests are accepted
            self._test("accepted").inc(trace.total)
        for verdict, number in Counter(trace.test_verdicts).items():
            self._test(verdict).inc(number)
