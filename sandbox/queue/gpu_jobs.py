"""GPU jobs in Redis: submit, claim, follow, and cancel them, and requeue them if their worker is lost.

Theory of operation. A GPU job is a hash, plus an RQ job in one of two lanes: one lane serves models, the other trains
them. A worker claims the job with its own name. If the worker's lease ends, the first worker to notice requeues the
job, and the next worker resumes from the last checkpoint in the job's folder. The progress of a job is one list of
events, so a reader that was disconnected continues where it stopped. Only the claimant may report on a job or finish
it, so a worker that was wrongly considered dead changes nothing when it wakes up. Each report, and each renewal of the
worker's lease, resets the expiry of a running job, because training may take longer than a job may wait.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from sandbox.errors import NotFound
from sandbox.queue import idempotency, redis_keys
from sandbox.queue.idempotency import KeyedRequest
from sandbox.queue.job_store import allow_any_owner
from sandbox.request_context import generate_id
from sandbox.schema import JobStatus
from sandbox.schema.gpu import ENDED_STATUSES, GpuJob, GpuKind, GpuLease, GpuPool, GpuRequest, Progress

JOB_ID_PREFIX = "gpu-"
SERVING_LANE, TRAINING_LANE = "gpu", "gpu-train"
LANES = (SERVING_LANE, TRAINING_LANE)
LANE_BY_KIND = {
    GpuKind.GENERATE: SERVING_LANE,
    GpuKind.EVALUATE: SERVING_LANE,
    GpuKind.SFT: TRAINING_LANE,
    GpuKind.GRPO: TRAINING_LANE,
}
RQ_FUNCTION = "sandbox.gpu.tasks.perform"
NO_TIMEOUT = -1
MAX_LISTED_JOBS = 100

# KEYS are always the job's hash and its events, which expire together.
_IS_CLAIMANT = """
if redis.call('HGET', KEYS[1], 'worker') ~= ARGV[1] or redis.call('HGET', KEYS[1], 'status') ~= 'running' then
  return 0
end
"""
NO_WORKER_NOTE = "no GPU worker is alive: start one with `sandbox gpu-worker`"
_SET_EXPIRY = """
local function lives(seconds)
  redis.call('EXPIRE', KEYS[1], seconds)
  redis.call('EXPIRE', KEYS[2], seconds)
  local key = redis.call('HGET', KEYS[1], 'idempotency')
  if key then redis.call('EXPIRE', key, seconds) end
end
"""
# Write fields of a job if it is still running on this worker; return whether it is.
_WRITE_AS_CLAIMANT = f"""
{_SET_EXPIRY}{_IS_CLAIMANT}
for index = 3, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[index], ARGV[index + 1]) end
lives(ARGV[2])
return 1
"""
_APPEND_EVENTS = f"""
{_SET_EXPIRY}{_IS_CLAIMANT}
for index = 3, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[index]) end
lives(ARGV[2])
return 1
"""
_CLAIM = f"""
{_SET_EXPIRY}
local status = redis.call('HGET', KEYS[1], 'status')
if status ~= 'queued' then return 0 end
redis.call('HSET', KEYS[1], 'status', 'running', 'worker', ARGV[1])
lives(ARGV[2])
return redis.call('HINCRBY', KEYS[1], 'attempts', 1)
"""
_CANCEL = f"""
{_SET_EXPIRY}
local status = redis.call('HGET', KEYS[1], 'status')
if status == 'queued' or status == 'running' then
  redis.call('HSET', KEYS[1], 'status', 'cancelled')
  lives(ARGV[1])
end
return 1
"""
# Requeue a job of a lost worker, or fail it after too many attempts.
_REQUEUE = f"""
{_SET_EXPIRY}{_IS_CLAIMANT}
if tonumber(redis.call('HGET', KEYS[1], 'attempts')) >= tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], 'status', 'failed', 'error', ARGV[3])
  lives(ARGV[5])
  return 2
