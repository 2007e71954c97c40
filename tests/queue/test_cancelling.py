"""Test that cancelling stops a running job, and that its slot and its boxes serve the next job."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import docker
import pytest
from redis import Redis

from sandbox.box.docker.leftovers import HOME_LABEL
from sandbox.config import QueueSettings
from sandbox.errors import Cancelled
from sandbox.queue import redis_keys
from sandbox.queue.submission import Submission
from sandbox.request_context import Caller
from sandbox.schema import ExecuteRequest, JobStatus, VerifyRequest
from sandbox.schema.submissions import SubmissionKind
from sandbox.schema.vote import VoteRequest
from sandbox.service import Service, SubmissionRequest
from tests.queue.sample_programs import SLOW_TO_COMPILE, build_printing_programs, build_program, build_sleeping_program
from tests.queue.submit_and_wait import act_as, await_outputs, submit, wait_until
from tests.worker_processes import WorkerProcesses

FREE_WITHIN_S = 3.0  # the slot would be busy for a minute otherwise; takes a second on an idle machine
SLEEP = "import time\ntime.sleep(60)\n"
SPIN = "while True:\n    pass\n"
LIMITS = {"cpu_time_s": 60, "wall_time_s": 120}
TALKER = "print(1, flush=True)\nimport time\ntime.sleep(60)\n"


def build_verify_request(code: str, tests: list[dict[str, Any]], **fields: Any) -> VerifyRequest:
    return VerifyRequest.model_validate(
        {"language": "python", "code": code, "tests": tests, "limits": LIMITS, **fields}
    )


RUNNING: dict[str, tuple[SubmissionKind, SubmissionRequest]] = {
    "asleep in a test": ("verify", build_verify_request(SLEEP, [{"expected": ""}] * 5)),
    "busy in a test": ("verify", build_verify_request(SPIN, [{"expected": ""}] * 5)),
    "in one of many tests": (
        "verify",
        build_verify_request("import time\ntime.sleep(0.05)", [{"expected": ""}] * 2_000),
    ),
    "in an assert test": (
        "verify",
        build_verify_request("def f():\n    import time\n    time.sleep(60)", [{"assert": "f()"}] * 2),
    ),
    "in a conversation": (
        "verify",
        build_verify_request(
            SLEEP, [{"stdin": ""}], checker={"type": "interactive", "language": "python", "code": TALKER}
        ),
    ),
    "in a vote": (
        "vote",
        VoteRequest.model_validate(
            {
                "candidates": [{"language": "python", "code": SLEEP + f"# {number}"} for number in range(3)],
                "inputs": [{"stdin": "1\n"}, {"stdin": "2\n"}],
                "limits": LIMITS,
            }
        ),
    ),
    "while it compiles": ("execute", ExecuteRequest(language="cpp", code=SLOW_TO_COMPILE)),
}


@pytest.fixture
def boxes(docker_client: docker.DockerClient, settings: QueueSettings) -> Callable[[], set[str]]:
    label = f"{HOME_LABEL}={settings.home}"
    return lambda: {container.name for container in docker_client.containers.list(filters={"label": label})}


@pytest.mark.parametrize("what", list(RUNNING))
def test_a_running_program_is_stopped(
    service: Service, worker_processes: WorkerProcesses, redis: Redis, boxes: Callable[[], set[str]], what: str
) -> None:
    kind, request = RUNNING[what]
    worker_processes.start()
    assert await_outputs(submit(service, build_printing_programs([1]))) == ["1"]
    job = service.submit(Submission(kind, [request], durable=True))
    wait_until(lambda: redis.hlen(redis_keys.CLAIMS) == 1, "the worker has it")
    time.sleep(0.7)
    before = boxes()
    assert service.get_job(job.id).status is JobStatus.RUNNING
    began = time.monotonic()
    assert service.cancel(job.id).status is JobStatus.CANCELLED
    assert await_outputs(submit(service, build_printing_programs([2]))) == ["2"]
    assert time.monotonic() - began < FREE_WITHIN_S
    assert service.get_job(job.id).status is JobStatus.CANCELLED
    assert boxes() >= before, "a box was thrown away"


def test_a_cancelled_batch_keeps_its_results_and_does_not_run_the_rest(
    service: Service, worker_processes: WorkerProcesses, redis: Redis
) -> None:
    worker_processes.start()
    job = submit(
        service,
        [*build_printing_programs(range(3)), *[build_sleeping_program(0.1)] * 600],
        batch=True,
        durable=True,
    )
    wait_until(lambda: redis.hlen(redis_keys.results(job.id)) > 10, "some of it has run")
    began = time.monotonic()
    service.cancel(job.id)
    assert await_outputs(submit(service, build_printing_programs([2]))) == ["2"]
    assert time.monotonic() - began < 2 * FREE_WITHIN_S
    assert service.get_job(job.id).status is JobStatus.CANCELLED
    assert 10 < redis.hlen(redis_keys.results(job.id)) < 200
    wait_until(lambda: not service.check_readiness().queued["default"], "nothing of it waits")
    assert redis.keys("sandbox:envelope:*") == []


def test_the_running_program_of_a_disconnected_client_is_stopped(
    service: Service, worker_processes: WorkerProcesses, redis: Redis
) -> None:
    worker_processes.start()
    with act_as(Caller("small", max_queued=10)):
        ticket = submit(service, [build_program(SLEEP), build_program(SLEEP + "#")], batch=True)
        wait_until(lambda: redis.hlen(redis_keys.CLAIMS) >= 1, "the worker has it")
        time.sleep(0.5)
        began = time.monotonic()
        service.abandon(ticket)
        assert await_outputs(submit(service, build_printing_programs([2]))) == ["2"]
        assert time.monotonic() - began < FREE_WITHIN_S
        wait_until(lambda: redis.zcard(redis_keys.queued_items("small")) == 0, "none of it counts any more")


def test_cancelling_one_job_does_not_stop_another(
    service: Service, worker_processes: WorkerProcesses, redis: Redis
) -> None:
    worker_processes.start(2)
    wanted = submit(service, [build_sleeping_program(2.0, "done")])
    unwanted = submit(service, [build_program(SLEEP)], durable=True)
    wait_until(lambda: redis.hlen(redis_keys.CLAIMS) == 2, "both run")
    service.cancel(unwanted.id)
    assert await_outputs(wanted) == ["done"]
    assert await_outputs(submit(service, build_printing_programs(range(8)), batch=True)) == [
        str(number) for number in range(8)
    ]


def test_clients_that_wait_for_a_cancelled_job_get_an_error_at_once(
    service: Service, settings: QueueSettings, worker_processes: WorkerProcesses, redis: Redis
) -> None:
    other = Service(settings)
    other.start()
    try:
        worker_processes.start()
        requests = [build_program("print(1)"), build_program(SLEEP)]
        waiting = [submit(each, requests, batch=True, idempotency_key="k") for each in (service, other)]
        wait_until(lambda: redis.hlen(redis_keys.results(waiting[0].id)) == 1, "one of them has its result")
        service.cancel(waiting[0].id)
        late = submit(other, requests, batch=True, idempotency_key="k")
        for ticket in (*waiting, late):
            assert b'"stdout":"1\\n"' in ticket.results[0].result(10)
            with pytest.raises(Cancelled):
                ticket.results[1].result(10)
    finally:
        other.close()
