"""Test that a dying worker loses no verdict: its programs run again elsewhere, and every result counts once."""

from __future__ import annotations

import signal
import time

import docker
from redis import Redis

from sandbox.box.docker.leftovers import HOME_LABEL
from sandbox.config import QueueSettings
from sandbox.queue import redis_keys
from sandbox.service import Service
from tests.queue.sample_programs import build_printing_programs, build_sleeping_program
from tests.queue.submit_and_wait import await_job, await_outputs, await_results, get_stdouts, submit, wait_until
from tests.worker_processes import WorkerProcesses

WITHIN_S = 10.0


def _has_claim(redis: Redis, pid: int) -> bool:
    return any(f"-{pid}-" in worker.decode() for worker in redis.hvals(redis_keys.CLAIMS))


def test_every_verdict_of_a_killed_worker_arrives_within_ten_seconds_and_once(
    service: Service, worker_processes: WorkerProcesses, redis: Redis
) -> None:
    victim, _ = worker_processes.start(2)
    requests = [build_sleeping_program(0.3, number) for number in range(6)]
    awaited_ones = submit(service, requests, batch=True)
    kept = submit(service, requests, batch=True, durable=True)
    wait_until(lambda: _has_claim(redis, victim.pid), "the worker to be killed is at work")
    time.sleep(0.2)
    victim.kill()
    killed_at = time.monotonic()
    assert await_outputs(awaited_ones, WITHIN_S) == [str(number) for number in range(6)]
    job = await_job(service, kept.id, WITHIN_S - (time.monotonic() - killed_at))
    assert get_stdouts(job) == [str(number) for number in range(6)]
    assert redis.hlen(redis_keys.results(kept.id)) == 6


def test_after_the_only_worker_is_killed_no_box_is_left_and_the_next_worker_takes_over(
    service: Service,
    worker_processes: WorkerProcesses,
    settings: QueueSettings,
    redis: Redis,
    docker_client: docker.DockerClient,
) -> None:
    (victim,) = worker_processes.start()
    ticket = submit(service, [build_sleeping_program(1.0, "slow"), *build_printing_programs(range(5))], batch=True)
    wait_until(lambda: _has_claim(redis, victim.pid), "the worker is at work")
    victim.kill()
    victim.wait()
    label = {"label": f"{HOME_LABEL}={settings.home}"}
    wait_until(
        lambda: not docker_client.containers.list(all=True, ignore_removed=True, filters=label), "its boxes end with it"
    )
    worker_processes.start()
    assert await_outputs(ticket) == ["slow", *"01234"]
    wait_until(lambda: redis.hlen(redis_keys.CLAIMS) == 0, "nothing is claimed any more")


def test_a_suspended_worker_that_resumes_does_no_harm(
    service: Service, worker_processes: WorkerProcesses, redis: Redis
) -> None:
    stopped, _ = worker_processes.start(2)
    slow = submit(service, [build_sleeping_program(1.0, number) for number in range(2)], batch=True, durable=True)
    wait_until(lambda: _has_claim(redis, stopped.pid), "the worker is at work")
    stopped.send_signal(signal.SIGSTOP)
    try:
        job = await_job(service, slow.id)
        first = redis.hgetall(redis_keys.results(slow.id))
        assert get_stdouts(job) == ["0", "1"]
    finally:
        stopped.send_signal(signal.SIGCONT)
    after = submit(service, build_printing_programs(range(10)), batch=True)
    assert await_outputs(after) == [str(number) for number in range(10)]
    wait_until(lambda: redis.hlen(redis_keys.CLAIMS) == 0, "the worker that woke has nothing left to do")
    assert redis.hgetall(redis_keys.results(slow.id)) == first


def test_a_box_killed_during_a_run_costs_a_retry_but_no_verdict(
    service: Service, worker_processes: WorkerProcesses, settings: QueueSettings, docker_client: docker.DockerClient
) -> None:
    worker_processes.start()
    ticket = submit(service, [build_sleeping_program(1.0, "ran again")])
    time.sleep(0.5)
    for container in docker_client.containers.list(
        ignore_removed=True, filters={"label": f"{HOME_LABEL}={settings.home}"}
    ):
        container.kill()
    (result,) = await_results(ticket)
    assert (result.status, result.stdout) == ("ok", "ran again\n")
