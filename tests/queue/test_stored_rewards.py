"""Test that the rewards of a stored submission are computed once, and that every reader gets the stored ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from redis import Redis

from sandbox.errors import InfrastructureError
from sandbox.queue import redis_keys
from sandbox.queue.stored_rewards import RewardWriter, StoredRewards
from sandbox.queue.submission import Submission
from sandbox.rewards.plan import build_plan
from sandbox.rewards.scoring import score_stored_request
from sandbox.schema.reward import RewardRequest, RewardResult, TaskSet
from sandbox.service import Service, Ticket
from tests.queue.submit_and_wait import await_job, wait_until
from tests.worker_processes import WorkerProcesses

TESTS = [{"stdin": "", "expected": "1\n"}, {"stdin": "", "expected": "2\n"}]
COMPLETIONS = ["none", "```python\nprint(1)\n```", "```python\nprint(3)\n```"]
REWARDS = [0.0, 0.5, 0.0]


def submit_rewards(service: Service, **fields: Any) -> Ticket:
    body = {"completions": COMPLETIONS, "tests": [TESTS], "policy": "fraction", **fields}
    request = RewardRequest.model_validate({name: value for name, value in body.items() if value is not None})
    programs = build_plan(request, service.get_tasks).programs
    return service.submit(Submission("verify", programs, batch=True, durable=True, reward=request))


def test_the_worker_stores_the_rewards_with_the_last_result(
    service: Service, worker_processes: WorkerProcesses, redis: Redis
) -> None:
    body = TaskSet.model_validate({"tasks": {"a": {"tests": TESTS}}}).model_dump_json(exclude_unset=True).encode()
    set_id = service.put_tasks(TaskSet.compute_id(body), body).id
    ticket = submit_rewards(service, tests=None, tasks=[f"{set_id}/a"])
    worker_processes.start()
    wait_until(lambda: redis.exists(redis_keys.rewards(ticket.id)), "the worker has stored the rewards")
    # What they were computed from is no longer needed.
    redis.delete(redis_keys.reward(ticket.id), redis_keys.task_set(set_id))
    job = service.get_job(ticket.id)
    assert job.result is not None
    assert job.result["rewards"] == REWARDS
    assert 0 < redis.ttl(redis_keys.rewards(ticket.id)) <= redis.ttl(redis_keys.job(ticket.id)) + 1


def test_a_reader_computes_rewards_that_no_worker_stored_and_later_readers_get_the_same(
    service: Service, worker_processes: WorkerProcesses, redis: Redis
) -> None:
    ticket = submit_rewards(service)
    worker_processes.start()
    wait_until(lambda: redis.exists(redis_keys.rewards(ticket.id)), "the worker has stored the rewards")
    redis.delete(redis_keys.rewards(ticket.id))
    job = await_job(service, ticket.id)
    assert job.result is not None
    assert job.result["rewards"] == REWARDS
    assert json.loads(redis.get(redis_keys.rewards(ticket.id))) == job.result
    redis.delete(redis_keys.reward(ticket.id))
    assert service.get_job(ticket.id) == job


def test_the_first_stored_rewards_stay(service: Service, worker_processes: WorkerProcesses, redis: Redis) -> None:
    ticket = submit_rewards(service)
    worker_processes.start()
    await_job(service, ticket.id)
    key, first = redis_keys.rewards(ticket.id), b'{"rewards":[7.0,7.0,7.0],"details":[]}'
    redis.delete(key)

    def score_while_another_stores(request: bytes, results: Sequence[bytes]) -> RewardResult:
        redis.set(key, first)
        return score_stored_request(request, results, look_up_tasks=service.get_tasks)

    assert StoredRewards(redis, 60, score_while_another_stores).get(ticket.id) == first
    assert redis.get(key) == first


def test_an_odd_result_does_not_end_the_thread_that_writes_rewards(
    service: Service, worker_processes: WorkerProcesses, redis: Redis
) -> None:
    odd, good = submit_rewards(service), submit_rewards(service)
    worker_processes.start()
    for ticket in (odd, good):
        await_job(service, ticket.id)
        redis.delete(redis_keys.rewards(ticket.id))

    def score(request: bytes, results: Sequence[bytes]) -> RewardResult:
        if not redis.exists("odd-was-seen"):
            redis.set("odd-was-seen", 1)
            raise KeyError("verdict")
        return score_stored_request(request, results, look_up_tasks=service.get_tasks)

    writer = RewardWriter(StoredRewards(redis, 60, score))
    writer.write_soon([odd.id, good.id])
    wait_until(lambda: redis.exists(redis_keys.rewards(good.id)), "the rewards behind the odd ones are stored")
    assert not redis.exists(redis_keys.rewards(odd.id))


def test_a_request_without_programs_has_its_rewards_at_once(service: Service, redis: Redis) -> None:
    ticket = submit_rewards(service, completions=["none", "nothing"])
    job = service.get_job(ticket.id)
    assert job.result is not None
    assert job.result["rewards"] == [0.0, 0.0]
    assert redis.exists(redis_keys.rewards(ticket.id))


@pytest.mark.parametrize("change", [{"completions": ["none"]}, {"unknown": 1}], ids=["other programs", "other fields"])
def test_a_request_of_another_version_is_a_failure_of_the_service(change: dict[str, Any]) -> None:
    stored = json.dumps({"completions": COMPLETIONS, "tests": [TESTS], **change}).encode()
    with pytest.raises(InfrastructureError, match="another version"):
        score_stored_request(stored, [b"{}", b"{}"], look_up_tasks=lambda references: {})
