"""Test clients with API keys: rate limits, quotas, private jobs, and fair queueing."""

from __future__ import annotations

import time

import pytest
from redis import Redis

from sandbox.errors import NotFound, QueueFull, QuotaExceeded, RateLimited
from sandbox.queue import redis_keys
from sandbox.request_context import Caller, Role
from sandbox.schema import JobStatus
from sandbox.service import Service
from tests.queue.sample_programs import build_printing_programs, build_program, build_sleeping_program
from tests.queue.submit_and_wait import act_as, await_job, await_outputs, await_results, get_stdouts, submit, wait_until
from tests.worker_processes import WorkerProcesses

MANY = 100_000
BATCH = 10_000
GREEDY = Caller("greedy")
MODEST = Caller("modest")
BOSS = Caller("boss", Role.ADMIN)


def test_a_rate_limit_admits_a_burst_and_then_says_when_to_retry(service: Service) -> None:
    with act_as(Caller("fast", rate=2.0, burst=3)):
        for _ in range(3):
            submit(service, build_printing_programs([1]))
        with pytest.raises(RateLimited) as refused:
            submit(service, build_printing_programs([1]))
        assert 0.0 < refused.value.retry_after_s <= 0.5
        time.sleep(refused.value.retry_after_s + 0.05)
        submit(service, build_printing_programs([1]))
    with act_as(Caller("other", rate=2.0, burst=3)):
        submit(service, build_printing_programs([1]))


def test_a_batch_over_the_burst_is_accepted_and_delays_the_next_one(service: Service, redis: Redis) -> None:
    with act_as(Caller("batches", rate=10.0, burst=5)):
        submit(service, build_printing_programs(range(25)), batch=True)
        with pytest.raises(RateLimited) as refused:
            submit(service, build_printing_programs([1]))
        assert 1.5 < refused.value.retry_after_s < 2.5
    assert 0 < redis.ttl(redis_keys.token_bucket("batches")) <= 5


def test_a_queued_item_counts_until_it_has_its_result(
    service: Service, worker_processes: WorkerProcesses, redis: Redis
) -> None:
    with act_as(Caller("small", max_queued=10)):
        waiting = submit(service, build_printing_programs(range(6)), batch=True)
        kept = submit(service, build_printing_programs(range(4)), batch=True, durable=True)
        with pytest.raises(QuotaExceeded, match="10 of 10"):
            submit(service, build_printing_programs([1]))
        worker_processes.start(2)
        assert await_outputs(waiting) == list("012345")
        assert get_stdouts(await_job(service, kept.id)) == list("0123")
        wait_until(lambda: redis.zcard(redis_keys.queued_items("small")) == 0, "nothing of it is queued any more")
        assert await_outputs(submit(service, build_printing_programs(range(10)), batch=True)) == list("0123456789")


def test_refused_abandoned_and_cancelled_items_do_not_count(
    service: Service, worker_processes: WorkerProcesses, redis: Redis
) -> None:
    with act_as(Caller("fickle", max_queued=150_000)):
        with pytest.raises(QueueFull):
            submit(service, build_printing_programs([1]) * (MANY + 1), batch=True)
        assert redis.zcard(redis_keys.queued_items("fickle")) == 0
        abandoned = submit(service, build_printing_programs(range(500)), batch=True)
        cancelled = submit(service, build_printing_programs(range(50)), batch=True, durable=True)
        service.cancel(cancelled.id)
    service.abandon(abandoned)  # on another thread, which has no caller in its context
    worker_processes.start()
    wait_until(lambda: redis.zcard(redis_keys.queued_items("fickle")) == 0, "nothing of it is queued any more")


def test_a_job_and_an_idempotency_key_belong_to_one_client(service: Service) -> None:
    with act_as(GREEDY):
        mine = submit(service, build_printing_programs([1]), durable=True, idempotency_key="step-1")
        assert submit(service, build_printing_programs([1]), durable=True, idempotency_key="step-1").id == mine.id
    with act_as(MODEST):
        assert submit(service, build_printing_programs([1]), durable=True, idempotency_key="step-1").id != mine.id
        for look in (service.get_job, service.cancel):
            with pytest.raises(NotFound, match="it never existed"):
                look(mine.id)
    with act_as(BOSS):
        assert service.cancel(mine.id).status is JobStatus.CANCELLED


