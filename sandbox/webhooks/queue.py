"""Webhooks that wait to be delivered, in Redis alone: who delivers them may die at any time, and another goes on.

Theory of operation. The courier puts a webhook's id among those that are due in the same step in which it keeps the
result (`delivery`), so that there is none without the other. An id is its submission's, or its item's; the body is made
of the kept results when it is sent. Whoever takes ids pushes their time a lease ahead: should it die, they are due
again when the lease is over, and a receiver may then see one twice, under the same id. After an answer that says yes an
id is gone; after one that says no it is due again later, and after the last it lies among the dead for a while.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from redis import Redis

from sandbox.errors import NotFound
from sandbox.queue import redis_keys
from sandbox.queue.job_store import JobRecord, JobStore
from sandbox.schema import Job, JobStatus
from sandbox.schema.callbacks import DeadWebhook

BodyFormatter = Callable[[Job, str], bytes]
"""A body in the words of a peer, from the finished job and the callback's detail."""

MAX_LISTED = 1_000

_LEASE_DUE = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(due) do redis.call('ZADD', KEYS[1], ARGV[3], id) end
return due
"""


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """One request to make."""

    id: str
    method: str
    url: str
    body: bytes


class WebhookQueue:
    """Every method is a round trip or two. Raises RedisError."""

    def __init__(
        self, redis: Redis, job_store: JobStore, formatters: Mapping[str, BodyFormatter] | None = None
    ) -> None:
        self._redis = redis
        self._job_store = job_store
        self._formatters = formatters or {}

    def enqueue(self, webhook_id: str) -> None:
        """A webhook that is due at once."""
        self._redis.zadd(redis_keys.WEBHOOKS_DUE, {webhook_id: time.time()})

    def lease_due(self, limit: int, lease_s: float) -> list[str]:
        """Webhooks that are due, which nobody else takes for a lease."""
        now = time.time()
        taken = self._redis.eval(_LEASE_DUE, 1, redis_keys.WEBHOOKS_DUE, now, limit, now + lease_s)
        return [webhook_id.decode() for webhook_id in taken]

    def count_due(self) -> int:
        return int(self._redis.zcard(redis_keys.WEBHOOKS_DUE))

    def build_request(self, webhook_id: str) -> WebhookRequest:
        """What to send. Raises NotFound when the result has expired meanwhile."""
        submission, _, index = webhook_id.partition(".")
        record = self._job_store.get_record(submission)
        if record.callback is None:
            raise NotFound(f"submission {submission!r} has no callback", field="id")
        if record.callback.style:
            body = self._formatters[record.callback.style](self._job_store.get_job(submission), record.callback.detail)
            return WebhookRequest(webhook_id, "PUT", record.callback.url, body)
        body = self._build_item_body(record, int(index)) if index else self._build_finished_body(record)
        return WebhookRequest(webhook_id, "POST", record.callback.url, body)

    def mark_delivered(self, webhook_id: str) -> None:
        pipeline = self._redis.pipeline()
        pipeline.zrem(redis_keys.WEBHOOKS_DUE, webhook_id)
        pipeline.delete(redis_keys.webhook(webhook_id))
        pipeline.execute()

    def record_failure(self, webhook_id: str, error: str, ttl_s: int) -> int:
        """Note a try that failed; returns how many did."""
        pipeline = self._redis.pipeline()
        pipeline.hincrby(redis_keys.webhook(webhook_id), "tries", 1)
        pipeline.hset(redis_keys.webhook(webhook_id), "error", error)
        pipeline.expire(redis_keys.webhook(webhook_id), ttl_s)
        return int(pipeline.execute()[0])

    def reschedule(self, webhook_id: str, delay_s: float) -> None:
        self._redis.zadd(redis_keys.WEBHOOKS_DUE, {webhook_id: time.time() + delay_s}, xx=True)

    def dead_letter(self, webhook_id: str, ttl_s: int) -> None:
        """Give a webhook up, and forget those that have been dead for `life_s`."""
        now = time.time()
        pipeline = self._redis.pipeline()
        pipeline.zrem(redis_keys.WEBHOOKS_DUE, webhook_id)
        pipeline.zadd(redis_keys.WEBHOOKS_DEAD, {webhook_id: now})
        pipeline.zremrangebyscore(redis_keys.WEBHOOKS_DEAD, "-inf", now - ttl_s)
        pipeline.expire(redis_keys.webhook(webhook_id), ttl_s)
        pipeline.execute()

    def list_dead(self) -> list[DeadWebhook]:
        """Those given up, the latest first, as far as they are remembered."""
        found = []
        for name, died_at in self._redis.zrevrange(redis_keys.WEBHOOKS_DEAD, 0, MAX_LISTED - 1, withscores=True):
            webhook_id = name.decode()
            fields = self._redis.hgetall(redis_keys.webhook(webhook_id))
            if fields:
                found.append(
                    DeadWebhook(
                        id=webhook_id,
                        url=self._find_url(webhook_id),
                        tries=int(fields[b"tries"]),
                        error=fields[b"error"].decode(),
                        died_at=died_at,
                    )
                )
        return found

    def requeue(self, webhook_id: str) -> None:
        """A dead webhook is due again, with all its tries. Raises NotFound."""
        if not self._redis.zrem(redis_keys.WEBHOOKS_DEAD, webhook_id):
            raise NotFound(f"no dead webhook {webhook_id!r}", field="id")
        self._redis.delete(redis_keys.webhook(webhook_id))
        self.enqueue(webhook_id)

    def _find_url(self, webhook_id: str) -> str:
        try:
            callback = self._job_store.get_record(webhook_id.partition(".")[0]).callback
        except NotFound:
            return ""
        return urlsplit(callback.url)._replace(query="").geturl() if callback is not None else ""

    def _build_item_body(self, record: JobRecord, index: int) -> bytes:
        head = _build_body_prefix(f"{record.kind}.item", {"job": record.id, "index": index})
        return head + b',"result":' + self._job_store.read_result(record.id, index) + b"}}"

    def _build_finished_body(self, record: JobRecord) -> bytes:
        job = self._job_store.get_job(record.id)
        if job.status is not JobStatus.FINISHED:
            raise NotFound(f"job {record.id!r} has lost results", field="id")
        head = _build_body_prefix(f"{record.kind}.finished", {"job": record.id})
        return head + b',"result":' + json.dumps(job.result, separators=(",", ":")).encode() + b"}}"


def _build_body_prefix(kind: str, data: Mapping[str, object]) -> bytes:
    """The beginning of a body in the shape that Standard Webhooks recommends: type, timestamp, data."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    document = json.dumps({"type": kind, "timestamp": now, "data": data}, separators=(",", ":")).encode()
    return document[:-2]
