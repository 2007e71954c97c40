"""Send results to the processes that wait for them, and store the results of stored submissions.

A result is stored only once (HSETNX), so a batch that runs twice yields one result and one webhook per item. A waiting
process may receive a result twice and uses the first. Stored results are charged to their owner (`storage_limits`). A
large result that exceeds the owner's quota is stored without its outputs.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError

from sandbox.queue import quotas, redis_keys, storage_account, storage_limits
from sandbox.queue.connection import get_failure_log_level, is_redis_full
from sandbox.queue.job_batch import Item
from sandbox.queue.stored_rewards import REWARD_KIND, RewardWriter

logger = logging.getLogger(__name__)

FLUSH_DELAY_S = 0.02
# Precedes the result of an item that no worker could run. A space, so that older readers still get valid JSON.
CANNOT_RUN_PREFIX = b" "
REDIS_FULL_PAUSE_S = 0.5
REDIS_FULL_TIMEOUT_S = 5.0  # how long Redis may be full before large results lose their outputs

# Store a result and queue its webhook, both or neither: if a process dies in between, no stored result lacks its
# webhook.
_STORE_AND_QUEUE_WEBHOOK = """
local is_new = redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
if is_new == 1 then
    if ARGV[5] == 'item' then
        redis.call('ZADD', KEYS[3], ARGV[3], ARGV[4] .. '.' .. ARGV[1])
    elseif redis.call('HLEN', KEYS[1]) >= tonumber(redis.call('HGET', KEYS[2], 'total') or math.huge) then
        redis.call('ZADD', KEYS[3], ARGV[3], ARGV[4])
    end
