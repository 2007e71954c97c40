"""Run tests of another worker's item while this slot would be idle. See `queue.offers`.

A helper never retries and never decides: if anything goes wrong, it returns the test, and the item's owner runs it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence

from redis import Redis
from redis.exceptions import RedisError

from sandbox import languages
from sandbox.box.environment import EnvironmentBusy
from sandbox.box.slot import Slot
from sandbox.errors import Cancelled, CannotRun, InfrastructureError
from sandbox.queue.activity import WorkerActivity
from sandbox.queue.connection import get_failure_log_level, log_redis_errors
from sandbox.queue.job_batch import Item
from sandbox.queue.offers import Offer, Results
from sandbox.queue.rq_compat import StopRequested
from sandbox.runner.contract import Verdict
from sandbox.schema import VerifyRequest
from sandbox.verify.judge import TestRun
from sandbox.worker.environments import ItemEnvironments
from sandbox.worker.execute import DEFAULT_LIMITS, load_program
from sandbox.worker.item_trace import ItemTracer
from sandbox.worker.spread import choose_chunk
from sandbox.worker.test_runs import TestRuns

logger = logging.getLogger(__name__)

MAX_REFUSED = 64  # offers that are remembered because this worker could not help


class IdleHelp:
    """Helps other workers. Only `stop_if_needed` is called from another thread."""

    def __init__(
        self,
        redis: Redis,
        worker: str,
        slot: Slot,
        environments: ItemEnvironments,
        tracer: ItemTracer,
        activity: WorkerActivity,
    ) -> None:
        self._redis = redis
        self._worker = worker
        self._slot = slot
        self._environments = environments
        self._tracer = tracer
        self._activity = activity
        self._refused: deque[str] = deque(maxlen=MAX_REFUSED)
        self._current: Offer | None = None
        self._lock = threading.Lock()  # so that a stop never reaches the next item

    def help(self, offer_id: str) -> None:
        """Run tests of an offer until there are none left, or other work waits."""
        if offer_id in self._refused:
            return
        offer = Offer(self._redis, offer_id)
        try:
            item = offer.read_item()
            if item is not None and item.verify is not None:
                self._help_with(offer, item, item.verify)
        except RedisError as error:
            logger.log(get_failure_log_level(), "cannot help another worker: %s", error)

    def stop_if_needed(self) -> None:
        """Stop the current test if its offer is gone or other work waits. Raises RedisError."""
        offer = self._current
        if offer is not None and offer.must_stop():
            with self._lock:
                if offer is self._current:
                    self._slot.stop_signal.set()

    def _help_with(self, offer: Offer, item: Item, request: VerifyRequest) -> None:
        began = time.monotonic()
        self._slot.stop_signal.clear()
        self._slot.tag = item.id
        self._tracer.start_help(item, request.priority)
        self._activity.record_help(item)
        self._current = offer
        helping = _Helping(offer, self._worker)
        try:
            with self._environments.use(item, may_build=False):
                is_able = self._run_tests(request, helping)
        except Cancelled:
            helping.give_back(close=False)
        except (StopRequested, RedisError):
            helping.give_back(close=False)
            raise
        except EnvironmentBusy:  # other workers may have the image
            self._refused.append(offer.id)
            helping.give_back(close=False)
        except (InfrastructureError, CannotRun) as error:
            logger.warning("cannot run tests for another worker: %s", error)
            self._refuse(helping)
        except Exception:
            # The owner runs the tests itself, and reports what fails there.
            logger.exception("cannot run tests for another worker")
            self._refuse(helping)
        else:
            if not is_able:
                self._refuse(helping)
        finally:
            with self._lock:
                self._current = None
                self._slot.stop_signal.clear()
            took_s = round(time.monotonic() - began, 6)
            if helping.ended:
                logger.info("ran tests for another worker", extra={"tests": helping.ended, "took_s": took_s})
            self._activity.record_help(None)
            self._tracer.set_idle()

    def _refuse(self, helping: _Helping) -> None:
        """Leave the offer to its owner: what fails here may fail on other workers, too."""
        self._refused.append(helping.offer.id)
        helping.give_back(close=True)

    def _run_tests(self, request: VerifyRequest, helping: _Helping) -> bool:
        """Load the program and run tests. Return False if it cannot be compiled here, or a test fails to run."""
        language = languages.get_language(request.language)
        self._slot.require_language(language)
        with self._slot.lend(language.image) as box:
            compiled = load_program(box, request, language)
            if compiled is not None and not compiled.ended_well:
                return False
            limits = request.limits.resolve(DEFAULT_LIMITS)
            with TestRuns(request, language, limits, box, self._slot) as test_runs:
                return helping.run(test_runs)


class _Helping:
    """The tests that a helper has taken, and their results."""

    def __init__(self, offer: Offer, worker: str) -> None:
        self.ended = 0
        self.offer = offer
        self._worker = worker
        self._held: deque[int] = deque()
        self._results: Results = {}

    def run(self, test_runs: Sequence[TestRun]) -> bool:
        """Take and run tests until there are none left. Return False if a test failed because of the service."""
        began = time.monotonic()
        while self._take(choose_chunk(time.monotonic() - began, self.ended)):
            while self._held:
                result = test_runs[self._held[0]]()
                if result.verdict is Verdict.INTERNAL_ERROR:
                    return False
                self._results[self._held.popleft()] = result
                self.ended += 1
        return True

    def give_back(self, close: bool) -> None:
        """Deliver the results so far, and return the tests without one."""
        with log_redis_errors(logger, "tests of another worker are not returned"):
            if self._results:
                self._take(0)
            if self._held or close:
                self.offer.give_back(self._held, close)
                self._held.clear()

    def _take(self, count: int) -> bool:
        """Deliver the results, and take up to `count` more tests. Return whether there are any."""
        taken = self.offer.take_as_helper(self._worker, count, self._results)
        self._results = {}
        self._held.extend(taken)
        return bool(taken)