end
redis.call('HSET', KEYS[1], 'status', 'queued', 'worker', '')
lives(ARGV[4])
return 1
"""
# Lease all GPUs in one step, by the clock of Redis: the clocks of hosts differ, and two workers may ask at once. KEYS
# are the leases and the live workers. Returns the lease that another worker still holds, or false on success.
_RENEW = """
local worker, job, lease_s = ARGV[1], ARGV[2], tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
for index = 4, #ARGV do
  local text = redis.call('HGET', KEYS[1], ARGV[index])
  local held = text and cjson.decode(text)
  if held and held.worker ~= worker and held['until'] > now then return text end
end
for index = 4, #ARGV do
  local lease = {gpu = ARGV[index], worker = worker, job = job, ['until'] = now + lease_s}
  redis.call('HSET', KEYS[1], ARGV[index], cjson.encode(lease))
end
redis.call('ZADD', KEYS[2], string.format('%.3f', now + lease_s), worker)
return false
"""
_RELEASE = """
redis.call('ZREM', KEYS[2], ARGV[1])
for index = 2, #ARGV do
  local text = redis.call('HGET', KEYS[1], ARGV[index])
  if text and cjson.decode(text).worker == ARGV[1] then redis.call('HDEL', KEYS[1], ARGV[index]) end
