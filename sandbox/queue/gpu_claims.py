"""GPU jobs as their workers see them: claim them, report on them, and requeue those of lost workers.

Theory of operation. A worker claims a job with its own name. If the worker's lease ends, the first worker to notice
requeues the job (`claims`), and the next worker resumes from the last checkpoint in the job's folder. Only the claimant
may report on a job or finish it, so a worker that was wrongly considered dead changes nothing when it wakes up. Each
report, and each renewal of the worker's lease, resets the expiry of a running job, because training may take longer
than a job may wait.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from redis import Redis

from sandbox.queue import claims, redis_keys
from sandbox.queue.claims import Claim
from sandbox.queue.gpu_jobs import SET_EXPIRY, GpuJobs
from sandbox.queue.gpu_leases import GpuLeases
from sandbox.schema import JobStatus
from sandbox.schema.gpu import GpuKind, Progress

LOST_CHECK_PAUSE_S = 0.5
_IS_CLAIMANT = """
if redis.call('HGET', KEYS[1], 'worker') ~= ARGV[1] or redis.call('HGET', KEYS[1], 'status') ~= 'running' then
  return 0
end
"""
# Write fields of a job if it is still running on this worker; return whether it is.
_WRITE_AS_CLAIMANT = f"""
{SET_EXPIRY}{_IS_CLAIMANT}
for index = 3, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[index], ARGV[index + 1]) end
lives(ARGV[2])
return 1
"""
_APPEND_EVENTS = f"""
{SET_EXPIRY}{_IS_CLAIMANT}
for index = 3, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[index]) end
lives(ARGV[2])
return 1
"""
_CLAIM = f"""
{SET_EXPIRY}
local status = redis.call('HGET', KEYS[1], 'status')
if status ~= 'queued' then return 0 end
redis.call('HSET', KEYS[1], 'status', 'running', 'worker', ARGV[1])
lives(ARGV[2])
return redis.call('HINCRBY', KEYS[1], 'attempts', 1)
"""
# Requeue a job of a lost worker, or fail it after too many attempts.
_REQUEUE = f"""
{SET_EXPIRY}{_IS_CLAIMANT}
if tonumber(redis.call('HGET', KEYS[1], 'attempts')) >= tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], 'status', 'failed', 'error', ARGV[3])
  lives(ARGV[5])
  return 2
