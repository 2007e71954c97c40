"""The history of training runs: bounded, per owner, and one point for each reward request."""

from __future__ import annotations

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from sandbox.errors import NotFound
from sandbox.queue import redis_keys, runs
from sandbox.queue.runs import UNKNOWN_STEP, RunHistory, build_point, merge_points
from sandbox.runner.contract import Verdict
from sandbox.schema.reward import RewardDetail, RewardResult
from sandbox.schema.runs import RunPoint


def build_result(*pairs: tuple[float | None, Verdict | None]) -> RewardResult:
    details = [RewardDetail(answered=verdict is not None, verdict=verdict) for _, verdict in pairs]
    return RewardResult(rewards=[reward for reward, _ in pairs], details=details)


def make_point(step: int, reward: float | None = 1.0, completions: int = 2, at: float = 100.0) -> RunPoint:
    verdicts = {"lost": completions} if reward is None else {"accepted": completions}
    return RunPoint(step=step, at=at, completions=completions, reward=reward, verdicts=verdicts, took_s=1.0)


def allow_all(owner: str) -> bool:
    return True


def test_a_point_counts_what_the_service_lost_apart_from_what_programs_did_wrong() -> None:
    result = build_result(
        (1.0, Verdict.ACCEPTED), (0.0, Verdict.WRONG_ANSWER), (0.0, None), (None, Verdict.INTERNAL_ERROR), (None, None)
    )
    point = build_point(result, 3, 100.0, 2.0)
    assert point.verdicts == {"accepted": 1, "wrong_answer": 1, "no_code": 1, "lost": 2}
    assert (point.completions, point.rewarded) == (5, 3)
    assert point.reward == pytest.approx(1 / 3)
    assert build_point(build_result((None, None)), 0, 0.0, 0.0).reward is None


def test_merged_points_keep_totals_and_weigh_means_by_the_rewarded_completions() -> None:
    points = [make_point(0, 1.0, 1), make_point(1, 0.0, 3), make_point(2, None, 4), make_point(3, 0.5, 2)]
    first, second = merge_points(points, 2)
    assert (first.step, first.completions, first.reward, first.verdicts) == (1, 4, 0.25, {"accepted": 4})
    assert (second.reward, second.verdicts) == (0.5, {"lost": 4, "accepted": 2})
    assert merge_points(points, 10) == points
    assert merge_points([], 10) == []
    assert merge_points([make_point(0, None), make_point(1, None)], 1)[0].reward is None


def test_steps_are_numbered_if_the_requests_do_not_say_theirs(redis: Redis) -> None:
    history = RunHistory(redis)
    for step in (UNKNOWN_STEP, UNKNOWN_STEP, 70):
        history.record("", "a", make_point(step))
    (summary,) = history.list_latest(allow_all)
    run = history.get(summary.id, 100, allow_all)
    assert [point.step for point in run.points] == [0, 1, 70]
    assert (run.requests, run.started_at, run.ended_at) == (3, 99.0, 100.0)


def test_runs_of_different_owners_with_the_same_name_are_different_and_hidden_from_each_other(redis: Redis) -> None:
    history = RunHistory(redis)
    for owner in ("ann", "bob", "ann"):
        history.record(owner, "a", make_point(UNKNOWN_STEP))
    assert [run.requests for run in history.list_latest(allow_all)] in ([2, 1], [1, 2])
    (mine,) = history.list_latest("bob".__eq__)
    assert mine.requests == 1
    with pytest.raises(NotFound):
        history.get(mine.id, 100, "ann".__eq__)
    with pytest.raises(NotFound):
        history.get("0" * 16, 100, allow_all)


def test_the_history_is_bounded_and_expires(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "MAX_RUNS", 3)
    monkeypatch.setattr(runs, "MAX_POINTS", 4)
    history = RunHistory(redis)
    for number in range(6):
        for step in range(7):
            history.record("", f"run-{number}", make_point(step, at=runs.TTL_S + number))
    listed = history.list_latest(allow_all)
    assert [run.name for run in listed] == ["run-5", "run-4", "run-3"]
    assert [point.step for point in history.get(listed[0].id, 100, allow_all).points] == [3, 4, 5, 6]
    keys = redis.keys("*")
    assert len(keys) == 1 + 2 * 3
    assert all(0 < redis.ttl(key) <= runs.TTL_S for key in keys if key != redis_keys.RUNS.encode())


def test_a_redis_that_is_away_costs_a_point_and_no_reward(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **options: object) -> None:
        raise RedisConnectionError("away")

    history = RunHistory(redis)
    with monkeypatch.context() as patch:
        patch.setattr(redis, "pipeline", fail)
        history.record("", "a", make_point(0))
    assert history.list_latest(allow_all) == []


def test_a_run_whose_first_request_was_stored_in_part_is_complete_after_the_next(redis: Redis) -> None:
    history = RunHistory(redis)
    history.record("ann", "a", make_point(0))
    (run,) = history.list_latest(allow_all)
    redis.hdel(redis_keys.run(run.id), "name", "owner", "started_at")
    redis.persist(redis_keys.run(run.id))
    assert history.list_latest(allow_all) == []
    history.record("ann", "a", make_point(1))
    (run,) = history.list_latest("ann".__eq__)
    assert (run.name, run.requests) == ("a", 2)
    assert redis.ttl(redis_keys.run(run.id)) > 0
