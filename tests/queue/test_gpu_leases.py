"""Test GPU leases in a real Redis: one holder at a time, and one clock for all hosts."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from sandbox.queue.gpu_jobs import GpuJobs

GPUS = ["host/0", "host/1"]


@pytest.fixture
def jobs(redis: Redis) -> GpuJobs:
    return GpuJobs(redis, 60, 60)


def _list_holders(jobs: GpuJobs) -> list[str]:
    return [lease.worker for lease in jobs.list_leases()]


def test_one_of_several_concurrent_workers_gets_all_gpus(jobs: GpuJobs) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda name: jobs.renew(f"w{name}", GPUS, "", 10), range(8)))
    assert sum(answer is None for answer in answers) == 1
    winner = f"w{answers.index(None)}"
    assert _list_holders(jobs) == [winner, winner]
    assert {answer.worker for answer in answers if answer is not None} == {winner}


def test_a_worker_gets_no_gpu_if_another_worker_holds_one_of_them(jobs: GpuJobs) -> None:
    assert jobs.renew("first", GPUS[1:], "", 10) is None
    other = jobs.renew("second", GPUS, "gpu-1", 10)
    assert other is not None
    assert (other.gpu, other.worker, other.job) == ("host/1", "first", "")
    assert _list_holders(jobs) == ["first"]


def test_the_old_holder_of_an_expired_lease_can_neither_renew_nor_release_it(jobs: GpuJobs) -> None:
    assert jobs.renew("first", GPUS, "", 0.1) is None
    time.sleep(0.2)
    assert jobs.renew("second", GPUS, "", 10) is None
    assert jobs.renew("first", GPUS, "", 10) is not None
    jobs.release("first", GPUS)
    assert _list_holders(jobs) == ["second", "second"]
    jobs.release("second", GPUS)
    assert _list_holders(jobs) == []


def test_leases_use_the_clock_of_redis_and_not_of_a_host(jobs: GpuJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    assert jobs.renew("first", GPUS, "", 10) is None
    real = time.time()
    monkeypatch.setattr(time, "time", lambda: real + 3_600)
    assert _list_holders(jobs) == ["first", "first"]
    assert jobs.renew("ahead", GPUS, "", 10) is not None
    monkeypatch.setattr(time, "time", lambda: real - 3_600)
    assert jobs.renew("behind", ["host/2"], "", 0.1) is None
    time.sleep(0.2)
    assert _list_holders(jobs) == ["first", "first"]
