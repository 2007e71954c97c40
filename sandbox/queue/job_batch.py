"""Job batches: the items that one RQ job carries. A batch has one item if the service is idle, and many under load.

The items are stored under a separate key, so that RQ neither compresses nor copies them. The same round trip writes a
regular RQ job into an RQ queue, which keeps RQ's tools working. RQ's own enqueue call would cost 1 ms.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from redis import Redis
from redis.client import Pipeline
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.utils import now as rq_now
from rq.utils import utcformat

from sandbox.queue import fair_queue, redis_keys
from sandbox.queue.rq_compat import build_job_fields
from sandbox.request_context import generate_id
from sandbox.schema import ExecuteRequest, Lane, VerifyRequest
from sandbox.schema.hack import HackRequest
from sandbox.schema.submissions import SubmissionKind
from sandbox.schema.vote import VoteRequest

PushCommand = Literal["LPUSH", "RPUSH", ""]
RQ_FUNCTION = "sandbox.worker.run_batch"  # a label for RQ's tools: no worker resolves it
FORMAT_VERSION = 1  # of a batch's JSON
_PLACEHOLDER_ID = b"0" * 32


class Item(BaseModel):
    """One program of a submission.

    `reader` is the id of the process whose client waits for the result, if any. `client` is the id of the API key, if
    any. `request` and `trace` are the request id and traceparent of the original request. `callback` says whether the
    submission's callback is called for each item or once for the batch. `kept` means that the result is stored.
    """

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
    spooled: dict[str, tuple[int, int]] = {}  # offset and size of each large text in the payload file
    execute: ExecuteRequest | None = None
    verify: VerifyRequest | None = None
    vote: VoteRequest | None = None
    hack: HackRequest | None = None

    @property
    def id(self) -> str:
        return self.submission if self.index is None else f"{self.submission}.{self.index}"

    @property
    def work(self) -> ExecuteRequest | VerifyRequest | VoteRequest | HackRequest | None:
        """The item's request, or None if this version cannot read it."""
        return self.verify or self.execute or self.vote or self.hack

    @property
    def kind(self) -> SubmissionKind:
        if self.hack is not None:
            return "hack"
        return "verify" if self.verify is not None else "execute" if self.execute is not None else "vote"


@dataclass(frozen=True, slots=True)
class SentBatches:
    """The ids of sent batches, and the load of their lane: its waiting items and its unfinished batches."""

    ids: list[str]
    depth: int
    outstanding: int


class UnreadableBatch(Exception):
    """The batch has a format that this version does not know."""


class JobBatch(BaseModel):
    """The content of one RQ job.

    A worker reads batches in its own format and in the previous one, so versions of the service may differ by one.
    Increase `FORMAT_VERSION` if an older worker, which ignores unknown fields, would run a program incorrectly. Give
    each new field a default that preserves the old behavior.
    """

    model_config = ConfigDict(frozen=True)

    version: int = 1
    items: list[Item]


def pack(items: Sequence[bytes]) -> bytes:
    """Join items, each of them JSON, into the JSON of a batch."""
    return b'{"version":%d,"items":[' % FORMAT_VERSION + b",".join(items) + b"]}"


def parse_batch(content: bytes) -> JobBatch:
    """Parse the JSON of a batch. Raises UnreadableBatch, whose message never quotes the content."""
    try:
        parsed = JobBatch.model_validate_json(content)
    except ValidationError as error:
        raise UnreadableBatch(f"{error.error_count()} fields are invalid in this version") from error
    if parsed.version > FORMAT_VERSION:
        raise UnreadableBatch(
            f"the batch has format {parsed.version}, but this worker reads formats up to {FORMAT_VERSION}"
        )
    return parsed


def read_headers(content: bytes) -> list[tuple[Item, dict[str, Any]]]:
    """Return the items of an unreadable batch without their requests, and with each item its unvalidated request.

    Raises UnreadableBatch if even that is impossible.
    """
    try:
        raw = [dict(item) for item in json.loads(content)["items"]]
        requests = [
            {kind: item.pop(kind) for kind in get_args(SubmissionKind) if item.get(kind) is not None} for item in raw
        ]
        return list(zip(map(Item.model_validate, raw), requests, strict=True))
    except (ValueError, LookupError, TypeError) as error:
        raise UnreadableBatch(f"cannot separate the items of the batch: {type(error).__name__}") from error


def get_lane_queue(lane: Lane, redis: Redis) -> Queue:
    return Queue(lane.value, connection=redis, serializer=JSONSerializer)