end
return 1
"""


def is_gpu_job(job_id: str) -> bool:
    return job_id.startswith(JOB_ID_PREFIX)


class GpuJobs:
    """The GPU jobs of all workers. Thread-safe.

    A job may wait for `queue_ttl_s`. It is stored for `result_ttl_s` after it ends.
    """

    def __init__(self, redis: Redis, queue_ttl_s: int, result_ttl_s: int) -> None:
        self._redis = redis
        self._ttl_s = queue_ttl_s + result_ttl_s
        self._result_ttl_s = result_ttl_s

    def submit(self, kind: GpuKind, request: GpuRequest, client: str = "", keyed: KeyedRequest | None = None) -> GpuJob:
        """Queue a job for the API key `client`, or return the first job with the same idempotency key.

        Raises IdempotencyKeyReused.
        """
        job_id = JOB_ID_PREFIX + generate_id()
        fields: dict[str, str | int | float] = {
            "kind": kind.value,
            "request": request.model_dump_json(exclude_unset=True),
            "status": JobStatus.QUEUED.value,
            "attempts": 0,
            "worker": "",
            "client": client,
        }
        if keyed is not None:
            fields["idempotency"] = keyed.key
            first = idempotency.create_or_find(
                self._redis, keyed, job_id, redis_keys.gpu_job(job_id), fields, self._ttl_s
            )
            if first != job_id:
                return self.get_job(first)
        pipeline = self._redis.pipeline()
        if keyed is None:
            pipeline.hset(redis_keys.gpu_job(job_id), mapping=fields)
            pipeline.expire(redis_keys.gpu_job(job_id), self._ttl_s)
        pipeline.zadd(redis_keys.GPU_JOBS, {job_id: self.read_time()})
        pipeline.execute()
        self._enqueue(kind, job_id)
        return self.get_job(job_id)

    def get_job(self, job_id: str, may_see: Callable[[str], bool] = allow_any_owner) -> GpuJob:
        """Return the state of a job. Raises NotFound, also if `may_see` rejects the API key that submitted it."""
        fields = self._read_fields(job_id)
        if not may_see(fields.get("client", "")):
            raise _build_not_found(job_id)
        kind, status = GpuKind(fields["kind"]), JobStatus(fields["status"])
        return GpuJob(
            id=job_id,
            kind=kind,
            status=status,
            position=self._find_position(kind, fields.get("queued_as", "")) if status is JobStatus.QUEUED else None,
            result=json.loads(fields["result"]) if "result" in fields else None,
            progress=Progress.model_validate_json(fields.get("progress", "{}")),
            error=fields.get("error", ""),
            attempts=int(fields["attempts"]),
            worker=fields["worker"],
            note=NO_WORKER_NOTE if status is JobStatus.QUEUED and not self._has_live_worker() else "",
        )

    def cancel(self, job_id: str, may_see: Callable[[str], bool] = allow_any_owner) -> GpuJob:
        """Cancel a job. A running job stops within two seconds; an ended job does not change. Raises NotFound."""
        self.get_job(job_id, may_see)
        self._eval(_CANCEL, job_id, self._result_ttl_s)
        return self.get_job(job_id)

    def read_events(self, job_id: str, start: int, may_see: Callable[[str], bool] = allow_any_owner) -> list[bytes]:
        """Return the events from number `start` onward, each as JSON: {"event": ..., "data": ...}. Raises NotFound."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hget(redis_keys.gpu_job(job_id), "client")
        pipeline.lrange(redis_keys.gpu_events(job_id), start, -1)
        client, found = pipeline.execute()
        if not may_see((client or b"").decode()):
            raise _build_not_found(job_id)
        events: list[bytes] = found
        return events

    def get_pool(self) -> GpuPool:
        """Return the current leases and the latest jobs."""
        jobs = []
        for name in self._list_job_ids()[:MAX_LISTED_JOBS]:
            try:
                jobs.append(self.get_job(name).model_copy(update={"result": None}))
            except NotFound:
                continue
        return GpuPool(leases=self.list_leases(), jobs=jobs)

    def list_leases(self) -> list[GpuLease]:
        now = self.read_time()
        held = [GpuLease.model_validate_json(text) for text in self._redis.hvals(redis_keys.GPU_LEASES)]
        return sorted((lease for lease in held if lease.until > now), key=lambda lease: lease.gpu)

    def read_time(self) -> float:
        """Return the time of the Redis server, which governs leases, in seconds since the epoch."""
        seconds, microseconds = self._redis.time()
        return float(seconds) + float(microseconds) / 1e6

    # The GPU workers call the methods below.

    def claim(self, job_id: str, worker: str) -> tuple[GpuKind, bytes] | None:
        """Claim a queued job and return its kind and its request as JSON; return None if it is no longer queued."""
        if not self._eval(_CLAIM, job_id, worker, self._ttl_s):
            return None
        kind, request = self._redis.hmget(redis_keys.gpu_job(job_id), "kind", "request")
        return GpuKind(kind.decode()), request

    def is_wanted(self, job_id: str, worker: str) -> bool:
        """Return whether the job is still running on this worker: neither cancelled nor claimed by another."""
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
            self._eval(_APPEND_EVENTS, job_id, worker, self._ttl_s, *lines)

    def finish(self, job_id: str, worker: str, result: Mapping[str, Any]) -> bool:
        fields = {"status": JobStatus.FINISHED.value, "result": json.dumps(result)}
        return self._write(job_id, worker, fields, self._result_ttl_s)

    def fail(self, job_id: str, worker: str, error: str) -> bool:
        return self._write(job_id, worker, {"status": JobStatus.FAILED.value, "error": error}, self._result_ttl_s)

    def requeue(self, job_id: str, worker: str, max_attempts: int, error: str) -> bool:
        """Requeue a job that its worker could not finish.

        Returns False if the job no longer belongs to the worker, or if it fails after `max_attempts` attempts.
        """
        outcome = self._eval(_REQUEUE, job_id, worker, max_attempts, error, self._ttl_s, self._result_ttl_s)
        if outcome == 1:
            self._enqueue(GpuKind(self._read_fields(job_id)["kind"]), job_id)
        return outcome == 1

    def renew(self, worker: str, gpus: Sequence[str], job_id: str, lease_s: float) -> GpuLease | None:
        """Lease `gpus` and mark this worker as alive for `lease_s` seconds.

        Returns None on success. If another worker holds one of the GPUs, changes nothing and returns that lease.
        """
        other = self._redis.eval(
            _RENEW, 2, redis_keys.GPU_LEASES, redis_keys.GPU_WORKERS, worker, job_id, lease_s, *gpus
        )
        if other is not None:
            return GpuLease.model_validate_json(other)
        if job_id:
            self._write(job_id, worker, {})
        return None

    def release(self, worker: str, gpus: Sequence[str]) -> None:
        """Release the leases of this worker; leases that another worker holds do not change."""
        self._redis.eval(_RELEASE, 2, redis_keys.GPU_LEASES, redis_keys.GPU_WORKERS, worker, *gpus)

    def reap(self, max_attempts: int) -> list[str]:
        """Requeue the jobs of workers whose lease has ended, and return their ids."""
        now = self.read_time()
        living = {name.decode() for name in self._redis.zrangebyscore(redis_keys.GPU_WORKERS, now, "+inf")}
        requeued = []
        for name in reversed(self._list_job_ids()):
            status, worker, kind = self._redis.hmget(redis_keys.gpu_job(name), "status", "worker", "kind")
            if status == b"running" and worker.decode() not in living:
                error = f"its worker {worker.decode()} was lost; the job has failed after {max_attempts} attempts"
                if self.requeue(name, worker.decode(), max_attempts, error):
                    requeued.append(name)
            elif status == b"queued" and self._is_lost(GpuKind(kind.decode()), name):
                self._enqueue(GpuKind(kind.decode()), name)
                requeued.append(name)
        self._redis.zremrangebyscore(redis_keys.GPU_WORKERS, "-inf", now)
        return requeued

    def _is_lost(self, kind: GpuKind, job_id: str) -> bool:
        """Return whether a queued job is in no queue, because its worker died between taking and claiming it.

        Checks twice, because a healthy worker may be about to claim the job.
        """
        for _ in range(2):
            status, rq_id = self._redis.hmget(redis_keys.gpu_job(job_id), "status", "queued_as")
            if status != b"queued" or (rq_id and self._find_position(kind, rq_id.decode()) is not None):
                return False
            time.sleep(0.5)
        return True

    def _has_live_worker(self) -> bool:
        return bool(self._redis.zcount(redis_keys.GPU_WORKERS, self.read_time(), "+inf"))

    def _enqueue(self, kind: GpuKind, job_id: str) -> None:
        """Queue each attempt as a new RQ job: RQ deletes the RQ job of the previous attempt when that attempt ends."""
        queue = Queue(LANE_BY_KIND[kind], connection=self._redis, serializer=JSONSerializer)
        rq_id = f"{job_id}-{generate_id()[:8]}"
        self._redis.hset(redis_keys.gpu_job(job_id), "queued_as", rq_id)
        queue.enqueue_call(RQ_FUNCTION, args=(job_id,), job_id=rq_id, timeout=NO_TIMEOUT, result_ttl=0, failure_ttl=0)

    def _find_position(self, kind: GpuKind, rq_id: str) -> int | None:
        position = self._redis.lpos(redis_keys.rq_queue(LANE_BY_KIND[kind]), rq_id)
        return None if position is None else int(position)

    def _write(self, job_id: str, worker: str, fields: Mapping[str, str], ttl_s: int = 0) -> bool:
        pairs = [part for pair in fields.items() for part in pair]
        return bool(self._eval(_WRITE_AS_CLAIMANT, job_id, worker, ttl_s or self._ttl_s, *pairs))

    def _eval(self, script: str, job_id: str, *arguments: str | bytes | int) -> int:
        return int(self._redis.eval(script, 2, redis_keys.gpu_job(job_id), redis_keys.gpu_events(job_id), *arguments))

    def _list_job_ids(self) -> list[str]:
        """Return the ids of the jobs that have not expired, newest first, and remove the others from the list."""
        names = [name.decode() for name in self._redis.zrevrange(redis_keys.GPU_JOBS, 0, -1)]
        pipeline = self._redis.pipeline(transaction=False)
        for name in names:
            pipeline.exists(redis_keys.gpu_job(name))
        there = dict(zip(names, pipeline.execute(), strict=True))
        if expired := [name for name in names if not there[name]]:
            self._redis.zrem(redis_keys.GPU_JOBS, *expired)
        return [name for name in names if there[name]]

    def _read_fields(self, job_id: str) -> dict[str, str]:
        fields = {
            name.decode(): value.decode() for name, value in self._redis.hgetall(redis_keys.gpu_job(job_id)).items()
        }
        if "status" not in fields:
            raise _build_not_found(job_id)
        return fields


def _build_not_found(job_id: str) -> NotFound:
    return NotFound(f"no job {job_id!r}: it never existed, or its result has expired", field="id")


def has_ended(job: GpuJob) -> bool:
    return job.status in ENDED_STATUSES
