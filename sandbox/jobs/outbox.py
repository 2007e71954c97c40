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
from sandbox.jobs import keys
from sandbox.jobs.ledger import Entry, Ledger
from sandbox.schema import Job, JobStatus
from sandbox.schema.callbacks import DeadWebhook

Style = Callable[[Job, str], bytes]
"""A body in the words of a peer, from the finished job and the callback's detail."""

MOST_LISTED = 1_000

_TAKE = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(due) do redis.call('ZADD', KEYS[1], ARGV[3], id) end
return due
"""


@dataclass(frozen=True, slots=True)
class Letter:
    """One request to make."""

    id: str
    method: str
    url: str
    body: bytes


class Outbox:
    """Every method is a round trip or two. Raises RedisError."""

    def __init__(self, redis: Redis, ledger: Ledger, styles: Mapping[str, Style] | None = None) -> None:
        self._redis = redis
        self._ledger = ledger
        self._styles = styles or {}

    def put(self, webhook_id: str) -> None:
        """A webhook that is due at once."""
        self._redis.zadd(keys.WEBHOOKS_DUE, {webhook_id: time.time()})

    def take(self, most: int, lease_s: float) -> list[str]:
        """Webhooks that are due, which nobody else takes for a lease."""
        now = time.time()
        taken = self._redis.eval(_TAKE, 1, keys.WEBHOOKS_DUE, now, most, now + lease_s)
        return [webhook_id.decode() for webhook_id in taken]

    def waiting(self) -> int:
        return int(self._redis.zcard(keys.WEBHOOKS_DUE))

    def letter(self, webhook_id: str) -> Letter:
        """What to send. Raises NotFound when the result has expired meanwhile."""
        submission, _, index = webhook_id.partition(".")
        entry = self._ledger.entry(submission)
        if entry.callback is None:
            raise NotFound(f"submission {submission!r} has no callback", field="id")
        if entry.callback.style:
            body = self._styles[entry.callback.style](self._ledger.job(submission), entry.callback.detail)
            return Letter(webhook_id, "PUT", entry.callback.url, body)
        body = self._item(entry, int(index)) if index else self._finished(entry)
        return Letter(webhook_id, "POST", entry.callback.url, body)

    def delivered(self, webhook_id: str) -> None:
        pipeline = self._redis.pipeline()
        pipeline.zrem(keys.WEBHOOKS_DUE, webhook_id)
        pipeline.delete(keys.webhook(webhook_id))
        pipeline.execute()

    def failed(self, webhook_id: str, error: str, life_s: int) -> int:
        """Note a try that failed; returns how many did."""
        pipeline = self._redis.pipeline()
        pipeline.hincrby(keys.webhook(webhook_id), "tries", 1)
        pipeline.hset(keys.webhook(webhook_id), "error", error)
        pipeline.expire(keys.webhook(webhook_id), life_s)
        return int(pipeline.execute()[0])

    def again(self, webhook_id: str, delay_s: float) -> None:
        self._redis.zadd(keys.WEBHOOKS_DUE, {webhook_id: time.time() + delay_s}, xx=True)

    def bury(self, webhook_id: str, life_s: int) -> None:
        """Give a webhook up, and forget those that have been dead for `life_s`."""
        now = time.time()
        pipeline = self._redis.pipeline()
        pipeline.zrem(keys.WEBHOOKS_DUE, webhook_id)
        pipeline.zadd(keys.WEBHOOKS_DEAD, {webhook_id: now})
        pipeline.zremrangebyscore(keys.WEBHOOKS_DEAD, "-inf", now - life_s)
        pipeline.expire(keys.webhook(webhook_id), life_s)
        pipeline.execute()

    def dead(self) -> list[DeadWebhook]:
        """Those given up, the latest first, as far as they are remembered."""
        found = []
        for name, died_at in self._redis.zrevrange(keys.WEBHOOKS_DEAD, 0, MOST_LISTED - 1, withscores=True):
            webhook_id = name.decode()
            fields = self._redis.hgetall(keys.webhook(webhook_id))
            if fields:
                found.append(
                    DeadWebhook(
                        id=webhook_id,
                        url=self._address(webhook_id),
                        tries=int(fields[b"tries"]),
                        error=fields[b"error"].decode(),
                        died_at=died_at,
                    )
                )
        return found

    def revive(self, webhook_id: str) -> None:
        """A dead webhook is due again, with all its tries. Raises NotFound."""
        if not self._redis.zrem(keys.WEBHOOKS_DEAD, webhook_id):
            raise NotFound(f"no dead webhook {webhook_id!r}", field="id")
        self._redis.delete(keys.webhook(webhook_id))
        self.put(webhook_id)

    def _address(self, webhook_id: str) -> str:
        try:
            callback = self._ledger.entry(webhook_id.partition(".")[0]).callback
        except NotFound:
            return ""
        return urlsplit(callback.url)._replace(query="").geturl() if callback is not None else ""

    def _item(self, entry: Entry, index: int) -> bytes:
        head = _head(f"{entry.kind}.item", {"job": entry.id, "index": index})
        return head + b',"result":' + self._ledger.result(entry.id, index) + b"}}"

    def _finished(self, entry: Entry) -> bytes:
        job = self._ledger.job(entry.id)
        if job.status is not JobStatus.FINISHED:
            raise NotFound(f"job {entry.id!r} has lost results", field="id")
        head = _head(f"{entry.kind}.finished", {"job": entry.id})
        return head + b',"result":' + json.dumps(job.result, separators=(",", ":")).encode() + b"}}"


def _head(kind: str, data: Mapping[str, object]) -> bytes:
    """The beginning of a body in the shape that Standard Webhooks recommends: type, timestamp, data."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = json.dumps({"type": kind, "timestamp": now, "data": data}, separators=(",", ":")).encode()
    return told[:-2]
