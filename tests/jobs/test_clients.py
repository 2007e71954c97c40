"""Clients with keys: rate, quota, jobs that are nobody else's business, and turns taken fairly."""

from __future__ import annotations

import time

import pytest
from redis import Redis

from sandbox.caller import Caller, Role
from sandbox.errors import NotFound, QueueFull, QuotaExceeded, RateLimited
from sandbox.jobs import keys
from sandbox.schema import JobStatus
from sandbox.service import Service
from tests.crew import Crew
from tests.jobs.waiting import asked_by, awaited, finished, printed, printing, program, sleeping, stdouts, until

MANY = 100_000
BATCH = 10_000
GREEDY = Caller("greedy")
MODEST = Caller("modest")
BOSS = Caller("boss", Role.ADMIN)


def test_a_rate_lets_a_burst_pass_and_then_says_when_to_come_again(service: Service) -> None:
    with asked_by(Caller("fast", rate=2.0, burst=3)):
        for _ in range(3):
            service.submit("execute", printing([1]))
        with pytest.raises(RateLimited) as refused:
            service.submit("execute", printing([1]))
        assert 0.0 < refused.value.retry_after_s <= 0.5
        time.sleep(refused.value.retry_after_s + 0.05)
        service.submit("execute", printing([1]))
    with asked_by(Caller("other", rate=2.0, burst=3)):
        service.submit("execute", printing([1]))


def test_a_batch_over_the_burst_is_let_in_and_paid_for_afterwards(service: Service, redis: Redis) -> None:
    with asked_by(Caller("batches", rate=10.0, burst=5)):
        service.submit("execute", printing(range(25)), batch=True)
        with pytest.raises(RateLimited) as refused:
            service.submit("execute", printing([1]))
        assert 1.5 < refused.value.retry_after_s < 2.5
    assert 0 < redis.ttl(keys.bucket("batches")) <= 5


def test_what_is_queued_counts_until_it_has_its_result(service: Service, crew: Crew, redis: Redis) -> None:
    with asked_by(Caller("small", max_queued=10)):
        waiting = service.submit("execute", printing(range(6)), batch=True)
        kept = service.submit("execute", printing(range(4)), batch=True, durable=True)
        with pytest.raises(QuotaExceeded, match="10 of 10"):
            service.submit("execute", printing([1]))
        crew.hire(2)
        assert printed(waiting) == list("012345")
        assert stdouts(finished(service, kept.id)) == list("0123")
        until(lambda: redis.zcard(keys.queued("small")) == 0, "nothing of it is queued any more")
        assert printed(service.submit("execute", printing(range(10)), batch=True)) == list("0123456789")


def test_what_was_refused_abandoned_or_cancelled_does_not_count(service: Service, crew: Crew, redis: Redis) -> None:
    with asked_by(Caller("fickle", max_queued=150_000)):
        with pytest.raises(QueueFull):
            service.submit("execute", printing(range(MANY + 1)), batch=True)
        assert redis.zcard(keys.queued("fickle")) == 0
        abandoned = service.submit("execute", printing(range(500)), batch=True)
        cancelled = service.submit("execute", printing(range(50)), batch=True, durable=True)
        service.cancel(cancelled.id)
    service.abandon(abandoned)  # by another thread, which does not know the caller
    crew.hire()
    until(lambda: redis.zcard(keys.queued("fickle")) == 0, "nothing of it is queued any more")


def test_a_job_and_an_idempotency_key_are_nobody_elses_business(service: Service) -> None:
    with asked_by(GREEDY):
        mine = service.submit("execute", printing([1]), durable=True, idempotency_key="step-1")
        assert service.submit("execute", printing([1]), durable=True, idempotency_key="step-1").id == mine.id
    with asked_by(MODEST):
        assert service.submit("execute", printing([1]), durable=True, idempotency_key="step-1").id != mine.id
        for look in (service.job, service.cancel):
            with pytest.raises(NotFound, match="it never existed"):
                look(mine.id)
    with asked_by(BOSS):
        assert service.cancel(mine.id).status is JobStatus.CANCELLED


def test_a_refused_submission_may_come_again_with_its_idempotency_key(service: Service) -> None:
    with asked_by(Caller("again", rate=5.0, burst=1)):
        service.submit("execute", printing([1]))
        with pytest.raises(RateLimited):
            service.submit("execute", printing([1]), durable=True, idempotency_key="k")
        time.sleep(0.25)
        again = service.submit("execute", printing([1]), durable=True, idempotency_key="k")
        assert service.job(again.id).id == again.id


@pytest.mark.parametrize(("durable", "many"), [(True, MANY), (False, BATCH)])
def test_a_client_with_a_hundred_thousand_queued_does_not_starve_one_with_ten(
    service: Service, crew: Crew, redis: Redis, durable: bool, many: int
) -> None:
    with asked_by(GREEDY):
        tickets = [
            service.submit("execute", [program("")] * BATCH, batch=True, durable=durable) for _ in range(many // BATCH)
        ]
    crew.hire(2)
    began = time.monotonic()
    with asked_by(MODEST):
        until(lambda: sum(service.readiness().queued.values()) <= MANY - 10, "the lane has room for ten")
        assert printed(service.submit("execute", printing(range(10)), batch=True)) == list("0123456789")
        kept = service.submit("execute", printing(range(10)), batch=True, durable=True)
        assert stdouts(finished(service, kept.id)) == list("0123456789")
    assert time.monotonic() - began < 60  # of minutes that are queued
    assert sum(service.readiness().queued.values()) > many / 2
    for ticket in tickets:
        service.abandon(ticket) if not durable else redis.set(keys.cancelled(ticket.id), 1, ex=60)


def test_slow_programs_of_one_client_do_not_hold_up_another(service: Service, crew: Crew, redis: Redis) -> None:
    with asked_by(GREEDY):
        slow = service.submit("execute", [sleeping(0.6)] * 200, batch=True)
        also = service.submit("execute", [sleeping(0.6)] * 200, batch=True, durable=True)
    crew.hire(2)
    time.sleep(1.0)
    with asked_by(MODEST):
        began = time.monotonic()
        assert printed(service.submit("execute", printing(range(10)), batch=True)) == list("0123456789")
        kept = service.submit("execute", printing(range(10)), batch=True, durable=True)
        assert stdouts(finished(service, kept.id)) == list("0123456789")
    assert time.monotonic() - began < 40  # of 120 seconds that two slots have queued
    service.abandon(slow)
    with asked_by(GREEDY):
        service.cancel(also.id)
    until(lambda: redis.zcard(keys.queued("greedy")) == 0, "what was dropped counts no more")
    parked = [key for lane in keys.LANES for key in (keys.ring(lane), keys.forwarded(lane))]
    until(lambda: redis.exists(*parked) == 0, "nothing stays parked")


def test_parked_work_of_a_dead_crew_is_done_by_the_next(service: Service, crew: Crew, redis: Redis) -> None:
    with asked_by(GREEDY):
        kept = service.submit("execute", [sleeping(0.4, number) for number in range(12)], batch=True, durable=True)
    (first,) = crew.hire()
    until(lambda: redis.hlen(keys.CLAIMS) > 0, "the worker is at work")
    first.kill()
    first.wait()
    crew.hire()
    assert stdouts(finished(service, kept.id)) == [str(number) for number in range(12)]
    assert awaited(service.submit("execute", printing([1])))[0].stdout == "1\n"
