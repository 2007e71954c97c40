"""Tests of one item on several workers give exactly the results that they give one after another."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from redis.exceptions import ConnectionError

from sandbox.box.observer import NULL_BOX_OBSERVER
from sandbox.box.slot import Slot
from sandbox.errors import BoxError, Cancelled
from sandbox.queue import redis_keys
from sandbox.queue.connection import connect
from sandbox.queue.job_batch import Item
from sandbox.queue.offers import Offer
from sandbox.runner.contract import Usage, Verdict
from sandbox.schema import TestCase, VerifyRequest
from sandbox.verify.judge import TestRun, judge
from sandbox.verify.result import TestResult
from sandbox.verify.tally import StopRules
from sandbox.worker import spread
from sandbox.worker.idle_help import _Helping
from sandbox.worker.spread import Spread, choose_chunk, should_offer

OWNER = "the-owner"
LEASE_S = 10.0
VERDICTS = [Verdict.ACCEPTED] * 6 + [Verdict.WRONG_ANSWER, Verdict.TIME_LIMIT_EXCEEDED, Verdict.RUNTIME_ERROR]
RULES = st.builds(StopRules, st.booleans(), st.none() | st.integers(1, 3), st.none() | st.integers(1, 30))


class NeverStops:
    """The part of a slot that waiting for helpers uses."""

    def __init__(self) -> None:
        self.stop_signal = self
        self.is_cancelled = False

    def raise_if_set(self) -> None:
        if self.is_cancelled:
            raise Cancelled("cancelled while it ran")


@pytest.fixture(scope="module")
def queue(redis_server) -> Iterator[Redis]:  # type: ignore[no-untyped-def]
    with redis_server.open_empty_database(3) as opened:
        client = connect(redis_server.build_url(3))
        yield client
        client.close()
        assert opened is not None


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offer tests immediately, and notice lost helpers quickly."""
    monkeypatch.setattr(spread, "OFFER_AFTER_S", 0.0)
    monkeypatch.setattr(spread, "MIN_GAIN_S", 0.0)
    monkeypatch.setattr(spread, "WAIT_INTERVAL_S", 0.01)
    monkeypatch.setattr(spread, "RENEW_INTERVAL_S", 0.0)


def build_item(test_count: int) -> Item:
    request = VerifyRequest(language="python", code="", tests=[TestCase()] * test_count)
    return Item(submission="s", submitted_at=0.0, verify=request)


def build_results(seed: int, test_count: int) -> list[TestResult]:
    draw = random.Random(seed)
    return [
        TestResult(
            verdict=verdict,
            score=float(verdict is Verdict.ACCEPTED),
            message=f"{draw.random()}",
            usage=Usage(draw.randint(0, 5)),
        )
        for verdict in draw.choices(VERDICTS, k=test_count)
    ]


def build_runs(results: list[TestResult], count: Counter[int] | None = None, pause_s: float = 0.0) -> list[TestRun]:
    def run(index: int) -> TestResult:
        time.sleep(pause_s)
        if count is not None:
            count[index] += 1
        return results[index]

    return [lambda index=index: run(index) for index in range(len(results))]  # type: ignore[misc]


