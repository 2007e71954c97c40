"""Test in which order and in which batches programs are sent to the workers."""

from __future__ import annotations

import time
from typing import Any

import pytest
from redis import Redis
from rq.job import Job
from rq.serializers import JSONSerializer

from sandbox.config import QueueSettings
from sandbox.queue import job_batch, redis_keys
from sandbox.queue.job_batch import JobBatch
from sandbox.queue.sender import BATCHES_PER_WORKER, MAX_BATCH_ITEMS, WORKER_COUNT_INTERVAL_S
from sandbox.schema import Lane
from sandbox.service import Service
from tests.queue.sample_programs import build_printing_programs, build_program, build_sleeping_program
from tests.queue.submit_and_wait import await_job, await_outputs, get_stdouts, submit, wait_until
from tests.worker_processes import WorkerProcesses


def _count_items_per_batch(redis: Redis, lane: Lane = Lane.DEFAULT) -> list[int]:
    """Return the number of items of each job batch in the lane's queue."""
    ids = [batch_id.decode() for batch_id in redis.lrange(redis_keys.rq_queue(lane), 0, -1)]
    return [len(JobBatch.model_validate_json(redis.get(redis_keys.job_batch(one))).items) for one in ids]


def test_lanes_are_emptied_in_the_order_of_their_priority(service: Service, worker_processes: WorkerProcesses) -> None:
    when = "import time; print(time.time())"
    tickets = {
        lane: submit(service, [build_program(when, lane)] * 8, batch=True, durable=True)
        for lane in (Lane.BULK, Lane.DEFAULT, Lane.RL)
    }
    worker_processes.start()
    times = {lane: [float(text) for text in get_stdouts(await_job(service, one.id))] for lane, one in tickets.items()}
    assert max(times[Lane.RL]) < min(times[Lane.DEFAULT])
    assert max(times[Lane.DEFAULT]) < min(times[Lane.BULK])


def test_a_single_program_is_sent_at_once(service: Service, redis: Redis) -> None:
    (program,) = build_printing_programs([1])
    submit(service, [program])
    wait_until(lambda: _count_items_per_batch(redis) == [1], "the program is on its way")
    (batch_id,) = redis.lrange(redis_keys.rq_queue(Lane.DEFAULT), 0, -1)
    (item,) = JobBatch.model_validate_json(redis.get(redis_keys.job_batch(batch_id.decode()))).items
    assert item.execute == program


def test_programs_accumulate_into_batches_while_the_workers_are_full(
    service: Service, redis: Redis, worker_processes: WorkerProcesses
) -> None:
    first = [submit(service, build_printing_programs([number])) for number in range(BATCHES_PER_WORKER)]
    wait_until(lambda: sum(_count_items_per_batch(redis)) == BATCHES_PER_WORKER, "the first ones are on their way")
    rest = [submit(service, build_printing_programs([number])) for number in range(100)]
    time.sleep(0.3)
    assert sum(_count_items_per_batch(redis)) == BATCHES_PER_WORKER
    assert service.check_readiness().queued["default"] >= 100
    worker_processes.start()
    for number, ticket in enumerate(first + rest):
        assert await_outputs(ticket) == [str(number if number < len(first) else number - len(first))]


def test_no_batch_exceeds_the_maximum_size(service: Service, redis: Redis) -> None:
    submit(service, build_printing_programs(range(1000)), batch=True, durable=True)
    sizes = _count_items_per_batch(redis)
    assert sum(sizes) == 1000
    assert max(sizes) <= MAX_BATCH_ITEMS


def test_items_behind_a_slow_program_are_returned_and_run_elsewhere(
    service: Service, worker_processes: WorkerProcesses
) -> None:
    worker_processes.start(2)
    time.sleep(1.2)  # the batch sender counts the workers once a second
    ticket = submit(service, [build_sleeping_program(4.0, "slow"), *build_printing_programs(range(6))], batch=True)
    slow, *tiny = ticket.results
    for future in tiny:
        future.result(timeout=3.5)
    assert not slow.done()
    assert await_outputs(ticket) == ["slow", *"012345"]


def test_a_failing_program_does_not_stop_the_rest_of_its_batch(
    service: Service, worker_processes: WorkerProcesses
) -> None:
    worker_processes.start()
    bad = ["1 / 0", "import os; os.abort()", "raise SystemExit(3)", "import os; os.kill(os.getpid(), 9)"]
    requests = [request for code in bad for request in (build_program(code), build_program("print('good')"))]
    results = await_outputs(submit(service, requests, batch=True))
    assert results[1::2] == ["good"] * len(bad)


