"""What a worker counts: a journey is turned into numbers once, when its item has its result."""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from typing import Literal

from sandbox.box.watch import Cache
from sandbox.errors import BoxError, BoxOutOfMemory, EngineUnavailable
from sandbox.jobs.journal import Journey, SlotState
from sandbox.metrics import declare
from sandbox.metrics.meters import Meters

Role = Literal["slot", "express"]
STATES: tuple[SlotState, ...] = ("warming", "idle", "busy")
CACHES: tuple[Cache, ...] = ("box", "interpreter")
REASONS = (BoxError.__name__, BoxOutOfMemory.__name__, EngineUnavailable.__name__, "worker_gone")
# A quotation mark inside a JSON string has a backslash before it, so no message can look like this.
_VERDICT = re.compile(rb'"verdict":"(\w+)"')


class WorkerMeters:
    """One worker's numbers; `jobs.journal.Watcher` for its journal. An express worker's slot is one apart."""

    def __init__(self, meters: Meters, role: Role = "slot") -> None:
        self._meters = meters
        self._role = role
        self._states = {state: meters.gauge(declare.SLOTS, state, role) for state in STATES}
        self._state: SlotState | None = None
        self._series: dict[tuple[str, str, str], _Series] = {}
        for gauge in self._states.values():
            gauge.set(0)
        # What never happened is 0 and not absent: so the first failure is a rise, and a ratio has both its terms.
        for cache in CACHES:
            meters.counter(declare.CACHE_HITS, cache)
            meters.counter(declare.CACHE_MISSES, cache)
        for reason in REASONS:
            meters.counter(declare.FAILURES, reason)
            meters.counter(declare.RETRIES, reason)

    def started(self, image: str) -> None:
        self._meters.counter(declare.BOXES_CREATED, image).inc()
        self._meters.gauge(declare.BOXES, image).inc()

    def ended(self, image: str, reason: str) -> None:
        self._meters.counter(declare.BOXES_DESTROYED, image, reason).inc()
        self._meters.gauge(declare.BOXES, image).dec()
        if reason in {"age", "run_count"}:
            self._meters.counter(declare.BOXES_RECYCLED, image, reason).inc()

    def failed(self, reason: str, again: bool) -> None:
        self._meters.counter(declare.FAILURES, reason).inc()
        if again:
            self._meters.counter(declare.RETRIES, reason).inc()

    def slot_is(self, state: SlotState) -> None:
        if state == self._state:
            return
        if self._state is not None:
            self._states[self._state].set(0)
        self._states[state].set(1)
        self._state = state

    def arrived(self, journey: Journey) -> None:
        of = journey.kind, journey.lane, journey.language
        try:
            series = self._series[of]
        except KeyError:
            series = self._series[of] = _Series(self._meters, self._role, *of)
        series.count(journey)


class _Series:
    """What is counted of one kind, lane and language: found once, for looking a series up costs as much as counting."""

    def __init__(self, meters: Meters, role: Role, kind: str, lane: str, language: str) -> None:
        self._verdict = partial(meters.counter, declare.VERDICTS, kind, language, lane)
        self._test = partial(meters.counter, declare.TESTS, language, lane)
        self._cache_hits = partial(meters.counter, declare.CACHE_HITS)
        self._cache_misses = partial(meters.counter, declare.CACHE_MISSES)
        self._queue_wait = meters.histogram(declare.QUEUE_WAIT, lane)
        self._end_to_end = meters.histogram(declare.END_TO_END, kind, lane)
        self._box_wait = meters.histogram(declare.BOX_WAIT, language)
        self._compile = partial(meters.histogram, declare.COMPILE, language)
        self._run = meters.histogram(declare.RUN, language)
        self._judge = meters.histogram(declare.JUDGE, kind)
        self._busy = meters.counter(declare.SLOT_BUSY, role)
        self._input = meters.counter(declare.BOX_INPUT)
        self._output = meters.counter(declare.BOX_OUTPUT)

    def count(self, journey: Journey) -> None:
        queued_s, took_s, seconds = journey.queued_s, journey.took_s, journey.seconds
        self._verdict(journey.verdict).inc()
        self._queue_wait.observe(queued_s)
        self._end_to_end.observe(queued_s + took_s)
        self._busy.inc(took_s)
        self._box_wait.observe(seconds.get("box", 0.0))
        self._run.observe(seconds.get("run", 0.0))
        if "compile" in seconds:
            self._compile().observe(seconds["compile"])
        self._judge.observe(journey.judge_s)
        self._input.inc(journey.sent)
        self._output.inc(journey.received)
        for (cache, hit), number in journey.uses.items():
            (self._cache_hits if hit else self._cache_misses)(cache).inc(number)
        if journey.kind == "verify":
            self._count_tests(journey)

    def _count_tests(self, journey: Journey) -> None:
        if journey.verdict == "accepted" and journey.total:  # every test is, so there is nothing to look for
            self._test("accepted").inc(journey.total)
            return
        for verdict, number in Counter(_VERDICT.findall(journey.result)[1:]).items():
            self._test(verdict.decode()).inc(number)
