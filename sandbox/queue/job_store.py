"""Stored submissions: durable ones, and those with an Idempotency-Key. All their state is in Redis."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis import Redis

from sandbox.errors import NotFound
from sandbox.queue import idempotency, redis_keys
from sandbox.queue.idempotency import KeyedRequest
from sandbox.queue.payload_files import CANCELLED_MESSAGE
from sandbox.queue.result_writer import encode_message, push_results
from sandbox.queue.runs import UNKNOWN_STEP
from sandbox.queue.stored_rewards import REWARD_KIND, ScoreRewards, StoredRewards
from sandbox.queue.submission import Submission
from sandbox.schema import Job, JobStatus
from sandbox.schema.callbacks import Callback


def allow_any_owner(owner: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class JobRecord:
    """The state of one stored submission."""

    id: str
    kind: str
    item_count: int
    is_batch: bool
    lane: str
    done_count: int
    is_cancelled: bool
    request_bytes: int = 0
    client: str = ""
    callback: Callback | None = None

    @property
    def item_ids(self) -> list[str]:
        return [f"{self.id}.{index}" for index in range(self.item_count)] if self.is_batch else [self.id]


class JobStore:
    """Reads and writes stored submissions. Most methods take one or two round trips."""

    def __init__(self, redis: Redis, queue_ttl_s: int, result_ttl_s: int, score_rewards: ScoreRewards) -> None:
        self._redis = redis
        self._rewards = StoredRewards(redis, result_ttl_s, score_rewards)
        self._ttl_s = queue_ttl_s + result_ttl_s
        self._result_ttl_s = result_ttl_s

    def create(
        self,
        submission_id: str,
        submission: Submission,
        client: str,
        keyed: KeyedRequest | None,
        request_bytes: int,
        max_stored_bytes: int,
    ) -> str:
        """Record a submission before any of its items is sent, and return its id.

        If an earlier submission has the same idempotency key, record nothing and return the earlier id.
        `request_bytes` is the size of the items, `max_stored_bytes` the storage quota of the owner. Raises
        IdempotencyKeyReused.
        """
        reward, callback = submission.reward, submission.callback
        fields: dict[str, str | int | float] = {
            "kind": submission.kind if reward is None else REWARD_KIND,
            "total": len(submission.requests),
            "batch": int(submission.batch),
            "lane": submission.lane,
            "created": time.time(),
            "request_bytes": request_bytes,
            "most_kept": max_stored_bytes,
        }
        if client:
            fields["client"] = client
        if callback is not None:
            fields["callback"] = callback.model_dump_json()
        if reward is not None:
            if reward.run is not None:
                fields |= {"run": reward.run, "step": UNKNOWN_STEP if reward.step is None else reward.step}
            self._redis.set(
                redis_keys.reward(submission_id), reward.model_dump_json(exclude_unset=True), ex=self._ttl_s
            )
        if keyed is not None:
            first = idempotency.create_or_find(
                self._redis, keyed, submission_id, redis_keys.job(submission_id), fields, self._ttl_s
            )
            if first != submission_id and reward is not None:
                self._redis.delete(redis_keys.reward(submission_id))
            return first
        pipeline = self._redis.pipeline()
        pipeline.hset(redis_keys.job(submission_id), mapping=fields)
        pipeline.expire(redis_keys.job(submission_id), self._ttl_s)
        pipeline.execute()
        return submission_id

    def discard(self, submission: str, keyed: KeyedRequest | None) -> None:
        """Delete a submission that was refused after it was recorded, and its idempotency key."""
        names = [redis_keys.job(submission), redis_keys.readers(submission), redis_keys.reward(submission)]
        self._redis.delete(*names, *([] if keyed is None else [keyed.key]))

    def get_record(self, submission: str) -> JobRecord:
        """Return the record of a submission. Raises NotFound."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hgetall(redis_keys.job(submission))
        pipeline.hlen(redis_keys.results(submission))
        pipeline.exists(redis_keys.cancelled(submission))
        fields, done, cancelled = pipeline.execute()
        if not fields:
            raise _build_not_found(submission)
        return JobRecord(
            id=submission,
            kind=fields[b"kind"].decode(),
            item_count=int(fields[b"total"]),
            is_batch=fields[b"batch"] == b"1",
            lane=fields[b"lane"].decode(),
            done_count=int(done),
            is_cancelled=bool(cancelled),
            request_bytes=int(fields.get(b"request_bytes", 0)),
            client=fields.get(b"client", b"").decode(),
            callback=Callback.model_validate_json(fields[b"callback"]) if b"callback" in fields else None,
        )

    def read_results(self, submission: str, reader: str) -> dict[int, bytes]:
        """Return the results so far by item index; later results are sent to `reader`."""
        pipeline = self._redis.pipeline()
        pipeline.sadd(redis_keys.readers(submission), reader)
        pipeline.expire(redis_keys.readers(submission), self._ttl_s)
        pipeline.hgetall(redis_keys.results(submission))
        return {int(index): result for index, result in pipeline.execute()[2].items()}

    def cancel(self, submission: str) -> None:
        pipeline = self._redis.pipeline()
        pipeline.set(redis_keys.cancelled(submission), b"1", ex=self._ttl_s)
        pipeline.set(redis_keys.CANCELLATIONS, b"1", ex=self._ttl_s)
        pipeline.execute()

    def notify_cancelled(self, record: JobRecord) -> None:
        """Tell the processes that wait for a stored submission that its missing results will not arrive."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.smembers(redis_keys.readers(record.id))
        pipeline.hkeys(redis_keys.results(record.id))
        readers, done = pipeline.execute()
        there = {int(index) for index in done}
        messages = [
            encode_message(item_id, CANCELLED_MESSAGE) for at, item_id in enumerate(record.item_ids) if at not in there
        ]
        if readers and messages:
            pipeline = self._redis.pipeline()
            for reader in readers:
                push_results(pipeline, reader.decode(), messages)
            pipeline.execute()

    def get_job(self, submission: str, may_see: Callable[[str], bool] = allow_any_owner) -> Job:
        """Return the state of a stored submission, with its result once every item has one.

        Raises NotFound, also if `may_see` rejects the owner, so that nobody learns that another client's job exists.
        """
        record = self.get_record(submission)
        if not may_see(record.client):
            raise _build_not_found(submission)
        if record.done_count >= record.item_count:
            return Job(id=submission, status=JobStatus.FINISHED, result=self._build_result(record))
        if record.is_cancelled:
            return Job(id=submission, status=JobStatus.CANCELLED)
        if record.done_count:
            return Job(id=submission, status=JobStatus.RUNNING)
        ahead = self._count_batches_ahead(record)
        return Job(id=submission, status=JobStatus.RUNNING if ahead is None else JobStatus.QUEUED, position=ahead)

    def read_result(self, submission: str, index: int) -> bytes:
        """Return the result of one item as JSON. Raises NotFound."""
        result: bytes | None = self._redis.hget(redis_keys.results(submission), str(index))
        if result is None:
            raise _build_not_found(submission)
        return result

    def _build_result(self, record: JobRecord) -> dict[str, Any]:
        if record.kind == REWARD_KIND:
            return dict(json.loads(self._rewards.get(record.id)))
        stored = self._redis.hgetall(redis_keys.results(record.id))
        results = [json.loads(stored[str(index).encode()]) for index in range(record.item_count)]
        return {"results": results} if record.is_batch else dict(results[0])

    def _count_batches_ahead(self, record: JobRecord) -> int | None:
        """Return how many batches precede a submission's first one; None if a worker has already taken that one."""
        first = self._redis.hget(redis_keys.job(record.id), "envelope")
        if first is None:
            return None
        position = self._redis.lpos(redis_keys.rq_queue(record.lane), first)
        if position is None and record.client:
            ahead_in_client_queue = self._redis.lpos(redis_keys.client_queue(record.lane, record.client), first)
            position = (
                None
                if ahead_in_client_queue is None
                else self._redis.llen(redis_keys.rq_queue(record.lane)) + ahead_in_client_queue
            )
        return None if position is None else int(position)

    def record_first_batch(self, submission: str, batch_id: str) -> None:
        """Record the first batch of a submission, which determines its position in the queue."""
        self._redis.hset(redis_keys.job(submission), "envelope", batch_id)


def _build_not_found(submission: str) -> NotFound:
    return NotFound(f"no job {submission!r}: it never existed, or its result has expired", field="id")