def test_a_result_that_arrives_before_the_send_returns_frees_room(
    service: Service, worker_processes: WorkerProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker_processes.start()
    send = job_batch.send

    def slow_to_return(*args: Any, **options: Any) -> Any:
        answer = send(*args, **options)
        time.sleep(0.2)
        return answer

    monkeypatch.setattr(job_batch, "send", slow_to_return)
    for number in range(3 * BATCHES_PER_WORKER):
        assert await_outputs(submit(service, build_printing_programs([number])), 20.0) == [str(number)]


def test_two_services_on_one_queue_each_get_their_own_results(
    settings: QueueSettings, service: Service, worker_processes: WorkerProcesses
) -> None:
    other = Service(settings)
    other.start()
    worker_processes.start()
    try:
        tickets = [(one, submit(one, build_printing_programs(range(20)), batch=True)) for one in (service, other) * 3]
        for _, ticket in tickets:
            assert await_outputs(ticket) == [str(number) for number in range(20)]
    finally:
        other.close()


def test_the_depth_of_a_lane_returns_to_zero(service: Service, worker_processes: WorkerProcesses, redis: Redis) -> None:
    submit(service, build_printing_programs(range(50), Lane.BULK), batch=True, durable=True)
    assert int(redis.get(redis_keys.depth(Lane.BULK))) == 50
    worker_processes.start()
    wait_until(lambda: int(redis.get(redis_keys.depth(Lane.BULK))) == 0, "nothing waits any more")
    wait_until(lambda: service.check_readiness().queued["bulk"] == 0, "and the service knows")


def test_a_short_program_does_not_wait_for_long_ones_of_a_lower_lane(
    service: Service, worker_processes: WorkerProcesses
) -> None:
    hired = [
        *worker_processes.start(),
        *worker_processes.start(reserved_lanes=[Lane.RL, Lane.DEFAULT]),
        *worker_processes.start(reserved_lanes=[Lane.RL]),
    ]
    long = [submit(service, [build_program("import time; time.sleep(12)", Lane.BULK)])]
    time.sleep(0.5)
    short = submit(service, build_printing_programs([1]))
    assert await_outputs(short) == ["1"]
    long += [submit(service, [build_program("import time; time.sleep(12)")]) for _ in range(2)]
    time.sleep(0.5)
    assert await_outputs(submit(service, build_printing_programs([2], Lane.RL))) == ["2"]
    assert not any(ticket.results[0].done() for ticket in long)
    for worker in hired:
        worker.kill()  # otherwise it would finish its current batch


def test_sending_processes_share_the_capacity_of_the_workers(
    service: Service, settings: QueueSettings, redis: Redis, worker_processes: WorkerProcesses
) -> None:
    worker_processes.start(2)
    wait_until(lambda: service.check_readiness().workers == 2, "both are there")
    other = Service(settings)
    other.start()
    try:
        for each in (service, other):
            submit(each, build_printing_programs([1])).results[0].result(20)
        wait_until(lambda: redis.zcard(redis_keys.SENDERS) == 2, "each knows that there are two")
        time.sleep(2 * WORKER_COUNT_INTERVAL_S)
        tickets = [submit(each, [build_sleeping_program(0.5)]) for each in (service, other) for _ in range(4)]
        most = 2 * BATCHES_PER_WORKER
        wait_until(lambda: redis.zcard(redis_keys.outstanding("default")) == most, "each has sent its half")
        time.sleep(0.1)
        assert redis.zcard(redis_keys.outstanding("default")) == most
        assert [await_outputs(ticket) for ticket in tickets] == [["awake"]] * len(tickets)
    finally:
        other.close()


def test_rq_reads_the_job_of_a_batch(service: Service, redis: Redis) -> None:
    submit(service, build_printing_programs([1]), durable=True)
    (job_id,) = job_batch.get_lane_queue(Lane.DEFAULT, redis).job_ids
    job = Job.fetch(job_id, connection=redis, serializer=JSONSerializer)
    assert (job.func_name, list(job.args), job.origin, job.get_status()) == (
        job_batch.RQ_FUNCTION,
        [job_id],
        "default",
        "queued",
    )
    assert job.enqueued_at is not None
    assert abs(time.time() - job.enqueued_at.timestamp()) < 60
    assert job.created_at == job.enqueued_at


def test_a_process_uses_the_room_that_others_leave(
    service: Service, settings: QueueSettings, redis: Redis, worker_processes: WorkerProcesses
) -> None:
    worker_processes.start(2)
    other = Service(settings)
    other.start()
    try:
        wait_until(lambda: service.check_readiness().workers == 2, "both are there")
        for each in (service, other):
            submit(each, build_printing_programs([1])).results[0].result(20)
        wait_until(lambda: redis.zcard(redis_keys.SENDERS) == 2, "each knows that there are two")
        tickets = [submit(service, [build_sleeping_program(0.5)]) for _ in range(8)]
        wait_until(
            lambda: redis.zcard(redis_keys.outstanding("default")) == 2 * BATCHES_PER_WORKER,
            "all the room is taken",
            1.0,
        )
        assert [await_outputs(ticket) for ticket in tickets] == [["awake"]] * len(tickets)
    finally:
        other.close()
