"""Envelopes: what one RQ job carries. One program when the service is idle, many under load, for an RQ job costs 4 ms
by itself.

The items lie beside the job under a key of their own, so that RQ neither compresses nor copies them.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict
from redis import Redis
from redis.client import Pipeline
from rq import Queue
from rq.serializers import JSONSerializer

from sandbox.jobs import keys
from sandbox.schema import ExecuteRequest, Lane, VerifyRequest

Kind = Literal["execute", "verify"]
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
    for envelope_id, items in zip(ids, envelopes, strict=True):
        pipeline.set(keys.envelope(envelope_id), pack(items), ex=ttl_s)
    pipeline.zadd(keys.outstanding(queue.name), dict.fromkeys(ids, now))
    data = [
        Queue.prepare_data(
            TASK, args=(envelope_id,), job_id=envelope_id, timeout=FOREVER, result_ttl=0, ttl=ttl_s, at_front=at_front
        )
        for envelope_id in ids
    ]
    queue.enqueue_many(data, pipeline=pipeline)
    pipeline.incrby(keys.depth(queue.name), sum(map(len, envelopes)))
    return ids, int(pipeline.execute()[-1])


def done(pipeline: Pipeline, lane: str, envelope_id: str) -> None:
    """Forget an envelope whose every item has its result."""
    pipeline.delete(keys.envelope(envelope_id))
    pipeline.zrem(keys.outstanding(lane), envelope_id)
    pipeline.hdel(keys.CLAIMS, envelope_id)