end
redis.call('HSET', KEYS[1], 'status', 'queued', 'worker', '')
lives(ARGV[4])
return 1
"""


class GpuClaims:
    """The claims of GPU workers on the jobs of `jobs`. Thread-safe. Every method may raise RedisError."""

    def __init__(self, redis: Redis, queue_ttl_s: int, result_ttl_s: int) -> None:
        self._redis = redis
        self._jobs = GpuJobs(redis, queue_ttl_s, result_ttl_s)
        self._ttl_s = queue_ttl_s + result_ttl_s
        self._result_ttl_s = result_ttl_s

    def claim(self, job_id: str, worker: str) -> tuple[GpuKind, bytes] | None:
        """Claim a queued job and return its kind and its request as JSON; return None if it is no longer queued."""
        if not self._jobs.run_script(_CLAIM, job_id, worker, self._ttl_s):
            return None
        kind, request = self._redis.hmget(redis_keys.gpu_job(job_id), "kind", "request")
        return GpuKind(kind.decode()), request

    def is_wanted(self, job_id: str, worker: str) -> bool:
        """Return whether this worker should continue the job: it was neither cancelled nor claimed by another one."""
        state = self._redis.hmget(redis_keys.gpu_job(job_id), "status", "worker")
        return bool(state == [JobStatus.RUNNING.value.encode(), worker.encode()])

    def report(self, job_id: str, worker: str, progress: Progress) -> None:
        text = progress.model_dump_json(exclude_none=True)
        if self._write(job_id, worker, {"progress": text}):
            self.append_events(job_id, worker, "progress", [text.encode()])

    def append_events(self, job_id: str, worker: str, event: str, data: Iterable[bytes]) -> None:
        """Append events whose data is JSON already. Does nothing if the job no longer belongs to this worker."""
        lines = [b'{"event":"%s","data":%s}' % (event.encode(), each) for each in data]
        if lines:
            self._jobs.run_script(_APPEND_EVENTS, job_id, worker, self._ttl_s, *lines)

    def finish(self, job_id: str, worker: str, result: Mapping[str, Any]) -> bool:
        fields = {"status": JobStatus.FINISHED.value, "result": json.dumps(result)}
        return self._write(job_id, worker, fields, self._result_ttl_s)

    def fail(self, job_id: str, worker: str, error: str) -> bool:
        return self._write(job_id, worker, {"status": JobStatus.FAILED.value, "error": error}, self._result_ttl_s)

    def requeue(self, job_id: str, worker: str, max_attempts: int, error: str) -> bool:
        """Requeue a job that its worker could not finish.

        Returns False if the job no longer belongs to the worker, or if it fails after `max_attempts` attempts.
        """
        outcome = self._jobs.run_script(_REQUEUE, job_id, worker, max_attempts, error, self._ttl_s, self._result_ttl_s)
        if outcome == 1:
            self._enqueue(job_id)
        return outcome == 1

    def extend(self, job_id: str, worker: str) -> None:
        """Reset the expiry of a job that this worker runs."""
        self._write(job_id, worker, {})

    def read_events(self, job_id: str) -> list[bytes]:
        """Return all events of a job, including those of earlier workers. Raises NotFound."""
        return self._jobs.read_events(job_id, 0)

    def reap(self, max_attempts: int) -> list[str]:
        """Requeue the jobs of workers whose lease has ended, and lost jobs, and return their ids.

        A job that has been started `max_attempts` times fails instead.
        """
        return claims.reap(_OrphanedJobs(self._redis, self._jobs, self, max_attempts))

    def _enqueue(self, job_id: str) -> None:
        kind = self._redis.hget(redis_keys.gpu_job(job_id), "kind")
        self._jobs.enqueue(GpuKind(kind.decode()), job_id)

    def _write(self, job_id: str, worker: str, fields: Mapping[str, str], ttl_s: int = 0) -> bool:
        pairs = [part for pair in fields.items() for part in pair]
        return bool(self._jobs.run_script(_WRITE_AS_CLAIMANT, job_id, worker, ttl_s or self._ttl_s, *pairs))


class _OrphanedJobs:
    """The unfinished GPU jobs; implements `claims.ClaimedWork`."""

    def __init__(self, redis: Redis, jobs: GpuJobs, gpu_claims: GpuClaims, max_attempts: int) -> None:
        self._redis = redis
        self._jobs = jobs
        self._claims = gpu_claims
        self._max_attempts = max_attempts

    def list_living(self) -> set[str]:
        return GpuLeases(self._redis).list_living()

    def list_unfinished(self) -> Iterator[Claim]:
        """Yield the queued and running jobs, oldest first. Their queue is their kind."""
        for job_id in reversed(self._jobs.list_ids()):
            status, worker, kind = self._redis.hmget(redis_keys.gpu_job(job_id), "status", "worker", "kind")
            if status in {b"queued", b"running"}:
                yield Claim(job_id, kind.decode(), worker.decode() if status == b"running" else None)

    def requeue_from(self, claim: Claim) -> bool:
        worker = claim.worker or ""
        error = f"its worker {worker} was lost; the job has failed after {self._max_attempts} attempts"
        return self._claims.requeue(claim.id, worker, self._max_attempts, error)

    def is_lost(self, claim: Claim) -> bool:
        for pause_s in (LOST_CHECK_PAUSE_S, 0.0):
            status, rq_id = self._redis.hmget(redis_keys.gpu_job(claim.id), "status", "queued_as")
            kind = GpuKind(claim.queue)
            if status != b"queued" or (rq_id and self._jobs.find_position(kind, rq_id.decode()) is not None):
                return False
            time.sleep(pause_s)
        return True

    def enqueue_lost(self, claim: Claim) -> None:
        self._jobs.enqueue(GpuKind(claim.queue), claim.id)
