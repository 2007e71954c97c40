"""Compute the rewards of a stored batch in the worker that has written the batch's last result."""

from __future__ import annotations

from functools import partial

from redis import Redis

from sandbox.config import WorkerSettings
from sandbox.queue.stored_rewards import RewardWriter, StoredRewards
from sandbox.queue.task_sets import TaskSets
from sandbox.rewards.scoring import score_stored_request


def build_reward_writer(settings: WorkerSettings, redis: Redis) -> RewardWriter:
    """Build a worker's reward writer. It caches no tasks, because a worker reads the tasks of a batch only once."""
    task_sets = TaskSets(redis, settings.task_set_ttl_s, cache_mb=0)
    score_rewards = partial(score_stored_request, look_up_tasks=task_sets.get)
    return RewardWriter(StoredRewards(redis, settings.result_ttl_s, score_rewards))