@contextmanager
def keep_offering(spread: Spread) -> Iterator[None]:
    """Do what the worker's second thread does."""
    ended = threading.Event()

    def offer() -> None:
        while not ended.is_set():
            spread.offer()
            time.sleep(0.001)

    thread = threading.Thread(target=offer)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def help_once(queue: Redis, name: str, fate: str, runs: list[TestRun]) -> None:
    """Take an offer as an idle worker, and end as `fate` says."""
    taken = queue.blpop([redis_keys.OFFERS], timeout=0.3)
    if taken is None:
        return
    offer = Offer(queue, taken[1].decode())
    if fate == "dies":
        offer.take_as_helper(name, 2, {})
        return
    queue.zadd(redis_keys.WORKERS, {name: time.time()})
    helping = _Helping(offer, name)
    if fate == "works":
        helping.run(runs)
    elif fate == "gives back":
        offer.give_back(reversed(offer.take_as_helper(name, 2, {})), close=False)
    else:
        helping.run([lambda: TestResult(verdict=Verdict.INTERNAL_ERROR)] * len(runs))
        helping.give_back(close=True)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 1 << 32),
    test_count=st.integers(2, 14),
    rules=RULES,
    fates=st.lists(st.sampled_from(["works", "works", "dies", "gives back", "fails"]), min_size=1, max_size=4),
)
def test_any_spread_gives_the_results_of_one_worker(
    queue: Redis, seed: int, test_count: int, rules: StopRules, fates: list[str]
) -> None:
    queue.flushdb()
    queue.zadd(redis_keys.WORKERS, {OWNER: time.time()})
    results = build_results(seed, test_count)
    runs = build_runs(results, pause_s=0.001)
    helpers = [
        threading.Thread(target=help_once, args=(queue, f"helper-{place}", fate, runs))
        for place, fate in enumerate(fates)
    ]
    spread = Spread(queue, OWNER, LEASE_S, NULL_BOX_OBSERVER)
    with keep_offering(spread):
        for helper in helpers:
            helper.start()
        judgement = spread.judge(build_item(test_count), _as_slot(NeverStops()), runs, rules, 0.0)
    expected = judge(build_runs(results), rules)
    assert judgement == expected
    assert (judgement.passed, judgement.score) == (expected.passed, expected.score)
    for helper in helpers:
        helper.join()
    assert not queue.keys(redis_keys.offer("*"))
    assert not queue.exists(redis_keys.OFFERS)


def _as_slot(slot: object) -> Slot:
    assert hasattr(slot, "stop_signal")
    return slot  # type: ignore[return-value]


def judge_slowly(
    queue: Redis, runs: list[TestRun], during: Callable[[Offer], None], slot: NeverStops | None = None
) -> list[TestResult]:
    """Judge while another thread does something with the offer. The first test ends after that."""
    queue.flushdb()
    queue.zadd(redis_keys.WORKERS, {OWNER: time.time()})
    spread = Spread(queue, OWNER, LEASE_S, NULL_BOX_OBSERVER)
    ended = threading.Event()

    def interfere() -> None:
        _, offer_id = queue.blpop([redis_keys.OFFERS], timeout=5)
        try:
            during(Offer(queue, offer_id.decode()))
        finally:
            ended.set()

    def run_first() -> TestResult:
        assert ended.wait(10)
        return runs[0]()

    thread = threading.Thread(target=interfere)
    thread.start()
    try:
        with keep_offering(spread):
            item, its_slot = build_item(len(runs)), _as_slot(slot or NeverStops())
            return spread.judge(item, its_slot, [run_first, *runs[1:]], StopRules(), 0.0).tests
    finally:
        thread.join()


def test_without_idle_workers_each_test_runs_once_and_in_order(queue: Redis) -> None:
    count: Counter[int] = Counter()
    results = build_results(1, 10)
    assert judge_slowly(queue, build_runs(results, count), lambda offer: None) == results
    assert list(count.items()) == [(index, 1) for index in range(10)]


def test_helpers_run_tests_that_the_owner_does_not_run(queue: Redis) -> None:
    owners, helpers = Counter[int](), Counter[int]()
    results = build_results(2, 12)
    queue.zadd(redis_keys.WORKERS, {"helper": time.time()})

    def help_owner(offer: Offer) -> None:
        assert offer.read_item() == build_item(12)
        queue.zadd(redis_keys.WORKERS, {"helper": time.time()})
        assert _Helping(offer, "helper").run(build_runs(results, helpers))

    assert judge_slowly(queue, build_runs(results, owners), help_owner) == results
    assert (owners, helpers) == (Counter([0]), Counter(range(1, 12)))


def test_a_helper_takes_no_test_while_a_batch_waits_and_one_stops_for_each_batch(queue: Redis) -> None:
    seen: list[object] = []

    def look(offer: Offer) -> None:
        seen.append(offer.must_stop())
        queue.rpush(redis_keys.rq_queue("bulk"), "a batch")
        seen.extend([offer.take_as_helper("helper", 1, {}), offer.must_stop(), offer.must_stop()])
        queue.delete(redis_keys.rq_queue("bulk"))

    results = build_results(3, 6)
    assert judge_slowly(queue, build_runs(results), look) == results
    assert seen == [False, [], True, False]


