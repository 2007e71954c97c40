"""The rewards of stored submissions: computed once, when the last result arrives, and stored with the job.

The worker that stores the last result of a submission computes its rewards. If that worker stops first, the next reader
of the job computes them. Rewards that are stored are never replaced, so polling and webhooks deliver the same values.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from queue import SimpleQueue

from redis import Redis
from redis.exceptions import RedisError

from sandbox.errors import NotFound, SandboxError
from sandbox.queue import redis_keys
from sandbox.queue.connection import is_redis_full
from sandbox.queue.runs import RunHistory, build_point
from sandbox.queue.storage_account import adjust_charges, submission_member
from sandbox.schema.reward import RewardResult

logger = logging.getLogger(__name__)

REWARD_KIND = "reward"

# Computes rewards from a stored request and its results, both JSON.
ScoreRewards = Callable[[bytes, Sequence[bytes]], RewardResult]


class StoredRewards:
    """Computes, stores and reads the rewards of submissions."""

    def __init__(self, redis: Redis, result_ttl_s: int, score_rewards: ScoreRewards) -> None:
        self._redis = redis
        self._runs = RunHistory(redis)
        self._result_ttl_s = result_ttl_s
        self._score_rewards = score_rewards

    def get(self, submission: str) -> bytes:
        """Return the rewards of a finished submission as JSON. Compute and store them first if they are not stored.

        Raises NotFound if the submission has expired or lacks results, RedisError, or the errors of scoring.
        """
        stored: bytes | None = self._redis.get(redis_keys.rewards(submission))
        return self._compute(submission) if stored is None else stored

    def _compute(self, submission: str) -> bytes:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.get(redis_keys.reward(submission))
        pipeline.hmget(redis_keys.job(submission), "total", "run", "step", "created", "client")
        pipeline.hgetall(redis_keys.results(submission))
        pipeline.ttl(redis_keys.job(submission))
        request, (total, run, step, created, client), results, ttl_s = pipeline.execute()
        if request is None or total is None or len(results) < int(total):
            raise NotFound(f"the results of job {submission!r} are incomplete or have expired", field="id")
        ordered = [results[str(index).encode()] for index in range(int(total))]
        scored = self._score_rewards(request, ordered)
        rewards = scored.model_dump_json().encode()
        stored, is_first = self._store(submission, rewards, ttl_s if ttl_s > 0 else self._result_ttl_s)
        if is_first and run is not None:
            now = time.time()
            self._runs.record(
                (client or b"").decode(), run.decode(), build_point(scored, int(step), now, now - float(created))
            )
        return stored

    def _store(self, submission: str, rewards: bytes, ttl_s: int) -> tuple[bytes, bool]:
        """Store rewards unless some are stored already. Return the stored ones, and whether they are these.

        Succeeds even if Redis is full.
        """
        key = redis_keys.rewards(submission)
        try:
            if self._redis.set(key, rewards, nx=True, ex=ttl_s):
                adjust_charges(self._redis, [(submission_member(submission), len(rewards), None)])
                return rewards, True
        except RedisError as error:
            if not is_redis_full(error):
                raise
            return rewards, False
        earlier: bytes | None = self._redis.get(key)
        return rewards if earlier is None else earlier, False


class RewardWriter:
    """Computes the rewards of finished submissions in a thread, because a large batch takes a second.

    If that fails, the next reader of the job computes them.
    """

    def __init__(self, rewards: StoredRewards) -> None:
        self._rewards = rewards
        self._finished: SimpleQueue[str] = SimpleQueue()
        threading.Thread(target=self._write_forever, name="reward-writer", daemon=True).start()

    def write_soon(self, submissions: Iterable[str]) -> None:
        """Compute and store the rewards of submissions whose last result was just stored."""
        for submission in submissions:
            self._finished.put(submission)

    def _write_forever(self) -> None:
        while True:
            submission = self._finished.get()
            try:
                self._rewards.get(submission)
            except (SandboxError, RedisError) as error:
                logger.warning("cannot store the rewards of %s: %s", submission, error)
            except Exception:  # one odd result must not end the thread
                logger.exception("cannot compute the rewards of %s", submission)