def test_a_refused_submission_can_be_repeated_with_its_idempotency_key(service: Service) -> None:
    with act_as(Caller("again", rate=5.0, burst=1)):
        submit(service, build_printing_programs([1]))
        with pytest.raises(RateLimited):
            submit(service, build_printing_programs([1]), durable=True, idempotency_key="k")
        time.sleep(0.25)
        again = submit(service, build_printing_programs([1]), durable=True, idempotency_key="k")
        assert service.get_job(again.id).id == again.id


@pytest.mark.parametrize(("durable", "many"), [(True, MANY), (False, BATCH)])
def test_a_client_with_a_hundred_thousand_queued_does_not_starve_one_with_ten(
    service: Service, worker_processes: WorkerProcesses, redis: Redis, durable: bool, many: int
) -> None:
    with act_as(GREEDY):
        tickets = [
            submit(service, [build_program("")] * BATCH, batch=True, durable=durable) for _ in range(many // BATCH)
        ]
    worker_processes.start(2)
    began = time.monotonic()
    with act_as(MODEST):
        wait_until(lambda: sum(service.check_readiness().queued.values()) <= MANY - 10, "the lane has room for ten")
        assert await_outputs(submit(service, build_printing_programs(range(10)), batch=True)) == list("0123456789")
        kept = submit(service, build_printing_programs(range(10)), batch=True, durable=True)
        assert get_stdouts(await_job(service, kept.id)) == list("0123456789")
    assert time.monotonic() - began < 60  # the queued work takes minutes
    assert sum(service.check_readiness().queued.values()) > many / 2
    for ticket in tickets:
        service.abandon(ticket) if not durable else redis.set(redis_keys.cancelled(ticket.id), 1, ex=60)


def test_slow_programs_of_one_client_do_not_delay_another(
    service: Service, worker_processes: WorkerProcesses, redis: Redis
) -> None:
    with act_as(GREEDY):
        slow = submit(service, [build_sleeping_program(0.6)] * 200, batch=True)
        also = submit(service, [build_sleeping_program(0.6)] * 200, batch=True, durable=True)
    worker_processes.start(2)
    time.sleep(1.0)
    with act_as(MODEST):
        began = time.monotonic()
        assert await_outputs(submit(service, build_printing_programs(range(10)), batch=True)) == list("0123456789")
        kept = submit(service, build_printing_programs(range(10)), batch=True, durable=True)
        assert get_stdouts(await_job(service, kept.id)) == list("0123456789")
    assert time.monotonic() - began < 40  # the queued work would take two slots 120 seconds
    service.abandon(slow)
    with act_as(GREEDY):
        service.cancel(also.id)
    wait_until(lambda: redis.zcard(redis_keys.queued_items("greedy")) == 0, "what was dropped counts no more")
    parked = [key for lane in redis_keys.LANES for key in (redis_keys.client_rotation(lane), redis_keys.admitted(lane))]
    wait_until(lambda: redis.exists(*parked) == 0, "no client queue is left")


def test_new_workers_run_the_client_queues_of_dead_workers(
    service: Service, worker_processes: WorkerProcesses, redis: Redis
) -> None:
    with act_as(GREEDY):
        kept = submit(service, [build_sleeping_program(0.4, number) for number in range(12)], batch=True, durable=True)
    (first,) = worker_processes.start()
    wait_until(lambda: redis.hlen(redis_keys.CLAIMS) > 0, "the worker is at work")
    first.kill()
    first.wait()
    worker_processes.start()
    assert get_stdouts(await_job(service, kept.id)) == [str(number) for number in range(12)]
    assert await_results(submit(service, build_printing_programs([1])))[0].stdout == "1\n"
