"""The history of training runs: one point for each reward request that names a run.

The history is bounded: it keeps the latest `MAX_RUNS` runs, and the latest `MAX_POINTS` requests of each. A point that
cannot be stored is dropped: a failure to record it must not cost the request its rewards.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from redis import Redis
from redis.exceptions import RedisError

from sandbox.errors import NotFound
from sandbox.queue import redis_keys
from sandbox.schema.reward import RewardResult
from sandbox.schema.runs import Run, RunPoint, RunSummary

logger = logging.getLogger(__name__)

MAX_RUNS = 500
MAX_POINTS = 5_000
MAX_LISTED = 100
TTL_S = 7 * 86_400
UNKNOWN_STEP = -1  # the step is the number of the request in its run


def build_point(result: RewardResult, step: int, at: float, took_s: float) -> RunPoint:
    """Summarize the rewards of one request. Its `step` may be UNKNOWN_STEP."""
    known = [reward for reward in result.rewards if reward is not None]
    verdicts = Counter(
        "lost" if reward is None else "no_code" if detail.verdict is None else detail.verdict.value
        for reward, detail in zip(result.rewards, result.details, strict=True)
    )
    return RunPoint(
        step=step,
        at=at,
        completions=len(result.rewards),
        reward=sum(known) / len(known) if known else None,
        verdicts=dict(verdicts),
        took_s=took_s,
    )


def merge_points(points: Sequence[RunPoint], limit: int) -> list[RunPoint]:
    """Return at most `limit` points, by merging equal numbers of neighbors."""
    size = max(1, -(-len(points) // limit))
    return [_merge(points[start : start + size]) for start in range(0, len(points), size)]


def _merge(points: Sequence[RunPoint]) -> RunPoint:
    if len(points) == 1:
        return points[0]
    rewarded = sum(point.rewarded for point in points if point.reward is not None)
    total = sum(point.reward * point.rewarded for point in points if point.reward is not None)
    verdicts: Counter[str] = Counter()
    for point in points:
        verdicts.update(point.verdicts)
    return RunPoint(
        step=points[-1].step,
        at=points[-1].at,
        completions=sum(point.completions for point in points),
        reward=total / rewarded if rewarded else None,
        verdicts=dict(verdicts),
        took_s=sum(point.took_s for point in points) / len(points),
    )


class RunHistory:
    """Records and reads the history of runs."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def record(self, owner: str, name: str, point: RunPoint) -> None:
        """Add a point to the run with this name and owner. Log it, but raise nothing, if Redis does not take it."""
        try:
            self._record(owner, name, point)
        except RedisError as error:
            logger.warning("cannot record a request of the run %s: %s", name, error)

    def _record(self, owner: str, name: str, point: RunPoint) -> None:
        run_id = _build_id(owner, name)
        key, points = redis_keys.run(run_id), redis_keys.run_points(run_id)
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hincrby(key, "requests", 1)
        # Set with every request, so that a run whose first request met a failure of Redis is complete after the next.
        pipeline.hset(key, mapping={"name": name, "owner": owner})
        pipeline.hsetnx(key, "started_at", point.at - point.took_s)
        pipeline.expire(key, TTL_S)
        number = pipeline.execute()[0]
        if point.step == UNKNOWN_STEP:
            point = point.model_copy(update={"step": number - 1})
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.rpush(points, point.model_dump_json())
        pipeline.ltrim(points, -MAX_POINTS, -1)
        pipeline.expire(points, TTL_S)
        pipeline.zadd(redis_keys.RUNS, {run_id: point.at})
        pipeline.execute()
        if number == 1:
            self._remove_oldest(point.at)

    def _remove_oldest(self, now: float) -> None:
        ids = self._redis.zrange(redis_keys.RUNS, 0, -MAX_RUNS - 1)
        ids += self._redis.zrangebyscore(redis_keys.RUNS, 0, now - TTL_S)
        for run_id in {each.decode() for each in ids}:
            self._redis.delete(redis_keys.run(run_id), redis_keys.run_points(run_id))
            self._redis.zrem(redis_keys.RUNS, run_id)

    def list_latest(self, may_see: Callable[[str], bool]) -> list[RunSummary]:
        """Return the latest runs that the caller may see, latest first. Raises RedisError."""
        ids = [run_id.decode() for run_id in self._redis.zrevrange(redis_keys.RUNS, 0, -1)]
        return [run for run in self._read_summaries(ids, may_see) if run is not None][:MAX_LISTED]

    def get(self, run_id: str, limit: int, may_see: Callable[[str], bool]) -> Run:
        """Return a run with at most `limit` points. Raises NotFound or RedisError."""
        (summary,) = self._read_summaries([run_id], may_see)
        if summary is None:
            raise NotFound(f"there is no run {run_id!r}, or it is older than {TTL_S // 86_400} days", field="id")
        lines = self._redis.lrange(redis_keys.run_points(run_id), 0, -1)
        points = merge_points([RunPoint.model_validate_json(line) for line in lines], limit)
        return Run(**summary.model_dump(), points=points)

    def _read_summaries(self, run_ids: Sequence[str], may_see: Callable[[str], bool]) -> list[RunSummary | None]:
        """Read runs in one round trip. None stands for a run that is gone, or that the caller may not see."""
        pipeline = self._redis.pipeline(transaction=False)
        for run_id in run_ids:
            pipeline.hgetall(redis_keys.run(run_id))
            pipeline.lindex(redis_keys.run_points(run_id), -1)
        answers = iter(pipeline.execute())
        return [_parse_summary(*each, may_see) for each in zip(run_ids, answers, answers, strict=True)]


def _parse_summary(
    run_id: str, fields: Mapping[bytes, bytes], last: bytes | None, may_see: Callable[[str], bool]
) -> RunSummary | None:
    if b"name" not in fields or last is None or not may_see(fields[b"owner"].decode()):
        return None
    latest = RunPoint.model_validate_json(last)
    return RunSummary(
        id=run_id,
        name=fields[b"name"].decode(),
        started_at=float(fields[b"started_at"]),
        ended_at=latest.at,
        requests=int(fields[b"requests"]),
        latest=latest,
    )


def _build_id(owner: str, name: str) -> str:
    """Return the id of a run. Runs of different API keys may have the same name."""
    return hashlib.sha256(f"{owner}\n{name}".encode()).hexdigest()[:16]
