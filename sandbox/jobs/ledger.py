"""Kept submissions: those whose client does not wait, and those made with an Idempotency-Key. Their state is in Redis
alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis

from sandbox.errors import NotFound
from sandbox.jobs import idempotency, keys
from sandbox.jobs.delivery import addressed, post
from sandbox.jobs.idempotency import KeyedRequest
from sandbox.jobs.spool import CANCELLED
from sandbox.rewards.request import TaskLookup, no_task_sets, rewards_of, verify_requests
from sandbox.schema import Job, JobStatus, VerifyResult
from sandbox.schema.callbacks import Callback
from sandbox.schema.reward import RewardRequest, RewardResult

REWARD = "reward"


def anybody(owner: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one kept submission."""

    id: str
    kind: str
    total: int
    batch: bool
    lane: str
    done: int
    cancelled: bool
    request_bytes: int = 0
    client: str = ""
    callback: Callback | None = None

    @property
    def item_ids(self) -> list[str]:
        return [f"{self.id}.{index}" for index in range(self.total)] if self.batch else [self.id]


class Ledger:
    """Reads and writes kept submissions; every method is one or two round trips."""

    def __init__(self, redis: Redis, queue_ttl_s: int, result_ttl_s: int, tasks: TaskLookup = no_task_sets) -> None:
        self._redis = redis
        self._tasks = tasks
        self._life_s = queue_ttl_s + result_ttl_s
        self._result_ttl_s = result_ttl_s

    def open(
        self,
        submission: str,
        kind: str,
        total: int,
        batch: bool,
        lane: str,
        client: str = "",
        callback: Callback | None = None,
        reward: RewardRequest | None = None,
        keyed: KeyedRequest | None = None,
        request_bytes: int = 0,
        most_kept: int = 0,
    ) -> str:
        """Record a submission before any of its items is sent; `reward` is what its results are to be made into.

        `request_bytes` is what its items take until they have their results, `most_kept` its owner's quota of bytes.
        Returns its id, or that of an earlier submission with the same idempotency key; then nothing is recorded.
        Raises IdempotencyKeyReused.
        """
        entry: dict[str, str | int | float] = {
            "kind": kind if reward is None else REWARD,
            "total": total,
            "batch": int(batch),
            "lane": lane,
            "created": time.time(),
            "request_bytes": request_bytes,
            "most_kept": most_kept,
        }
        if client:
            entry["client"] = client
        if callback is not None:
            entry["callback"] = callback.model_dump_json()
        if reward is not None:
            self._redis.set(keys.reward(submission), reward.model_dump_json(exclude_unset=True), ex=self._life_s)
        if keyed is not None:
            first = idempotency.open_with(self._redis, keyed, submission, keys.job(submission), entry, self._life_s)
            if first != submission and reward is not None:
                self._redis.delete(keys.reward(submission))
            return first
        pipeline = self._redis.pipeline()
        pipeline.hset(keys.job(submission), mapping=entry)
        pipeline.expire(keys.job(submission), self._life_s)
        pipeline.execute()
        return submission

    def strike_out(self, submission: str, keyed: KeyedRequest | None) -> None:
        """Forget a submission that was refused after all, and its idempotency key."""
        names = [keys.job(submission), keys.readers(submission), keys.reward(submission)]
        self._redis.delete(*names, *([] if keyed is None else [keyed.key]))

    def entry(self, submission: str) -> Entry:
        """Raises NotFound."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hgetall(keys.job(submission))
        pipeline.hlen(keys.results(submission))
        pipeline.exists(keys.cancelled(submission))
        fields, done, cancelled = pipeline.execute()
        if not fields:
            raise _no_job(submission)
        return Entry(
            id=submission,
            kind=fields[b"kind"].decode(),
            total=int(fields[b"total"]),
            batch=fields[b"batch"] == b"1",
            lane=fields[b"lane"].decode(),
            done=int(done),
            cancelled=bool(cancelled),
            request_bytes=int(fields.get(b"request_bytes", 0)),
            client=fields.get(b"client", b"").decode(),
            callback=Callback.model_validate_json(fields[b"callback"]) if b"callback" in fields else None,
        )

    def read(self, submission: str, reader: str) -> dict[int, bytes]:
        """Results so far; later ones are mailed to `reader`."""
        pipeline = self._redis.pipeline()
        pipeline.sadd(keys.readers(submission), reader)
        pipeline.expire(keys.readers(submission), self._life_s)
        pipeline.hgetall(keys.results(submission))
        return {int(index): result for index, result in pipeline.execute()[2].items()}

    def cancel(self, submission: str) -> None:
        self._redis.set(keys.cancelled(submission), b"1", ex=self._life_s)

    def tell_cancelled(self, entry: Entry) -> None:
        """Tell those that wait for a kept submission that what is missing of it does not come any more."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.smembers(keys.readers(entry.id))
        pipeline.hkeys(keys.results(entry.id))
        readers, done = pipeline.execute()
        there = {int(index) for index in done}
        letters = [addressed(item_id, CANCELLED) for at, item_id in enumerate(entry.item_ids) if at not in there]
        if readers and letters:
            pipeline = self._redis.pipeline()
            for reader in readers:
                post(pipeline, reader.decode(), letters)
            pipeline.execute()

    def job(self, submission: str, may_see: Callable[[str], bool] = anybody) -> Job:
        """The state of a kept submission, with its result when every item has one.

        Raises NotFound, also when the id of the API key it was made with is nothing that the asker `may_see`: whose
        job it is, and that it is one, is not told.
        """
        entry = self.entry(submission)
        if not may_see(entry.client):
            raise _no_job(submission)
        if entry.done >= entry.total:
            return Job(id=submission, status=JobStatus.FINISHED, result=self._result(entry))
        if entry.cancelled:
            return Job(id=submission, status=JobStatus.CANCELLED)
        if entry.done:
            return Job(id=submission, status=JobStatus.RUNNING)
        ahead = self._ahead(entry)
        return Job(id=submission, status=JobStatus.RUNNING if ahead is None else JobStatus.QUEUED, position=ahead)

    def result(self, submission: str, index: int) -> bytes:
        """One item's result as JSON. Raises NotFound."""
        result: bytes | None = self._redis.hget(keys.results(submission), str(index))
        if result is None:
            raise _no_job(submission)
        return result

    def _result(self, entry: Entry) -> dict[str, Any]:
        stored = self._redis.hgetall(keys.results(entry.id))
        if entry.kind == REWARD:
            return self._rewards(entry, stored).model_dump(mode="json")
        results = [json.loads(stored[str(index).encode()]) for index in range(entry.total)]
        return {"results": results} if entry.batch else dict(results[0])

    def _rewards(self, entry: Entry, stored: Mapping[bytes, bytes]) -> RewardResult:
        """What was found in the completions is found again: the same request makes the same plan."""
        request = self._redis.get(keys.reward(entry.id))
        if request is None:
            raise _no_job(entry.id)
        plan = verify_requests(RewardRequest.model_validate_json(request), self._tasks)
        results = [VerifyResult.model_validate_json(stored[str(index).encode()]) for index in range(entry.total)]
        return rewards_of(plan, results)

    def _ahead(self, entry: Entry) -> int | None:
        """Envelopes queued before this submission's first, None when a worker has taken that already."""
        first = self._redis.hget(keys.job(entry.id), "envelope")
        if first is None:
            return None
        position = self._redis.lpos(keys.rq_queue(entry.lane), first)
        if position is None and entry.client:
            before = self._redis.lpos(keys.parked(entry.lane, entry.client), first)
            position = None if before is None else self._redis.llen(keys.rq_queue(entry.lane)) + before
        return None if position is None else int(position)

    def sent_in(self, submission: str, envelope_id: str) -> None:
        """Remember the first envelope of a submission, by which its position is told."""
        self._redis.hset(keys.job(submission), "envelope", envelope_id)


def _no_job(submission: str) -> NotFound:
    return NotFound(f"no job {submission!r}: it never existed, or its result has expired", field="id")
