"""Test stored submissions: look up, cancel, repeat, and expire them, and survive a crash of Redis."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import pytest
from redis import Redis

from sandbox.box.docker.leftovers import HOME_LABEL
from sandbox.config import QueueSettings
from sandbox.errors import Cancelled, NotFound, QueueFull, QueueUnavailable, UnknownLanguage
from sandbox.queue import redis_keys
from sandbox.queue.sender import BATCHES_PER_WORKER
from sandbox.schema import ExecuteRequest, JobStatus
from sandbox.service import Service
from tests.queue.sample_programs import build_printing_programs, build_program, build_sleeping_program
from tests.queue.submit_and_wait import await_job, await_outputs, await_results, get_stdouts, submit, wait_until
from tests.redis_server import RedisServer
from tests.running_service import run_service
from tests.worker_processes import WorkerProcesses

TAKEN_ONCE = "import uuid; print(uuid.uuid4())"


# --- looking up


def test_a_job_is_queued_with_its_position_then_running_then_finished(
    service: Service, worker_processes: WorkerProcesses
) -> None:
    first = submit(service, [build_sleeping_program(1.0)], durable=True)
    second = submit(service, [build_program("print(2)")], durable=True)
    assert (service.get_job(first.id).status, service.get_job(first.id).position) == (JobStatus.QUEUED, 0)
    assert (service.get_job(second.id).status, service.get_job(second.id).position) == (JobStatus.QUEUED, 1)
    worker_processes.start()
    wait_until(lambda: service.get_job(first.id).status is JobStatus.RUNNING, "the first one runs")
    assert get_stdouts(await_job(service, first.id)) == ["awake"]
    assert get_stdouts(await_job(service, second.id)) == ["2"]


def test_a_job_that_never_existed_is_not_found(service: Service) -> None:
    for ask in (service.get_job, service.cancel):
        with pytest.raises(NotFound):
            ask("never")


def test_results_expire_after_their_ttl(
    redis_server: RedisServer, redis: Redis, worker_processes: WorkerProcesses, settings: QueueSettings
) -> None:
    settings = QueueSettings(home=settings.home, redis_url=redis_server.build_url(1), result_ttl_s=2)
    service = Service(settings)
    service.start()
    with WorkerProcesses(settings, 118, SANDBOX_RESULT_TTL_S="2") as short:
        short.start()
        ticket = submit(service, build_printing_programs([1]), durable=True)
        assert get_stdouts(await_job(service, ticket.id)) == ["1"]
        assert 0 < redis.ttl(redis_keys.results(ticket.id)) <= 2
        wait_until(lambda: not redis.exists(redis_keys.results(ticket.id)), "the result expires")
        with pytest.raises(NotFound):
            service.get_job(ticket.id)
    service.close()


# --- cancelling


def test_a_job_cancelled_before_it_runs_never_runs(
    service: Service, worker_processes: WorkerProcesses, redis: Redis
) -> None:
    ticket = submit(service, build_printing_programs(range(3)), batch=True, durable=True)
    assert service.cancel(ticket.id).status is JobStatus.CANCELLED
    worker_processes.start()
    other = submit(service, build_printing_programs([7]))
    assert await_outputs(other) == ["7"]
    wait_until(lambda: redis.zcard(redis_keys.outstanding("default")) == 0, "the cancelled envelope is done with")
    assert service.get_job(ticket.id).status is JobStatus.CANCELLED
    assert redis.hlen(redis_keys.results(ticket.id)) == 0


def test_cancelling_a_finished_job_changes_nothing(service: Service, worker_processes: WorkerProcesses) -> None:
    worker_processes.start()
    ticket = submit(service, build_printing_programs([1]), durable=True)
    done = await_job(service, ticket.id)
    assert service.cancel(ticket.id) == done


def test_disconnected_clients_free_their_places_in_the_queue(
    service: Service, worker_processes: WorkerProcesses
) -> None:
    """Some of the items are in flight already and use up the little room there is; each must free its room."""
    gone = [submit(service, [build_sleeping_program(30.0)]) for _ in range(2 * BATCHES_PER_WORKER)]
    time.sleep(0.3)
    for ticket in gone:
        service.abandon(ticket)
        with pytest.raises(Cancelled):
            ticket.results[0].result(0)
    worker_processes.start()
    assert await_outputs(submit(service, build_printing_programs([1])), 20.0) == ["1"]


# --- refusing


def test_a_full_queue_refuses_a_submission_and_stores_nothing(
    redis_server: RedisServer, redis: Redis, tmp_path: Path
) -> None:
    service = Service(QueueSettings(home=tmp_path, redis_url=redis_server.build_url(1), max_queued=3))
    service.start()
    try:
        submit(service, build_printing_programs(range(3)), batch=True, durable=True)
        before = set(redis.scan_iter("sandbox:*"))
        for options in ({}, {"durable": True}, {"idempotency_key": "one"}):
            with pytest.raises(QueueFull) as refused:
                submit(service, build_printing_programs([1]), **options)
            assert refused.value.retry_after_s > 0
        assert set(redis.scan_iter("sandbox:*")) == before
        other_lane = ExecuteRequest(language="python", code="", priority="rl")
        assert submit(service, [other_lane], durable=True).id
    finally:
        service.close()


def test_an_unknown_language_is_refused_with_its_field(service: Service, redis: Redis) -> None:
    requests = [*build_printing_programs([1]), ExecuteRequest(language="cobol", code="")]
    with pytest.raises(UnknownLanguage) as refused:
        submit(service, requests, batch=True)
    assert refused.value.field == "items.1.language"
    with pytest.raises(UnknownLanguage) as refused:
        submit(service, requests[1:])
    assert refused.value.field == "language"
    assert redis.keys("sandbox:envelope:*") == []


# --- repeating


def test_the_same_idempotency_key_is_the_same_submission(service: Service, worker_processes: WorkerProcesses) -> None:
    worker_processes.start()
    first = submit(service, [build_program(TAKEN_ONCE)], durable=True, idempotency_key="key")
    again = submit(service, [build_program(TAKEN_ONCE)], durable=True, idempotency_key="key")
    other = submit(service, [build_program(TAKEN_ONCE)], durable=True, idempotency_key="other")
    assert first.id == again.id != other.id
    assert get_stdouts(await_job(service, first.id)) != get_stdouts(await_job(service, other.id))


def test_a_repeated_synchronous_submission_gets_the_results_of_the_first(
    service: Service, worker_processes: WorkerProcesses
) -> None:
    requests = [build_program(TAKEN_ONCE) for _ in range(3)]
    before = [submit(service, requests, batch=True, idempotency_key="key") for _ in range(2)]
    worker_processes.start()
    after = submit(service, requests, batch=True, idempotency_key="key")
    results = [await_outputs(ticket) for ticket in (*before, after)]
    assert results[0] == results[1] == results[2]
    assert len(set(results[0])) == 3


def test_a_repetition_through_another_process_gets_the_same_results(
    service: Service, settings: QueueSettings, worker_processes: WorkerProcesses
) -> None:
    other = Service(settings)
    other.start()
    try:
        first = submit(
            service, [build_sleeping_program(0.5), build_program(TAKEN_ONCE)], batch=True, idempotency_key="key"
        )
        again = submit(
            other, [build_sleeping_program(0.5), build_program(TAKEN_ONCE)], batch=True, idempotency_key="key"
        )
        worker_processes.start()
        assert await_outputs(first) == await_outputs(again)
    finally:
        other.close()


# --- surviving


@pytest.fixture
def own_settings(own_server: RedisServer, own_home: Path) -> QueueSettings:
    return QueueSettings(home=own_home, redis_url=own_server.build_url())


@pytest.fixture
def own_service(own_settings: QueueSettings) -> Iterator[Service]:
    with run_service(own_settings) as service:
        yield service


def test_an_accepted_job_survives_a_crash_of_redis(
    images: dict[str, str], own_server: RedisServer, own_settings: QueueSettings, own_service: Service
) -> None:
    assert images
    ticket = submit(own_service, build_printing_programs(range(5)), batch=True, durable=True)
    own_service.close()
    own_server.kill()
    own_server.start()
    reopened = Service(own_settings)
    reopened.start()
    with WorkerProcesses(own_settings, 114) as worker_processes:
        worker_processes.start()
        assert get_stdouts(await_job(reopened, ticket.id)) == [str(number) for number in range(5)]
    reopened.close()


def test_workers_and_clients_survive_a_crash_of_redis_during_a_run(
    images: dict[str, str], own_server: RedisServer, own_settings: QueueSettings, own_service: Service
) -> None:
    assert images
    with WorkerProcesses(own_settings, 115) as worker_processes:
        worker_processes.start()
        kept = submit(
            own_service, [build_sleeping_program(1.0, number) for number in range(3)], batch=True, durable=True
        )
        wait_until(lambda: own_service.get_job(kept.id).status is JobStatus.RUNNING, "it runs")
        own_server.kill()
        time.sleep(1.0)
        own_server.start()
        assert get_stdouts(await_job(own_service, kept.id)) == ["0", "1", "2"]
        assert await_outputs(submit(own_service, build_printing_programs([5]))) == ["5"]


def test_without_redis_a_submission_is_refused_with_the_reason(
    own_server: RedisServer, own_settings: QueueSettings
) -> None:
    own_server.kill()
    service = Service(own_settings)
    with ThreadPoolExecutor(2) as both:  # each retries for a while in case Redis restarts
        readiness = both.submit(service.check_readiness)
        refused = both.submit(submit, service, build_printing_programs([1]), durable=True)
        with pytest.raises(QueueUnavailable):
            refused.result()
        assert not readiness.result().ready
        assert "Redis" in readiness.result().problems[0]


# --- stopping


def test_a_stopping_worker_finishes_the_running_program(
    service: Service, worker_processes: WorkerProcesses, redis: Redis
) -> None:
    (worker,) = worker_processes.start()
    ticket = submit(service, [build_sleeping_program(2.0, "finished")], durable=True)
    wait_until(lambda: redis.hlen(redis_keys.CLAIMS) == 1, "the worker is at work")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert get_stdouts(service.get_job(ticket.id)) == ["finished"]
    assert not service.check_readiness().ready


def test_items_that_a_stopped_worker_has_not_started_run_elsewhere(
    service: Service, worker_processes: WorkerProcesses, redis: Redis
) -> None:
    (worker,) = worker_processes.start()
    ticket = submit(service, [build_sleeping_program(1.0, number) for number in range(4)], batch=True)
    wait_until(lambda: redis.hlen(redis_keys.CLAIMS) >= 1, "the worker is at work")
    worker.send_signal(signal.SIGTERM)
    worker.wait(30)
    worker_processes.start()
    assert await_outputs(ticket) == ["0", "1", "2", "3"]


def test_a_stopped_worker_leaves_no_box(
    service: Service, worker_processes: WorkerProcesses, settings: QueueSettings, docker_client: docker.DockerClient
) -> None:
    worker_processes.start()
    assert await_outputs(submit(service, build_printing_programs([1]))) == ["1"]
    worker_processes.stop()
    assert (
        docker_client.containers.list(all=True, ignore_removed=True, filters={"label": f"{HOME_LABEL}={settings.home}"})
        == []
    )


# --- cleaning up


def test_no_key_without_expiry_is_left_when_all_is_done(
    service: Service, worker_processes: WorkerProcesses, redis: Redis
) -> None:
    worker_processes.start(2)

    def work() -> None:
        submit(
            service,
            build_printing_programs(range(30)),
            batch=True,
            durable=True,
            idempotency_key=str(time.time()),
        )
        gone = submit(service, [build_sleeping_program(0.1)], durable=True)
        service.cancel(gone.id)
        tickets = [submit(service, build_printing_programs([number])) for number in range(30)]
        assert [await_outputs(ticket) for ticket in tickets] == [[str(number)] for number in range(30)]
        wait_until(lambda: redis.zcard(redis_keys.outstanding("default")) == 0, "everything is done")

    def endless() -> set[bytes]:
        return {key for key in redis.scan_iter() if redis.ttl(key) == -1}

    work()
    wait_until(lambda: not redis.keys("rq:job:*"), "RQ has forgotten its jobs")
    allowed = {redis_keys.WORKERS, redis_keys.CLAIMS, *(redis_keys.depth(lane) for lane in redis_keys.LANES)}
    ours = {key.decode() for key in endless() if key.startswith(b"sandbox:")}
    assert ours <= allowed, ours - allowed
    before = endless() | {key.encode() for key in allowed}
    for _ in range(3):
        work()
    wait_until(lambda: not redis.keys("rq:job:*"), "RQ has forgotten its jobs")
    assert endless() <= before, endless() - before


def test_results_report_their_queue_time(service: Service, worker_processes: WorkerProcesses) -> None:
    ticket = submit(service, build_printing_programs([1]))
    time.sleep(0.5)
    worker_processes.start()
    assert await_results(ticket)[0].queue_time_s >= 0.5