def test_tests_are_not_offered_while_a_batch_waits(queue: Redis) -> None:
    queue.flushdb()
    queue.rpush(redis_keys.rq_queue("default"), "a batch")
    results = build_results(4, 5)
    spread = Spread(queue, OWNER, LEASE_S, NULL_BOX_OBSERVER)
    with keep_offering(spread):
        judged = spread.judge(
            build_item(5), _as_slot(NeverStops()), build_runs(results, pause_s=0.01), StopRules(), 0.0
        )
    assert judged.tests == results
    assert queue.keys("*") == [redis_keys.rq_queue("default").encode()]


def test_an_offer_that_is_lost_costs_only_time(queue: Redis) -> None:
    results = build_results(5, 8)

    def lose(offer: Offer) -> None:
        offer.take_as_helper("helper", 3, {})
        queue.flushdb()

    assert judge_slowly(queue, build_runs(results), lose) == results


def test_an_unreachable_redis_costs_only_time(queue: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    results = build_results(6, 8)

    def fail(*_: object) -> None:
        raise ConnectionError("gone")

    def disconnect(offer: Offer) -> None:
        offer.take_as_helper("helper", 3, {})
        monkeypatch.setattr(Offer, "take", fail)

    assert judge_slowly(queue, build_runs(results), disconnect) == results


def test_a_cancellation_ends_the_wait_for_helpers_and_the_offer(queue: Redis) -> None:
    slot, offers = NeverStops(), list[Offer]()

    def take_all_and_cancel(offer: Offer) -> None:
        queue.zadd(redis_keys.WORKERS, {"helper": time.time()})
        offers.append(offer)
        assert not offer.must_stop()
        assert len(offer.take_as_helper("helper", 100, {})) == 7
        slot.is_cancelled = True

    with pytest.raises(Cancelled):
        judge_slowly(queue, build_runs(build_results(7, 8)), take_all_and_cancel, slot)
    assert offers[0].must_stop()


def test_after_a_failed_box_all_tests_run_in_order_so_a_skipped_test_cannot_decide(queue: Redis) -> None:
    queue.flushdb()
    results = build_results(8, 4)
    results[0] = TestResult(verdict=Verdict.WRONG_ANSWER)
    runs = build_runs(results, pause_s=0.05)

    def fail() -> TestResult:
        raise BoxError("broken")

    runs[2] = fail
    spread, item, stop = Spread(queue, OWNER, LEASE_S, NULL_BOX_OBSERVER), build_item(4), StopRules(on_failure=True)

    def take_first(offer_id: bytes) -> TestResult:
        """Run the first test while a helper holds the second one, so that the owner takes the third one next."""
        Offer(queue, offer_id.decode()).take_as_helper("helper", 1, {})
        return TestResult(verdict=Verdict.ACCEPTED)

    queue.zadd(redis_keys.WORKERS, {"helper": time.time()})
    with keep_offering(spread):
        first = [lambda: take_first(queue.blpop([redis_keys.OFFERS], timeout=5)[1]), *runs[1:]]
        with pytest.raises(BoxError):
            spread.judge(item, _as_slot(NeverStops()), first, stop, 0.0)
        judgement = spread.judge(item, _as_slot(NeverStops()), runs, stop, 0.0)
    assert judgement == judge(build_runs(results), stop)
    assert not queue.exists(redis_keys.OFFERS)


def test_a_failed_box_of_the_owner_ends_the_offer(queue: Redis) -> None:
    def fail() -> TestResult:
        raise BoxError("broken")

    runs = build_runs(build_results(8, 4))
    with pytest.raises(BoxError):
        judge_slowly(queue, [fail, *runs[1:]], lambda offer: None)
    assert not queue.keys(redis_keys.offer("*"))


def test_tests_are_offered_only_if_they_take_longer_than_compiling_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert not should_offer(elapsed_s=0.2, ended=0, remaining=100, compile_s=0.0)
    assert not should_offer(elapsed_s=9.0, ended=9, remaining=0, compile_s=0.0)
    assert should_offer(elapsed_s=0.3, ended=0, remaining=1, compile_s=0.0)
    assert not should_offer(elapsed_s=0.3, ended=0, remaining=1, compile_s=0.5)
    assert not should_offer(elapsed_s=1.0, ended=99, remaining=100, compile_s=1.0)
    assert should_offer(elapsed_s=1.0, ended=99, remaining=200, compile_s=1.0)
    assert [choose_chunk(1.0, ended) for ended in (0, 1, 100, 100_000)] == [1, 1, 10, 1_000]
