"""Tests named by task ids: the service is asked for the rewards, and again for those it could not give."""

from __future__ import annotations

import pytest

from sandbox.errors import BadRequest, InfrastructureError
from sandbox.rewards.function import AsyncRewardFunction, RewardFunction
from sandbox.runner.contract import Verdict
from sandbox.schema import TestCase, VerifyRequest
from sandbox.schema.reward import RewardRequest, RewardResult, Task
from tests.rewards.fakes import FakeAsyncClient, FakeClient, by_echo, fenced

SET = "0" * 64
TASKS = {f"{SET}/{name}": Task(tests=[TestCase(stdin="", expected=name)]) for name in ("1", "2")}


def _client() -> FakeClient:
    client = FakeClient()
    client.tasks = TASKS
    return client


def test_rewards_by_task_ids_are_in_order() -> None:
    client = _client()
    reward = RewardFunction(client, {"policy": "fraction"})
    completions = [fenced("# 2"), "none", fenced("# 2")]
    assert reward(completions, [f"{SET}/1", f"{SET}/1", f"{SET}/2"]) == [0.0, 0.0, 1.0]
    assert client.batches == []


async def test_the_async_function_does_the_same() -> None:
    client = FakeAsyncClient()
    client.sync.tasks = TASKS
    assert await AsyncRewardFunction(client)([fenced("# 2")], [f"{SET}/2"]) == [1.0]


def test_only_missing_rewards_are_asked_for_again() -> None:
    client = _client()
    failures = iter([True])

    def judge(request: VerifyRequest) -> list[Verdict]:
        return [Verdict.INTERNAL_ERROR] if "# 1" in request.code and next(failures, False) else by_echo(request)

    client.judge = judge
    given = {"lengths": [5, 6], "language": ["python", "python"]}
    assert RewardFunction(client)([fenced("# 2"), fenced("# 1")], [f"{SET}/2", f"{SET}/1"], **given) == [1.0, 1.0]
    assert [request.lengths for request in client.rewarded] == [[5, 6], [6]]


def test_a_service_that_fails_gives_none() -> None:
    class Broken(FakeClient):
        def reward(self, request: RewardRequest) -> RewardResult:
            raise InfrastructureError("down")

    assert RewardFunction(Broken(), {"on_outage": "none"})([fenced("# 1")], [f"{SET}/1"]) == [None]


def test_a_reference_among_other_tests_is_no_reference() -> None:
    with pytest.raises(BadRequest, match="not JSON"):
        RewardFunction(_client())([fenced("# 1")] * 2, [f"{SET}/1", [{"input": "", "output": ""}]])