def send(
    redis: Redis, queue: Queue, batches: Sequence[Sequence[bytes]], now: float, ttl_s: int, at_front: bool = False
) -> SentBatches:
    """Queue batches of items in one round trip."""
    ids = [generate_id() for _ in batches]
    push: PushCommand = "LPUSH" if at_front else "RPUSH"
    depth, outstanding = _write(redis, queue, dict(zip(ids, batches, strict=True)), ttl_s, push, now)
    return SentBatches(ids, depth, outstanding)


def send_for_client(
    redis: Redis,
    queue: Queue,
    batches: Sequence[Sequence[bytes]],
    ttl_s: int,
    client: str,
    lease_s: float,
    at_front: bool = False,
) -> SentBatches:
    """Queue batches of one client in the fair queue, where they take turns with the batches of other clients."""
    ids = [generate_id() for _ in batches]
    pipeline = redis.pipeline()
    _write(pipeline, queue, dict(zip(ids, batches, strict=True)), ttl_s)
    fair_queue.enqueue_client(pipeline, queue.name, client, ids, at_front)
    fair_queue.admit(pipeline, queue.name, lease_s)
    depth, outstanding = pipeline.execute()[0]
    return SentBatches(ids, depth, outstanding)


# Write batches and their RQ jobs, push them to the lane unless they go to a client queue, and count their items.
_WRITE = """
redis.call('SADD', KEYS[1], KEYS[2])
local ttl, push, now, items, fields = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local at = 5 + fields
for place = 5, #KEYS, 2 do
    redis.call('SET', KEYS[place], ARGV[at + 2], 'EX', ttl)
    redis.call('HSET', KEYS[place + 1], 'data', ARGV[at + 3], unpack(ARGV, 6, 5 + fields))
    redis.call('EXPIRE', KEYS[place + 1], ttl)
    if push ~= '' then
        redis.call('ZADD', KEYS[3], now, ARGV[at + 1])
        redis.call(push, KEYS[2], ARGV[at + 1])
    end
    at = at + 3
end
return {redis.call('INCRBY', KEYS[4], items), redis.call('ZCARD', KEYS[3])}
"""


def _write(
    redis: Redis,
    queue: Queue,
    batches: Mapping[str, Sequence[bytes]],
    ttl_s: int,
    push: PushCommand = "",
    now: float = 0.0,
) -> Any:
    """Write batches. The reply holds `SentBatches.depth` and `.outstanding`; a pipeline returns it on execution."""
    common, data = _build_job_fields(queue.name)
    at = utcformat(rq_now())
    fields = ["created_at", at, "enqueued_at", at, *common]
    script_keys = [Queue.redis_queues_keys, queue.key, redis_keys.outstanding(queue.name), redis_keys.depth(queue.name)]
    arguments: list[Any] = [ttl_s, push, now, sum(map(len, batches.values())), len(fields), *fields]
    for batch_id, items in batches.items():
        script_keys += [redis_keys.job_batch(batch_id), Job.key_for(batch_id)]
        arguments += [batch_id, pack(items), data.replace(_PLACEHOLDER_ID, batch_id.encode())]
    return redis.eval(_WRITE, len(script_keys), *script_keys, *arguments)


@lru_cache
def _build_job_fields(lane: str) -> tuple[list[str | int], bytes]:
    """Return the fields that all jobs of a lane share (alternating names and values), and the data with a placeholder.

    Replace `_PLACEHOLDER_ID` in the data with the id of the job.
    """
    fields, data = build_job_fields(RQ_FUNCTION, _PLACEHOLDER_ID.decode(), lane)
    return [word for field in fields.items() for word in field], data


def claim(pipeline: Pipeline, batch_id: str, worker: str) -> None:
    """Claim a batch for a worker. The last two replies: whether submissions were cancelled lately, and its content."""
    pipeline.hset(redis_keys.CLAIMS, batch_id, worker)
    pipeline.hset(Job.key_for(batch_id), mapping={"status": JobStatus.STARTED.value, "worker_name": worker})
    pipeline.exists(redis_keys.CANCELLATIONS)
    pipeline.get(redis_keys.job_batch(batch_id))


def return_to_lane(pipeline: Pipeline, lane: str, batch_id: str) -> None:
    """Return a claimed batch to the end of its lane, for a worker that can read it."""
    pipeline.hdel(redis_keys.CLAIMS, batch_id)
    pipeline.rpush(redis_keys.rq_queue(lane), batch_id)


def delete_batch(pipeline: Pipeline, lane: str, batch_id: str) -> None:
    """Delete a batch after all its items have results."""
    pipeline.delete(redis_keys.job_batch(batch_id), redis_keys.unreadable_returns(batch_id), Job.key_for(batch_id))
    pipeline.zrem(redis_keys.outstanding(lane), batch_id)
    pipeline.hdel(redis_keys.CLAIMS, batch_id)
