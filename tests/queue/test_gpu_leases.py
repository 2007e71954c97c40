"""Test GPU leases in a real Redis: one holder at a time, and one clock for all hosts."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from sandbox.queue.gpu_leases import GpuLeases

GPUS = ["host/0", "host/1"]


@pytest.fixture
def leases(redis: Redis) -> GpuLeases:
    return GpuLeases(redis)


def _list_holders(leases: GpuLeases) -> list[str]:
    return [lease.worker for lease in leases.list_held()]


def test_one_of_several_concurrent_workers_gets_all_gpus(leases: GpuLeases) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda name: leases.renew(f"w{name}", GPUS, "", 10), range(8)))
    assert sum(answer is None for answer in answers) == 1
    winner = f"w{answers.index(None)}"
    assert _list_holders(leases) == [winner, winner]
    assert {answer.worker for answer in answers if answer is not None} == {winner}


def test_a_worker_gets_no_gpu_if_another_worker_holds_one_of_them(leases: GpuLeases) -> None:
    assert leases.renew("first", GPUS[1:], "", 10) is None
    other = leases.renew("second", GPUS, "gpu-1", 10)
    assert other is not None
    assert (other.gpu, other.worker, other.job) == ("host/1", "first", "")
    assert _list_holders(leases) == ["first"]


def test_the_old_holder_of_an_expired_lease_can_neither_renew_nor_release_it(leases: GpuLeases) -> None:
    assert leases.renew("first", GPUS, "", 0.1) is None
    time.sleep(0.2)
    assert leases.renew("second", GPUS, "", 10) is None
    assert leases.renew("first", GPUS, "", 10) is not None
    leases.release("first", GPUS)
    assert _list_holders(leases) == ["second", "second"]
    leases.release("second", GPUS)
    assert _list_holders(leases) == []


def test_leases_use_the_clock_of_redis_and_not_of_a_host(leases: GpuLeases, monkeypatch: pytest.MonkeyPatch) -> None:
    assert leases.renew("first", GPUS, "", 10) is None
    real = time.time()
    monkeypatch.setattr(time, "time", lambda: real + 3_600)
    assert _list_holders(leases) == ["first", "first"]
    assert leases.renew("ahead", GPUS, "", 10) is not None
    monkeypatch.setattr(time, "time", lambda: real - 3_600)
    assert leases.renew("behind", ["host/2"], "", 0.1) is None
    time.sleep(0.2)
    assert _list_holders(leases) == ["first", "first"]
