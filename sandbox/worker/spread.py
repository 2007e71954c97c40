"""Run the tests of an item on its own slot, and on slots that would otherwise be idle.

This module decides when tests are offered to other workers (`queue.offers`), and combines the results. `Tally`
receives them in the order of the tests and applies the rules that skip tests, so the result of an item is the same as
if its tests had run one after another. A quick item never reaches Redis on this path.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence

from redis import Redis
from redis.exceptions import RedisError

from sandbox.box.observer import BoxObserver
from sandbox.box.slot import Slot
from sandbox.errors import InfrastructureError
from sandbox.queue import leases, offers
from sandbox.queue.connection import get_failure_log_level, log_redis_errors
from sandbox.queue.job_batch import Item
from sandbox.queue.offers import Offer, Results
from sandbox.runner.contract import Limits
from sandbox.runner.enums import MAX_WALL_TIME_FACTOR
from sandbox.verify.judge import TestRun
from sandbox.verify.result import TestResult
from sandbox.verify.tally import Judgement, StopRules, Tally

logger = logging.getLogger(__name__)

OFFER_AFTER_S = 0.25
MIN_GAIN_S = 0.1  # of elapsed time, that helpers must be able to save
CHUNK_S = 0.1  # of tests that are taken together
MAX_CHUNK = 1_000
RENEW_INTERVAL_S = 0.5
WAIT_INTERVAL_S = 0.2
EXTRA_WAIT_S = 30.0  # for a test of a living worker, beyond the longest time that the test may take


def should_offer(elapsed_s: float, ended: int, remaining: int, compile_s: float) -> bool:
    """Return whether it is worth offering `remaining` tests, `elapsed_s` after the first of them began.

    A helper compiles the program again, so the remaining tests must take longer than that. The test that runs now
    counts as one that ends now.
    """
    if elapsed_s < OFFER_AFTER_S or not remaining:
        return False
    expected_s = remaining * elapsed_s / (ended + 1)
    return expected_s > compile_s + MIN_GAIN_S


def choose_chunk(elapsed_s: float, ended: int) -> int:
    """Return how many tests to take at once, so that quick tests do not cost a round trip each."""
    return max(1, min(MAX_CHUNK, int(CHUNK_S * ended / elapsed_s))) if ended and elapsed_s else 1


class Spread:
    """Runs the tests of one worker's items. Only `offer` is called from another thread."""

    def __init__(self, redis: Redis, worker: str, lease_s: float, observer: BoxObserver) -> None:
        self._redis = redis
        self._worker = worker
        self._lease_s = lease_s
        self._observer = observer
        self._current: _SpreadTests | None = None
        self._failed_item = ""  # the last item whose box failed

    def judge(
        self, item: Item, slot: Slot, test_runs: Sequence[TestRun], rules: StopRules, compile_s: float
    ) -> Judgement:
        """Judge an item by its tests. Lets exceptions of its own test runs propagate, and of a cancellation.

        If a box fails, the next try runs all tests here and in order. Otherwise a test that breaks boxes could decide
        the result, although the tests before it skip it.
        """
        tests = _SpreadTests(item, slot, test_runs, compile_s, self._redis, self._worker, self._lease_s)
        # Items with large texts are not offered: their file may be reused as soon as the owner ends.
        if len(test_runs) > 1 and not item.spooled and item.id != self._failed_item:
            self._current = tests
        try:
            return tests.judge(rules, self._observer)
        except InfrastructureError:
            self._failed_item = item.id
            raise
        finally:
            self._current = None
            tests.close()

    def offer(self) -> None:
        """Offer tests of the current item, if other workers could run them sooner. Raises RedisError."""
        tests = self._current
        if tests is not None:
            tests.offer()


