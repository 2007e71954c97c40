"""Test task sets, which are registered once under the hash of their JSON."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
from redis import Redis

from sandbox.errors import BadRequest, NotFound
from sandbox.queue import redis_keys
from sandbox.queue.task_sets import TaskSets
from sandbox.schema import TestCase

TTL_S = 100
BODY = json.dumps(
    {
        "tasks": {
            "sum": {"tests": [{"stdin": "1 2\n", "expected": "3\n"}], "language": "cpp", "weights": [2.0]},
            "näh/er": {"tests": [{"stdin": "", "expected": "1\n"}, {"stdin_base64": "/w==", "expected": "2\n"}]},
        }
    }
).encode()
SET = sha256(BODY).hexdigest()


@pytest.fixture
def sets(redis: Redis) -> TaskSets:
    return TaskSets(redis, TTL_S)


def expect_test_case(test: object) -> TestCase:
    assert isinstance(test, TestCase)
    return test


def test_a_set_is_put_under_its_hash_and_read_by_reference(sets: TaskSets) -> None:
    assert sets.put(SET, BODY).model_dump() == {"id": SET, "tasks": 2}
    tasks = sets.get([f"{SET}/sum", f"{SET}/näh/er"])
    assert tasks[f"{SET}/sum"].language == "cpp"
    assert tasks[f"{SET}/sum"].weights == [2.0]
    assert [expect_test_case(test).stdin_bytes for test in tasks[f"{SET}/näh/er"].tests] == [b"", b"\xff"]


def test_one_process_reads_a_set_that_another_registered(sets: TaskSets, redis: Redis) -> None:
    sets.put(SET, BODY)
    assert expect_test_case(TaskSets(redis, TTL_S).get([f"{SET}/sum"])[f"{SET}/sum"].tests[0]).expected == "3\n"


def test_putting_a_set_twice_is_harmless_and_tasks_are_cached(sets: TaskSets, redis: Redis) -> None:
    sets.put(SET, BODY)
    assert sets.put(SET, BODY) == sets.get_info(SET)
    first = sets.get([f"{SET}/sum"])[f"{SET}/sum"]
    redis.hset(redis_keys.task_set(SET), "sum", b"not read any more")
    assert sets.get([f"{SET}/sum"])[f"{SET}/sum"] is first


def test_using_a_set_renews_its_expiry(sets: TaskSets, redis: Redis) -> None:
    sets.put(SET, BODY)
    for _ in range(2):  # the second time from the cache
        redis.expire(redis_keys.task_set(SET), 1)
        sets.get([f"{SET}/sum"])
        assert redis.ttl(redis_keys.task_set(SET)) > 1


def test_a_small_cache_evicts_tasks_and_reads_them_again(redis: Redis) -> None:
    sets = TaskSets(redis, TTL_S, cache_mb=0)
    sets.put(SET, BODY)
    first = sets.get([f"{SET}/sum"])[f"{SET}/sum"]
    again = sets.get([f"{SET}/sum"])[f"{SET}/sum"]
    assert again == first
    assert again is not first


@pytest.mark.parametrize("reference", [f"{SET}/unknown", "0" * 64 + "/sum"])
def test_an_unregistered_task_is_not_found(sets: TaskSets, reference: str) -> None:
    sets.put(SET, BODY)
    with pytest.raises(NotFound, match="PUT /tasks/"):
        sets.get([f"{SET}/sum", reference])
    with pytest.raises(NotFound):
        sets.get_info("0" * 64)


def test_a_set_under_an_id_other_than_its_hash_is_refused(sets: TaskSets) -> None:
    with pytest.raises(BadRequest, match=SET):
        sets.put("0" * 64, BODY)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{}", "body.tasks"),
        (b"[]", "body"),
        (b'{"tasks": {"a": {"tests": []}}}', "body.tasks.a.tests"),
        (b'{"tasks": {"a": {"tests": [{"expected": ""}], "weights": []}}}', "body.tasks.a"),
    ],
)
def test_an_invalid_set_is_refused_with_the_field(sets: TaskSets, body: bytes, field: str) -> None:
    with pytest.raises(BadRequest) as caught:
        sets.put(sha256(body).hexdigest(), body)
    assert caught.value.field == field


def test_a_set_with_many_tasks_is_written_completely(sets: TaskSets) -> None:
    tasks = {str(number): {"tests": [{"stdin": "", "expected": str(number)}]} for number in range(2_500)}
    body = json.dumps({"tasks": tasks}).encode()
    name = sha256(body).hexdigest()
    assert sets.put(name, body).tasks == 2_500
    found = sets.get([f"{name}/{number}" for number in range(2_500)])
    assert expect_test_case(found[f"{name}/2499"].tests[0]).expected == "2499"
