"""A worker that dies takes no verdict with it: its programs run again elsewhere, and every result counts once."""

from __future__ import annotations

import signal
import time

import docker
from redis import Redis

from sandbox.box.docker_engine import HOME_LABEL
from sandbox.config import QueueSettings
from sandbox.jobs import keys
from sandbox.service import Service
from tests.crew import Crew
from tests.jobs.waiting import awaited, finished, printed, printing, sleeping, stdouts, until

WITHIN_S = 10.0


def _has_claim(redis: Redis, pid: int) -> bool:
    return any(f"-{pid}-" in worker.decode() for worker in redis.hvals(keys.CLAIMS))


def test_every_verdict_of_a_killed_worker_arrives_within_ten_seconds_and_once(
    service: Service, crew: Crew, redis: Redis
) -> None:
    victim, _ = crew.hire(2)
    requests = [sleeping(0.3, number) for number in range(6)]
    awaited_ones = service.submit("execute", requests, batch=True)
    kept = service.submit("execute", requests, batch=True, durable=True)
    until(lambda: _has_claim(redis, victim.pid), "the worker to be killed is at work")
    time.sleep(0.2)
    victim.kill()
    killed_at = time.monotonic()
    assert printed(awaited_ones, WITHIN_S) == [str(number) for number in range(6)]
    job = finished(service, kept.id, WITHIN_S - (time.monotonic() - killed_at))
    assert stdouts(job) == [str(number) for number in range(6)]
    assert redis.hlen(keys.results(kept.id)) == 6


def test_the_only_worker_is_killed_leaves_no_box_and_the_next_one_takes_over(
    service: Service, crew: Crew, settings: QueueSettings, redis: Redis, docker_client: docker.DockerClient
) -> None:
    (victim,) = crew.hire()
    ticket = service.submit("execute", [sleeping(1.0, "slow"), *printing(range(5))], batch=True)
    until(lambda: _has_claim(redis, victim.pid), "the worker is at work")
    victim.kill()
    victim.wait()
    label = {"label": f"{HOME_LABEL}={settings.home}"}
    until(
        lambda: not docker_client.containers.list(all=True, ignore_removed=True, filters=label), "its boxes end with it"
    )
    crew.hire()
    assert printed(ticket) == ["slow", *"01234"]
    until(lambda: redis.hlen(keys.CLAIMS) == 0, "nothing is claimed any more")


def test_a_worker_that_was_only_stopped_and_wakes_again_does_no_harm(
    service: Service, crew: Crew, redis: Redis
) -> None:
    stopped, _ = crew.hire(2)
    slow = service.submit("execute", [sleeping(1.0, number) for number in range(2)], batch=True, durable=True)
    until(lambda: _has_claim(redis, stopped.pid), "the worker is at work")
    stopped.send_signal(signal.SIGSTOP)
    try:
        job = finished(service, slow.id)
        first = redis.hgetall(keys.results(slow.id))
        assert stdouts(job) == ["0", "1"]
    finally:
        stopped.send_signal(signal.SIGCONT)
    after = service.submit("execute", printing(range(10)), batch=True)
    assert printed(after) == [str(number) for number in range(10)]
    until(lambda: redis.hlen(keys.CLAIMS) == 0, "the worker that woke has nothing left to do")
    assert redis.hgetall(keys.results(slow.id)) == first


def test_a_box_killed_in_mid_run_costs_a_second_try_and_no_verdict(
    service: Service, crew: Crew, settings: QueueSettings, docker_client: docker.DockerClient
) -> None:
    crew.hire()
    ticket = service.submit("execute", [sleeping(1.0, "ran again")])
    time.sleep(0.5)
    for container in docker_client.containers.list(
        ignore_removed=True, filters={"label": f"{HOME_LABEL}={settings.home}"}
    ):
        container.kill()
    (result,) = awaited(ticket)
    assert (result.status, result.stdout) == ("ok", "ran again\n")