class _SpreadTests:
    """The tests of one item. `_own` are the tests that only this worker may take, in order."""

    def __init__(
        self,
        item: Item,
        slot: Slot,
        test_runs: Sequence[TestRun],
        compile_s: float,
        redis: Redis,
        worker: str,
        lease_s: float,
    ) -> None:
        self._item = item
        self._slot = slot
        self._test_runs = test_runs
        self._compile_s = compile_s
        self._redis = redis
        self._worker = worker
        self._lease_s = lease_s
        self._own = deque(range(len(test_runs)))
        self._results: Results = {}
        self._ended = 0
        self._began = self._progress_at = time.monotonic()
        self._offer: Offer | None = None
        self._is_closed = False  # no further offer
        self._renewed_at = 0.0
        self._left = 0  # offered tests that nobody has taken
        self._lock = threading.Lock()  # held while the tests become an offer

    def judge(self, rules: StopRules, observer: BoxObserver) -> Judgement:
        tally = Tally(rules)
        while not tally.has_stopped and (first := len(tally)) < len(self._test_runs):
            if first in self._results:
                tally.add(self._results.pop(first))
                continue
            index = self._take_next(first)
            if index == first:
                tally.add(self._run(index))
            elif index is not None:
                self._results[index] = self._run(index)
            elif self._offer is not None:
                began = time.monotonic()
                self._wait(first)
                observer.record_phase("run", began, time.monotonic())
        return tally.finish(len(self._test_runs))

    def _run(self, index: int) -> TestResult:
        result = self._test_runs[index]()
        self._ended += 1
        self._progress_at = time.monotonic()
        return result

    def offer(self) -> None:
        """Offer the tests that have not started, or renew the offer. Raises RedisError."""
        now, offer = time.monotonic(), self._offer
        if offer is not None:
            if now - self._renewed_at >= RENEW_INTERVAL_S:
                self._renewed_at = now
                self._left = offer.renew(self._is_worth_offering(self._left))
            return
        if self._is_closed or not self._is_worth_offering(len(self._own)):
            return
        if not offers.are_lanes_empty(self._redis):
            return
        with self._lock:
            if self._own and not self._is_closed:
                try:
                    self._offer = Offer.publish(self._redis, self._item, list(self._own))
                except RedisError:
                    self._is_closed = True
                    raise
                self._renewed_at = now
                self._left = len(self._own)
                self._own.clear()

    def close(self) -> None:
        """End the offer, if there is one. Its helpers stop."""
        with self._lock:
            self._is_closed = True
        if self._offer is not None:
            with log_redis_errors(logger, "an offer of tests ends only when it expires"):
                self._offer.close()

    def _is_worth_offering(self, remaining: int) -> bool:
        return should_offer(time.monotonic() - self._began, self._ended, remaining, self._compile_s)

    def _take_next(self, first: int) -> int | None:
        """Return the test to run next; None if helpers run all tests that have no result. `first` is the first one."""
        with self._lock:
            if self._own:
                return self._own.popleft()
            offer = self._offer
        return None if offer is None else self._take_offered(offer, first)

    def _take_offered(self, offer: Offer, first: int) -> int | None:
        try:
            taken = offer.take(self._worker, choose_chunk(time.monotonic() - self._began, self._ended))
        except RedisError as error:
            logger.log(get_failure_log_level(), "the results of helpers cannot be read: %s", error)
            taken = None
        if taken is None:
            self._abandon_offer(first)
        else:
            self._add_results(taken.results)
            self._own.extend(taken.tests)
        return self._own.popleft() if self._own else None

    def _wait(self, first: int) -> None:
        """Wait a moment for results of helpers. Take over the tests of helpers that are gone."""
        assert self._offer is not None
        self._slot.stop_signal.raise_if_set()
        try:
            results = self._offer.wait_for_results(WAIT_INTERVAL_S)
            claims = {} if results else self._offer.read_claims()
            living = set() if results else set(leases.list_alive(self._redis, self._lease_s))
        except RedisError as error:
            logger.log(get_failure_log_level(), "the results of helpers cannot be read: %s", error)
            results, claims, living = {}, None, set()
        self._add_results(results)
        if claims is None or time.monotonic() - self._progress_at > self._longest_wait_s:
            self._abandon_offer(first)
        elif not results:
            missing = self._list_missing(first)
            self._own.extend(test for test in missing if test in claims and claims[test] not in living)

    def _add_results(self, results: Results) -> None:
        if results:
            self._results |= results
            self._progress_at = time.monotonic()

    def _list_missing(self, first: int) -> list[int]:
        return [test for test in range(first, len(self._test_runs)) if test not in self._results]

    def _abandon_offer(self, first: int) -> None:
        """Run all tests that have no result on this slot."""
        self.close()
        self._offer = None
        self._own = deque(self._list_missing(first))

    @property
    def _longest_wait_s(self) -> float:
        request = self._item.verify
        assert request is not None
        return EXTRA_WAIT_S + MAX_WALL_TIME_FACTOR * request.limits.resolve(Limits()).wall_time_s
