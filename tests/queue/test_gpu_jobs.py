"""Test GPU jobs in a real Redis: when they expire, and which worker may report on them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis import Redis

from sandbox.config import GpuSettings
from sandbox.errors import NotFound
from sandbox.gpu.worker_lease import WorkerLease
from sandbox.queue import redis_keys
from sandbox.queue.gpu_claims import GpuClaims
from sandbox.queue.gpu_jobs import GpuJobs
from sandbox.queue.gpu_leases import GpuLeases
from sandbox.schema import JobStatus
from sandbox.schema.gpu import GenerateRequest, GpuKind, Progress

QUEUE_TTL_S, RESULT_TTL_S = 1, 1
LIFE_S = QUEUE_TTL_S + RESULT_TTL_S
REQUEST = GenerateRequest(model="m", prompts=["p"])


@pytest.fixture
def jobs(redis: Redis) -> GpuJobs:
    return GpuJobs(redis, QUEUE_TTL_S, RESULT_TTL_S)


@pytest.fixture
def claims(redis: Redis) -> GpuClaims:
    return GpuClaims(redis, QUEUE_TTL_S, RESULT_TTL_S)


@pytest.fixture
def leases(redis: Redis) -> GpuLeases:
    return GpuLeases(redis)


@contextmanager
def _hold_lease(redis: Redis, claims: GpuClaims, job_id: str, lease_s: float) -> Iterator[None]:
    """Renew the lease, as a worker without GPUs does while it runs a job."""
    lease = WorkerLease(redis, claims, "w", [], GpuSettings(gpu_lease_s=lease_s))
    with lease.track_job(job_id):
        lease.start()
        try:
            yield
        finally:
            lease.stop()


def _start_job(jobs: GpuJobs, claims: GpuClaims, worker: str = "w") -> str:
    job = jobs.submit(GpuKind.GENERATE, REQUEST)
    assert claims.claim(job.id, worker) is not None
    return job.id


def test_a_running_job_does_not_expire_and_is_stored_from_its_end_on(
    jobs: GpuJobs, claims: GpuClaims, redis: Redis
) -> None:
    job_id = _start_job(jobs, claims)
    claims.report(job_id, "w", Progress(step=1))
    with _hold_lease(redis, claims, job_id, LIFE_S / 2):
        time.sleep(LIFE_S * 1.6)
    assert claims.is_wanted(job_id, "w")
    assert [job.id for job in jobs.get_pool().jobs] == [job_id]
    assert len(jobs.read_events(job_id, 0)) == 1
    assert claims.finish(job_id, "w", {"steps": 1})
    time.sleep(RESULT_TTL_S * 0.6)
    assert jobs.get_job(job_id).result == {"steps": 1}


def test_a_queued_job_says_that_no_worker_is_alive_until_one_is(
    jobs: GpuJobs, claims: GpuClaims, leases: GpuLeases
) -> None:
    job = jobs.submit(GpuKind.GENERATE, REQUEST)
    assert job.note == "no GPU worker is alive: start one with `sandbox gpu-worker`"
    assert jobs.get_pool().jobs[0].note == job.note
    leases.renew("w", [], "", 10)
    assert jobs.get_job(job.id).note == ""
    claims.claim(job.id, "w")
    leases.renew("w", [], job.id, 0)
    assert jobs.get_job(job.id).note == "", "a job that runs is not waiting"


def test_a_report_renews_the_expiry_of_a_job(jobs: GpuJobs, claims: GpuClaims) -> None:
    job_id = _start_job(jobs, claims)
    for step in range(4):
        time.sleep(LIFE_S * 0.4)
        claims.report(job_id, "w", Progress(step=step))
    assert claims.is_wanted(job_id, "w")
    assert len(jobs.read_events(job_id, 0)) == 4


def test_an_ended_job_expires_after_the_result_ttl(jobs: GpuJobs, claims: GpuClaims, redis: Redis) -> None:
    finished, cancelled, failed = (_start_job(jobs, claims) for _ in range(3))
    for job_id in (finished, cancelled, failed):
        claims.report(job_id, "w", Progress(step=1))
    claims.finish(finished, "w", {})
    jobs.cancel(cancelled)
    claims.fail(failed, "w", "why")
    with _hold_lease(redis, claims, finished, 10):
        time.sleep(RESULT_TTL_S + 0.2)
    for job_id in (finished, cancelled, failed):
        with pytest.raises(NotFound):
            jobs.get_job(job_id)
        assert not jobs.read_events(job_id, 0)
    assert jobs.get_pool().jobs == []
    assert redis.zcard(redis_keys.GPU_JOBS) == 0


def test_a_long_job_of_a_lost_worker_is_requeued(jobs: GpuJobs, claims: GpuClaims, redis: Redis) -> None:
    job_id = _start_job(jobs, claims)
    with _hold_lease(redis, claims, job_id, 0.4):
        time.sleep(LIFE_S * 1.2)
        jobs.get_pool()
    time.sleep(0.5)
    assert claims.reap(3) == [job_id]
    assert jobs.get_job(job_id).status is JobStatus.QUEUED


def test_a_worker_that_lost_a_job_cannot_report_on_it(jobs: GpuJobs, claims: GpuClaims) -> None:
    job_id = _start_job(jobs, claims, "first")
    assert claims.requeue(job_id, "first", 3, "lost")
    assert claims.claim(job_id, "second") is not None
    claims.append_events(job_id, "first", "completion", [b'{"prompt":0}'])
    claims.append_events(job_id, "second", "completion", [b'{"prompt":1}'])
    assert jobs.read_events(job_id, 0) == [b'{"event":"completion","data":{"prompt":1}}']