end
return is_new
"""


class ResultWriter:
    """Collects results and sends them in one round trip, about `FLUSH_DELAY_S` after the first one."""

    def __init__(
        self, redis: Redis, result_ttl_s: int, max_kept_mb: int = 0, reward_writer: RewardWriter | None = None
    ) -> None:
        self._redis = redis
        self._reward_writer = reward_writer
        self._result_ttl_s = result_ttl_s
        self._max_kept_mb = max_kept_mb
        self._messages: dict[str, list[bytes]] = defaultdict(list)
        self._to_store: list[tuple[Item, bytes]] = []
        self._released_ids: dict[str, list[str]] = defaultdict(list)
        self._full_since = 0.0
        self._lock = threading.Lock()
        self._has_pending = threading.Event()
        threading.Thread(target=self._flush_periodically, name="result-writer", daemon=True).start()

    def write(self, item: Item, result: bytes, is_last: bool = False) -> None:
        """Send `result` with the next flush. If it `is_last`, the caller flushes, so the thread is not woken for it."""
        with self._lock:
            if item.client:
                self._released_ids[item.client].append(item.id)
            if item.kept:
                self._to_store.append((item, result))
            else:
                self._messages[item.reader].append(encode_message(item.id, result))
        if not is_last:
            self._has_pending.set()

    def write_cannot_run(self, item: Item, result: bytes) -> None:
        """Tell the waiting processes that no worker can run the item. A stored item gets no result and stays queued.

        Raises RedisError.
        """
        message = CANNOT_RUN_PREFIX + result
        if not item.kept:
            self.write(item, message)
            return
        pipeline = self._redis.pipeline(transaction=False)
        for reader in self._redis.smembers(redis_keys.readers(item.submission)):
            push_results(pipeline, reader.decode(), [encode_message(item.id, message)])
        pipeline.execute()

    def release_item(self, item: Item) -> None:
        """With the next flush, stop counting as queued an item whose result is no longer wanted."""
        if item.client:
            with self._lock:
                self._released_ids[item.client].append(item.id)

    def flush(self, add_commands: Callable[[Pipeline], None] | None = None) -> None:
        """Send all collected results, and run the commands of `add_commands` in the same transaction.

        Raises RedisError; no result is lost in that case.
        """
        with self._lock:
            try:
                self._flush(add_commands)
                self._full_since = 0.0
            except RedisError as error:
                self._has_pending.set()
                if is_redis_full(error):
                    self._shorten_pending()
                raise

    def _flush(self, add_commands: Callable[[Pipeline], None] | None) -> None:
        self._store_results()
        if self._messages or self._released_ids or add_commands is not None:
            # All or nothing: a batch must not be deleted if Redis refuses its results.
            pipeline = self._redis.pipeline(transaction=add_commands is not None)
            for reader, messages in self._messages.items():
                push_results(pipeline, reader, messages)
            for client, item_ids in self._released_ids.items():
                quotas.release(pipeline, client, item_ids)
            if add_commands is not None:
                add_commands(pipeline)
            pipeline.execute()
            self._messages.clear()
            self._released_ids.clear()
        self._has_pending.clear()

    def _flush_periodically(self) -> None:
        """Flush from a thread, so that a result never has to wait until the next program finishes."""
        while self._has_pending.wait():
            time.sleep(FLUSH_DELAY_S)
            try:
                self.flush()
            except RedisError as error:
                logger.log(get_failure_log_level(), "cannot send results to Redis, retrying: %s", error)
                if is_redis_full(error):
                    time.sleep(REDIS_FULL_PAUSE_S)

    def _store_results(self) -> None:
        if not self._to_store:
            return
        self._shorten_over_quota()
        pipeline = self._redis.pipeline(transaction=False)
        for item, result in self._to_store:
            _store_result(pipeline, item, result)
            pipeline.hlen(redis_keys.results(item.submission))
            pipeline.hmget(redis_keys.job(item.submission), "total", "request_bytes", "kind")
            pipeline.smembers(redis_keys.readers(item.submission))
        answers = pipeline.execute()
        pipeline = self._redis.pipeline(transaction=False)
        growth: dict[str, int] = defaultdict(int)
        ended: set[str] = set()
        rewarded: list[str] = []
        for position, (item, result) in enumerate(self._to_store):
            is_new, done, (total, request_bytes, kind), readers = answers[4 * position : 4 * position + 4]
            growth[item.submission] += len(result) * is_new
            if total is not None and done >= int(total):
                if item.submission not in ended:
                    ended.add(item.submission)
                    growth[item.submission] -= int(request_bytes or 0)
                    if kind == REWARD_KIND.encode():
                        rewarded.append(item.submission)
                for key in (redis_keys.job, redis_keys.results, redis_keys.readers, redis_keys.reward):
                    pipeline.expire(key(item.submission), self._result_ttl_s)
            # Also if the result was stored before: the first attempt may have died before it sent the messages.
            for reader in readers:
                push_results(pipeline, reader.decode(), [encode_message(item.id, result)])
        storage_account.adjust_charges(
            pipeline,
            [
                (
                    storage_account.submission_member(submission),
                    size,
                    self._result_ttl_s if submission in ended else None,
                )
                for submission, size in growth.items()
            ],
        )
        pipeline.execute()
        self._to_store.clear()
        if self._reward_writer is not None:
            self._reward_writer.write_soon(rewarded)

    def _shorten_pending(self) -> None:
        """Remove the outputs of large results if Redis stays full, because otherwise they might never be stored."""
        now = time.monotonic()
        self._full_since = self._full_since or now
        if now - self._full_since < REDIS_FULL_TIMEOUT_S:
            return
        self._to_store = [(item, _shorten_if_large(result)) for item, result in self._to_store]
        for messages in self._messages.values():
            for at, message in enumerate(messages):
                item_id, _, result = message.partition(b" ")
                messages[at] = item_id + b" " + _shorten_if_large(result)

    def _shorten_over_quota(self) -> None:
        large = [
            (at, item, result)
            for at, (item, result) in enumerate(self._to_store)
            if len(result) > storage_limits.LARGE_RESULT_BYTES and item.kind in {"execute", "verify"}
        ]
        if not large:
            return
        wanted = [(item.client, item.submission, len(result)) for _, item, result in large]
        for (at, item, result), fits in zip(
            large, storage_limits.find_fitting(self._redis, wanted, self._max_kept_mb), strict=True
        ):
            if not fits:
                self._to_store[at] = (item, storage_limits.remove_outputs(result))


def _shorten_if_large(result: bytes) -> bytes:
    return storage_limits.remove_outputs(result) if len(result) > storage_limits.LARGE_RESULT_BYTES else result


def _store_result(pipeline: Pipeline, item: Item, result: bytes) -> None:
    """Store a result unless the item has one. The pipeline's reply is 1 if it is new."""
    results, index = redis_keys.results(item.submission), str(item.index or 0)
    if not item.callback:
        pipeline.hsetnx(results, index, result)
        return
    script_keys = (results, redis_keys.job(item.submission), redis_keys.WEBHOOKS_DUE)
    pipeline.eval(_STORE_AND_QUEUE_WEBHOOK, 3, *script_keys, index, result, time.time(), item.submission, item.callback)


def encode_message(item_id: str, result: bytes) -> bytes:
    """Build a message: the item's id, a space, and its result."""
    return item_id.encode() + b" " + result


def push_results(pipeline: Pipeline, reader: str, messages: list[bytes]) -> None:
    pipeline.rpush(redis_keys.messages(reader), *messages)
    pipeline.expire(redis_keys.messages(reader), redis_keys.MESSAGES_TTL_S)
