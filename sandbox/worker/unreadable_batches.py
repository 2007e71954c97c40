"""Handle batches that a newer version of the service has sent, and that this worker cannot read."""

from __future__ import annotations

import logging
import time

from redis import Redis

from sandbox.queue import job_batch, redis_keys
from sandbox.queue.job_batch import Item, UnreadableBatch
from sandbox.queue.result_writer import ResultWriter
from sandbox.schema import Lane
from sandbox.worker.execute import build_unread_failure_result

logger = logging.getLogger(__name__)

MAX_UNREADABLE_RETURNS = 150  # 30 s for one idle worker: enough for a rolling upgrade to start a newer one
RETURN_PAUSE_S = 0.2


class UnreadableBatches:
    """Leaves batches to a newer worker for a while, and fails their items if no such worker takes them."""

    def __init__(self, redis: Redis, result_writer: ResultWriter, queue_ttl_s: int) -> None:
        self._redis = redis
        self._result_writer = result_writer
        self._queue_ttl_s = queue_ttl_s

    def leave_to_others(self, lane: Lane, batch_id: str, reason: UnreadableBatch) -> bool:
        """Return a batch to its lane for a newer worker, and pause so that one can take it.

        After `MAX_UNREADABLE_RETURNS` returns of this batch, returns False and does nothing. Raises RedisError.
        """
        passes = self._redis.incr(redis_keys.unreadable_returns(batch_id))
        self._redis.expire(redis_keys.unreadable_returns(batch_id), self._queue_ttl_s)
        if passes > MAX_UNREADABLE_RETURNS:
            return False
        logger.warning("batch passed on, upgrade this worker: %s", reason, extra={"envelope": batch_id})
        pipeline = self._redis.pipeline()
        job_batch.return_to_lane(pipeline, lane, batch_id)
        pipeline.execute()
        time.sleep(RETURN_PAUSE_S)
        return True

    def fail_items(self, batch_id: str, content: bytes, reason: UnreadableBatch) -> list[Item]:
        """Write error results, so that clients do not wait for their timeout; return the items that have a result."""
        logger.error("no worker can read a batch, failing its items: %s", reason, extra={"envelope": batch_id})
        try:
            headers = job_batch.read_headers(content)
        except UnreadableBatch as error:
            logger.error("the items of a batch get no result: %s", error, extra={"envelope": batch_id})
            headers = []
        for item, request in headers:
            result = build_unread_failure_result(item, request, f"no worker can read the request: {reason}")
            self._result_writer.write(item, result.json)
        return [item for item, _ in headers]
