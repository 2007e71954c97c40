"""In which order and in what company programs travel to the workers."""

from __future__ import annotations

import time
from typing import Any

import pytest
from redis import Redis
from rq.job import Job
from rq.serializers import JSONSerializer

from sandbox.config import QueueSettings
from sandbox.jobs import envelope, keys
from sandbox.jobs.envelope import Envelope
from sandbox.jobs.postman import COUNT_WORKERS_EVERY_S, ENVELOPES_PER_WORKER, LARGEST_ENVELOPE
from sandbox.schema import Lane
from sandbox.service import Service
from tests.crew import Crew
from tests.jobs.waiting import finished, printed, printing, program, sleeping, stdouts, until


def _envelopes(redis: Redis, lane: Lane = Lane.DEFAULT) -> list[int]:
    """How many items each envelope has that lies in the lane's queue."""
    ids = [envelope_id.decode() for envelope_id in redis.lrange(keys.rq_queue(lane), 0, -1)]
    return [len(Envelope.model_validate_json(redis.get(keys.envelope(one))).items) for one in ids]


def test_lanes_are_emptied_in_the_order_of_their_priority(service: Service, crew: Crew) -> None:
    when = "import time; print(time.time())"
    tickets = {
        lane: service.submit("execute", [program(when, lane)] * 8, batch=True, durable=True)
        for lane in (Lane.BULK, Lane.DEFAULT, Lane.RL)
    }
    crew.hire()
    times = {lane: [float(text) for text in stdouts(finished(service, one.id))] for lane, one in tickets.items()}
    assert max(times[Lane.RL]) < min(times[Lane.DEFAULT])
    assert max(times[Lane.DEFAULT]) < min(times[Lane.BULK])


def test_a_single_program_is_sent_at_once(service: Service, redis: Redis) -> None:
    service.submit("execute", printing([1]))
    until(lambda: _envelopes(redis) == [1], "the program is on its way")


def test_programs_gather_into_envelopes_while_the_workers_have_enough(
    service: Service, redis: Redis, crew: Crew
) -> None:
    first = [service.submit("execute", printing([number])) for number in range(ENVELOPES_PER_WORKER)]
    until(lambda: sum(_envelopes(redis)) == ENVELOPES_PER_WORKER, "the first ones are on their way")
    rest = [service.submit("execute", printing([number])) for number in range(100)]
    time.sleep(0.3)
    assert sum(_envelopes(redis)) == ENVELOPES_PER_WORKER
    assert service.readiness().queued["default"] >= 100
    crew.hire()
    for number, ticket in enumerate(first + rest):
        assert printed(ticket) == [str(number if number < len(first) else number - len(first))]


def test_no_envelope_is_larger_than_the_largest(service: Service, redis: Redis) -> None:
    service.submit("execute", printing(range(1000)), batch=True, durable=True)
    sizes = _envelopes(redis)
    assert sum(sizes) == 1000
    assert max(sizes) <= LARGEST_ENVELOPE


def test_what_waits_behind_a_slow_program_is_given_back_and_runs_elsewhere(service: Service, crew: Crew) -> None:
    crew.hire(2)
    time.sleep(1.2)  # the postman counts the workers once a second
    ticket = service.submit("execute", [sleeping(4.0, "slow"), *printing(range(6))], batch=True)
    slow, *tiny = ticket.results
    for future in tiny:
        future.result(timeout=3.5)
    assert not slow.done()
    assert printed(ticket) == ["slow", *"012345"]


def test_a_program_that_fails_does_not_stop_the_others_of_its_envelope(service: Service, crew: Crew) -> None:
    crew.hire()
    bad = ["1 / 0", "import os; os.abort()", "raise SystemExit(3)", "import os; os.kill(os.getpid(), 9)"]
    requests = [request for code in bad for request in (program(code), program("print('good')"))]
    results = printed(service.submit("execute", requests, batch=True))
    assert results[1::2] == ["good"] * len(bad)


