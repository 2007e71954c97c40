"""Envelopes: what one RQ job carries. One program when the service is idle, many under load.

The items lie beside the job under a key of their own, so that RQ neither compresses nor copies them. The job itself
is an RQ job in an RQ queue, written in the same round trip: RQ's tools see it, and its own enqueue call would cost 1
ms.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict
from redis import Redis
from redis.client import Pipeline
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.utils import now as rq_now

from sandbox.jobs import keys
from sandbox.schema import ExecuteRequest, Lane, VerifyRequest
from sandbox.schema.vote import VoteRequest

Kind = Literal["execute", "verify", "vote"]
TASK = "sandbox.jobs.tasks.perform_envelope"
FOREVER = -1


class Item(BaseModel):
    """One program of a submission. `reader` is the process whose client waits for the result, if one does."""

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    submission: str
    index: int | None = None
    submitted_at: float
    kept: bool = False
    reader: str = ""
    execute: ExecuteRequest | None = None
    verify: VerifyRequest | None = None
    vote: VoteRequest | None = None

    @property
    def id(self) -> str:
        return self.submission if self.index is None else f"{self.submission}.{self.index}"


class Envelope(BaseModel):
    model_config = ConfigDict(frozen=True)

    items: list[Item]


def pack(items: Sequence[bytes]) -> bytes:
    """Items, each as JSON, as the JSON of an envelope."""
    return b'{"items":[' + b",".join(items) + b"]}"


def lane_queue(lane: Lane, redis: Redis) -> Queue:
    return Queue(lane.value, connection=redis, serializer=JSONSerializer)


def send(
    redis: Redis, queue: Queue, envelopes: Sequence[Sequence[bytes]], now: float, ttl_s: int, at_front: bool = False
) -> tuple[list[str], int]:
    """Queue envelopes of items in one round trip; returns their ids and the lane's depth in items."""
    ids = [uuid.uuid4().hex for _ in envelopes]
    pipeline = redis.pipeline()
    pipeline.sadd(Queue.redis_queues_keys, queue.key)
    for envelope_id, items in zip(ids, envelopes, strict=True):
        pipeline.set(keys.envelope(envelope_id), pack(items), ex=ttl_s)
        pipeline.hset(Job.key_for(envelope_id), mapping=_job_fields(queue, envelope_id))
        pipeline.expire(Job.key_for(envelope_id), ttl_s)
    pipeline.zadd(keys.outstanding(queue.name), dict.fromkeys(ids, now))
    (pipeline.lpush if at_front else pipeline.rpush)(queue.key, *ids)
    pipeline.incrby(keys.depth(queue.name), sum(map(len, envelopes)))
    return ids, int(pipeline.execute()[-1])


def _job_fields(queue: Queue, envelope_id: str) -> dict[str, str | bytes | int]:
    """The job's hash as `rq.job.Job` writes and reads it."""
    job = Job(envelope_id, connection=queue.connection, serializer=JSONSerializer)
    job._func_name, job._args, job._kwargs, job._instance = TASK, (envelope_id,), {}, None
    job.origin, job.timeout, job.result_ttl = queue.name, FOREVER, 0
    job.created_at = job.enqueued_at = rq_now()
    job._status = JobStatus.QUEUED
    fields: dict[str, str | bytes | int] = job.to_dict(include_meta=False, include_result=False)
    return fields


def claim(pipeline: Pipeline, envelope_id: str, worker: str) -> None:
    """Say that a worker has it; the pipeline's last answer is the envelope's content."""
    pipeline.hset(keys.CLAIMS, envelope_id, worker)
    pipeline.hset(Job.key_for(envelope_id), mapping={"status": JobStatus.STARTED.value, "worker_name": worker})
    pipeline.get(keys.envelope(envelope_id))


def done(pipeline: Pipeline, lane: str, envelope_id: str) -> None:
    """Forget an envelope whose every item has its result."""
    pipeline.delete(keys.envelope(envelope_id), Job.key_for(envelope_id))
    pipeline.zrem(keys.outstanding(lane), envelope_id)
    pipeline.hdel(keys.CLAIMS, envelope_id)
