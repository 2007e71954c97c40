"""Tests named by task references: the service computes the rewards, and missing ones are requested again."""

from __future__ import annotations

import pytest

from sandbox.errors import BadRequest, InfrastructureError
from sandbox.runner.contract import Verdict
from sandbox.schema import TestCase, VerifyRequest
from sandbox.schema.reward import RewardRequest, RewardResult, Task
from sandbox.trainers.function import AsyncRewardFunction, RewardFunction
from tests.trainers.fake_clients import FakeAsyncClient, FakeClient, fence_code, judge_by_echo

TASK_SET_ID = "0" * 64
TASKS = {f"{TASK_SET_ID}/{name}": Task(tests=[TestCase(stdin="", expected=name)]) for name in ("1", "2")}


def _build_client() -> FakeClient:
    client = FakeClient()
    client.tasks = TASKS
    return client


def test_rewards_by_task_ids_are_in_order() -> None:
    client = _build_client()
    reward = RewardFunction(client, {"policy": "fraction"})
    completions = [fence_code("# 2"), "none", fence_code("# 2")]
    assert reward(completions, [f"{TASK_SET_ID}/1", f"{TASK_SET_ID}/1", f"{TASK_SET_ID}/2"]) == [0.0, 0.0, 1.0]
    assert [(request.tests, len(request.tasks or ())) for request in client.reward_requests] == [(None, 3)]


async def test_the_async_function_does_the_same() -> None:
    client = FakeAsyncClient()
    client.sync.tasks = TASKS
    assert await AsyncRewardFunction(client)([fence_code("# 2")], [f"{TASK_SET_ID}/2"]) == [1.0]


def test_only_missing_rewards_are_asked_for_again() -> None:
    client = _build_client()
    failures = iter([True])

    def judge(request: VerifyRequest) -> list[Verdict]:
        return [Verdict.INTERNAL_ERROR] if "# 1" in request.code and next(failures, False) else judge_by_echo(request)

    client.judge = judge
    given = {"lengths": [5, 6], "language": ["python", "python"]}
    assert RewardFunction(client)(
        [fence_code("# 2"), fence_code("# 1")], [f"{TASK_SET_ID}/2", f"{TASK_SET_ID}/1"], **given
    ) == [1.0, 1.0]
    assert [request.lengths for request in client.reward_requests] == [[5, 6], [6]]


def test_a_service_that_fails_gives_none() -> None:
    class Broken(FakeClient):
        def reward(self, request: RewardRequest) -> RewardResult:
            raise InfrastructureError("down")

    assert RewardFunction(Broken(), {"on_outage": "none"})([fence_code("# 1")], [f"{TASK_SET_ID}/1"]) == [None]


def test_a_reference_among_other_tests_is_no_reference() -> None:
    with pytest.raises(BadRequest, match="not JSON"):
        RewardFunction(_build_client())([fence_code("# 1")] * 2, [f"{TASK_SET_ID}/1", [{"input": "", "output": ""}]])