def test_a_result_that_is_back_before_its_sender_is_makes_room_too(
    service: Service, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    crew.hire()
    send = envelope.send

    def slow_to_return(*args: Any, **options: Any) -> Any:
        answer = send(*args, **options)
        time.sleep(0.2)
        return answer

    monkeypatch.setattr(envelope, "send", slow_to_return)
    for number in range(3 * ENVELOPES_PER_WORKER):
        assert printed(service.submit("execute", printing([number])), 20.0) == [str(number)]


def test_two_services_before_one_queue_each_get_their_own_results(
    settings: QueueSettings, service: Service, crew: Crew
) -> None:
    other = Service(settings)
    other.start()
    crew.hire()
    try:
        tickets = [(one, one.submit("execute", printing(range(20)), batch=True)) for one in (service, other) * 3]
        for _, ticket in tickets:
            assert printed(ticket) == [str(number) for number in range(20)]
    finally:
        other.close()


def test_the_depth_of_a_lane_returns_to_zero(service: Service, crew: Crew, redis: Redis) -> None:
    service.submit("execute", printing(range(50), Lane.BULK), batch=True, durable=True)
    assert int(redis.get(keys.depth(Lane.BULK))) == 50
    crew.hire()
    until(lambda: int(redis.get(keys.depth(Lane.BULK))) == 0, "nothing waits any more")
    until(lambda: service.readiness().queued["bulk"] == 0, "and the service knows")


def test_a_short_program_does_not_wait_for_long_ones_of_a_lower_lane(service: Service, crew: Crew) -> None:
    hired = [*crew.hire(), *crew.hire(express=[Lane.RL, Lane.DEFAULT]), *crew.hire(express=[Lane.RL])]
    long = [service.submit("execute", [program("import time; time.sleep(12)", Lane.BULK)])]
    time.sleep(0.5)
    short = service.submit("execute", printing([1]))
    assert printed(short) == ["1"]
    long += [service.submit("execute", [program("import time; time.sleep(12)")]) for _ in range(2)]
    time.sleep(0.5)
    assert printed(service.submit("execute", printing([2], Lane.RL))) == ["2"]
    assert not any(ticket.results[0].done() for ticket in long)
    for worker in hired:
        worker.kill()  # or it would finish what it runs


def test_processes_that_send_share_what_the_workers_can_hold(
    service: Service, settings: QueueSettings, redis: Redis, crew: Crew
) -> None:
    crew.hire(2)
    until(lambda: service.readiness().workers == 2, "both are there")
    other = Service(settings)
    other.start()
    try:
        for each in (service, other):
            each.submit("execute", printing([1])).results[0].result(20)
        until(lambda: redis.zcard(keys.SENDERS) == 2, "each knows that there are two")
        time.sleep(2 * COUNT_WORKERS_EVERY_S)
        tickets = [each.submit("execute", [sleeping(0.5)]) for each in (service, other) for _ in range(4)]
        most = 2 * ENVELOPES_PER_WORKER
        until(lambda: redis.zcard(keys.outstanding("default")) == most, "each has sent its half")
        time.sleep(0.1)
        assert redis.zcard(keys.outstanding("default")) == most
        assert [printed(ticket) for ticket in tickets] == [["awake"]] * len(tickets)
    finally:
        other.close()


def test_rq_reads_the_job_of_an_envelope(service: Service, redis: Redis) -> None:
    service.submit("execute", printing([1]), durable=True)
    (job_id,) = envelope.lane_queue(Lane.DEFAULT, redis).job_ids
    job = Job.fetch(job_id, connection=redis, serializer=JSONSerializer)
    assert (job.func_name, list(job.args), job.origin, job.get_status()) == (
        envelope.TASK,
        [job_id],
        "default",
        "queued",
    )
    assert job.enqueued_at is not None
    assert abs(time.time() - job.enqueued_at.timestamp()) < 60
    assert job.created_at == job.enqueued_at


def test_a_process_has_the_room_that_others_leave(
    service: Service, settings: QueueSettings, redis: Redis, crew: Crew
) -> None:
    crew.hire(2)
    other = Service(settings)
    other.start()
    try:
        until(lambda: service.readiness().workers == 2, "both are there")
        for each in (service, other):
            each.submit("execute", printing([1])).results[0].result(20)
        until(lambda: redis.zcard(keys.SENDERS) == 2, "each knows that there are two")
        tickets = [service.submit("execute", [sleeping(0.5)]) for _ in range(8)]
        until(
            lambda: redis.zcard(keys.outstanding("default")) == 2 * ENVELOPES_PER_WORKER, "all the room is taken", 1.0
        )
        assert [printed(ticket) for ticket in tickets] == [["awake"]] * len(tickets)
    finally:
        other.close()
