"""The queue of webhooks to deliver. All its state is in Redis, so a sender may die at any time and another continues.

Theory of operation. The result writer stores a result and queues its webhook in one step, so neither exists without
the other. A webhook has the id of its submission or item. Its body is built from the stored results when it is sent.
A sender takes webhooks by postponing their due time by a lease. If the sender dies, they are due again when the lease
ends, so a receiver may see a webhook twice, with the same id. After a successful delivery the webhook is deleted. After
a failure it is due again later. After the last failure it is stored as dead for a while.
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
"""Builds a body in a dialect from the finished job and the callback's detail."""

MAX_LISTED = 1_000

_LEASE_DUE = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(due) do redis.call('ZADD', KEYS[1], ARGV[3], id) end
return due
"""


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """The HTTP request that delivers one webhook."""

    id: str
    method: str
    url: str
    body: bytes


class WebhookQueue:
    """The webhooks to deliver, and those that could not be delivered. Every method may raise RedisError."""

    def __init__(
        self, redis: Redis, job_store: JobStore, formatters: Mapping[str, BodyFormatter] | None = None
    ) -> None:
        self._redis = redis
        self._job_store = job_store
        self._formatters = formatters or {}

    def enqueue(self, webhook_id: str) -> None:
        """Add a webhook that is due immediately."""
        self._redis.zadd(redis_keys.WEBHOOKS_DUE, {webhook_id: time.time()})

    def lease_due(self, limit: int, lease_s: float) -> list[str]:
        """Return due webhooks, and hide them from other senders for `lease_s` seconds."""
        now = time.time()
        taken = self._redis.eval(_LEASE_DUE, 1, redis_keys.WEBHOOKS_DUE, now, limit, now + lease_s)
        return [webhook_id.decode() for webhook_id in taken]

    def count_due(self) -> int:
        return int(self._redis.zcard(redis_keys.WEBHOOKS_DUE))

    def build_request(self, webhook_id: str) -> WebhookRequest:
        """Build the request of a webhook. Raises NotFound if its result has expired."""
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
        """Record a failed try, and return the number of failed tries."""
        pipeline = self._redis.pipeline()
        pipeline.hincrby(redis_keys.webhook(webhook_id), "tries", 1)
        pipeline.hset(redis_keys.webhook(webhook_id), "error", error)
        pipeline.expire(redis_keys.webhook(webhook_id), ttl_s)
        return int(pipeline.execute()[0])

    def reschedule(self, webhook_id: str, delay_s: float) -> None:
        self._redis.zadd(redis_keys.WEBHOOKS_DUE, {webhook_id: time.time() + delay_s}, xx=True)

    def dead_letter(self, webhook_id: str, ttl_s: int) -> None:
        """Mark a webhook as dead, and forget webhooks that have been dead for more than `ttl_s` seconds."""
        now = time.time()
        pipeline = self._redis.pipeline()
        pipeline.zrem(redis_keys.WEBHOOKS_DUE, webhook_id)
        pipeline.zadd(redis_keys.WEBHOOKS_DEAD, {webhook_id: now})
        pipeline.zremrangebyscore(redis_keys.WEBHOOKS_DEAD, "-inf", now - ttl_s)
        pipeline.expire(redis_keys.webhook(webhook_id), ttl_s)
        pipeline.execute()

    def list_dead(self) -> list[DeadWebhook]:
        """Return the latest dead webhooks that have not expired, newest first."""
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
        """Make a dead webhook due again, and reset its number of tries. Raises NotFound."""
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
    """Build the start of a body in the format that Standard Webhooks recommends: type, timestamp, data."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    document = json.dumps({"type": kind, "timestamp": now, "data": data}, separators=(",", ":")).encode()
    return document[:-2]
