"""Envelopes: what one RQ job carries. One program when the service is idle, many under load.

The items lie beside the job under a key of their own, so that RQ neither compresses nor copies them. The job itself
is an RQ job in an RQ queue, written in the same round trip: RQ's tools see it, and its own enqueue call would cost 1
ms.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from redis import Redis
from redis.client import Pipeline
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.utils import now as rq_now

from sandbox.jobs import fairness, keys
from sandbox.schema import ExecuteRequest, Lane, VerifyRequest
from sandbox.schema.vote import VoteRequest

Kind = Literal["execute", "verify", "vote"]
TASK = "sandbox.jobs.tasks.perform_envelope"
FOREVER = -1
VERSION = 1  # of an envelope's format


class Item(BaseModel):
    """One program of a submission. `reader` is the process whose client waits for the result, if one does; `client` is
    the id of the API key it came with, if it did. `request` and `trace` are its origin's. `callback` says for what its
    submission's callback is called."""

    model_config = ConfigDict(
        frozen=True, ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="constants"
    )

    submission: str
    index: int | None = None
    submitted_at: float
    kept: bool = False
    reader: str = ""
    client: str = ""
    request: str = ""
    trace: str = ""
    callback: Literal["", "item", "batch"] = ""
    spooled: dict[str, tuple[int, int]] = {}  # where large texts lie in the host's spool
    execute: ExecuteRequest | None = None
    verify: VerifyRequest | None = None
    vote: VoteRequest | None = None

    @property
    def id(self) -> str:
        return self.submission if self.index is None else f"{self.submission}.{self.index}"


class Unreadable(Exception):
    """An envelope of a format that this version does not know."""


class Envelope(BaseModel):
    """Versions of the service may differ by one: a worker reads envelopes of its own format and of the one before.

    Raise `VERSION` when an older worker that leaves out what it does not know would run a program wrongly, and give
    what is new a default that means what was before.
    """

    model_config = ConfigDict(frozen=True)

    version: int = 1
    items: list[Item]


def pack(items: Sequence[bytes]) -> bytes:
    """Items, each as JSON, as the JSON of an envelope."""
    return b'{"version":%d,"items":[' % VERSION + b",".join(items) + b"]}"


def read(content: bytes) -> Envelope:
    """Raises Unreadable, without a word of the content."""
    try:
        parsed = Envelope.model_validate_json(content)
    except ValidationError as error:
        raise Unreadable(f"{error.error_count()} fields are not as this version knows them") from error
    if parsed.version > VERSION:
        raise Unreadable(f"its format is {parsed.version}, this worker reads up to {VERSION}")
    return parsed


def lane_queue(lane: Lane, redis: Redis) -> Queue:
    return Queue(lane.value, connection=redis, serializer=JSONSerializer)


def send(
    redis: Redis, queue: Queue, envelopes: Sequence[Sequence[bytes]], now: float, ttl_s: int, at_front: bool = False
) -> tuple[list[str], int]:
    """Queue envelopes of items in one round trip; returns their ids and the lane's depth in items."""
    ids, pipeline = _written(redis, queue, envelopes, ttl_s)
    pipeline.zadd(keys.outstanding(queue.name), dict.fromkeys(ids, now))
    (pipeline.lpush if at_front else pipeline.rpush)(queue.key, *ids)
    pipeline.incrby(keys.depth(queue.name), sum(map(len, envelopes)))
    return ids, int(pipeline.execute()[-1])


def park(
    redis: Redis,
    queue: Queue,
    envelopes: Sequence[Sequence[bytes]],
    ttl_s: int,
    client: str,
    lease_s: float,
    at_front: bool = False,
) -> tuple[list[str], int]:
    """`send` for what is to wait in turn with other clients' envelopes."""
    ids, pipeline = _written(redis, queue, envelopes, ttl_s)
    fairness.park(pipeline, queue.name, client, ids, at_front)
    fairness.forward(pipeline, queue.name, lease_s)
    pipeline.incrby(keys.depth(queue.name), sum(map(len, envelopes)))
    return ids, int(pipeline.execute()[-1])


def _written(
    redis: Redis, queue: Queue, envelopes: Sequence[Sequence[bytes]], ttl_s: int
) -> tuple[list[str], Pipeline]:
    ids = [uuid.uuid4().hex for _ in envelopes]
    pipeline = redis.pipeline()
    pipeline.sadd(Queue.redis_queues_keys, queue.key)
    for envelope_id, items in zip(ids, envelopes, strict=True):
        pipeline.set(keys.envelope(envelope_id), pack(items), ex=ttl_s)
        pipeline.hset(Job.key_for(envelope_id), mapping=_job_fields(queue, envelope_id))
        pipeline.expire(Job.key_for(envelope_id), ttl_s)
    return ids, pipeline


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


def pass_on(pipeline: Pipeline, lane: str, envelope_id: str) -> None:
    """Give a claimed envelope back to the end of its lane, for a worker that can read it."""
    pipeline.hdel(keys.CLAIMS, envelope_id)
    pipeline.rpush(keys.rq_queue(lane), envelope_id)


def done(pipeline: Pipeline, lane: str, envelope_id: str) -> None:
    """Forget an envelope whose every item has its result."""
    pipeline.delete(keys.envelope(envelope_id), Job.key_for(envelope_id))
    pipeline.zrem(keys.outstanding(lane), envelope_id)
    pipeline.hdel(keys.CLAIMS, envelope_id)
