"""GPU jobs in Redis: submit, follow, and cancel them.

Theory of operation. A GPU job is a hash, plus an RQ job in one of two lanes: one lane serves models, the other trains
them. The progress of a job is one list of events, so a reader that was disconnected continues where it stopped. Workers
claim jobs and report on them (`gpu_claims`).
"""

from __future__ import annotations

import json
from collections.abc import Callable

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from sandbox.errors import NotFound
from sandbox.queue import idempotency, redis_keys
from sandbox.queue.cluster import LUA_TAG
from sandbox.queue.gpu_leases import GpuLeases
from sandbox.queue.idempotency import KeyedRequest
from sandbox.queue.job_store import allow_any_owner
from sandbox.request_context import generate_id
from sandbox.schema import JobStatus
from sandbox.schema.gpu import ENDED_STATUSES, GpuJob, GpuKind, GpuPool, GpuRequest, Progress

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

NO_WORKER_NOTE = "no GPU worker is alive: start one with `sandbox gpu-worker`"
# KEYS are always the job's hash and its events, which expire together.
SET_EXPIRY = f"""
local function lives(seconds)
  redis.call('EXPIRE', KEYS[1], seconds)
  redis.call('EXPIRE', KEYS[2], seconds)
  local key = redis.call('HGET', KEYS[1], 'idempotency')
  if key then redis.call('EXPIRE', ({LUA_TAG}) .. key, seconds) end
end
"""
_CANCEL = f"""
{SET_EXPIRY}
local status = redis.call('HGET', KEYS[1], 'status')
if status == 'queued' or status == 'running' then
  redis.call('HSET', KEYS[1], 'status', 'cancelled')
  lives(ARGV[1])
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
        self._leases = GpuLeases(redis)
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
        pipeline.zadd(redis_keys.GPU_JOBS, {job_id: self._leases.read_time()})
        pipeline.execute()
        self.enqueue(kind, job_id)
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
            position=self.find_position(kind, fields.get("queued_as", "")) if status is JobStatus.QUEUED else None,
            result=json.loads(fields["result"]) if "result" in fields else None,
            progress=Progress.model_validate_json(fields.get("progress", "{}")),
            error=fields.get("error", ""),
            attempts=int(fields["attempts"]),
            worker=fields["worker"],
            note=NO_WORKER_NOTE if status is JobStatus.QUEUED and not self._leases.has_living() else "",
        )

    def cancel(self, job_id: str, may_see: Callable[[str], bool] = allow_any_owner) -> GpuJob:
        """Cancel a job. A running job stops within two seconds; an ended job does not change. Raises NotFound."""
        self.get_job(job_id, may_see)
        self.run_script(_CANCEL, job_id, self._result_ttl_s)
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
        """Return the current GPU leases and the latest GPU jobs."""
        jobs = []
        for name in self.list_ids()[:MAX_LISTED_JOBS]:
            try:
                jobs.append(self.get_job(name).model_copy(update={"result": None}))
            except NotFound:
                continue
        return GpuPool(leases=self._leases.list_held(), jobs=jobs)

    def enqueue(self, kind: GpuKind, job_id: str) -> None:
        """Queue an attempt of a job as a new RQ job: RQ deletes the RQ job of the previous attempt when that ends."""
        queue = Queue(LANE_BY_KIND[kind], connection=self._redis, serializer=JSONSerializer)
        rq_id = f"{job_id}-{generate_id()[:8]}"
        self._redis.hset(redis_keys.gpu_job(job_id), "queued_as", rq_id)
        queue.enqueue_call(RQ_FUNCTION, args=(job_id,), job_id=rq_id, timeout=NO_TIMEOUT, result_ttl=0, failure_ttl=0)

    def find_position(self, kind: GpuKind, rq_id: str) -> int | None:
        """Return how many jobs precede an RQ job in its lane; None if it is not in the lane."""
        position = self._redis.lpos(redis_keys.rq_queue(LANE_BY_KIND[kind]), rq_id)
        return None if position is None else int(position)

    def run_script(self, script: str, job_id: str, *arguments: str | bytes | int) -> int:
        """Run a script whose keys are the hash of a job and its events."""
        return int(self._redis.eval(script, 2, redis_keys.gpu_job(job_id), redis_keys.gpu_events(job_id), *arguments))

    def list_ids(self) -> list[str]:
        """Return the ids of the jobs that have not expired, newest first, and remove expired jobs from the list."""
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
