"""`/reward` and `/tasks`: rewards in the order of the completions, null on service failures, sets named by hash."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import httpx
import pytest

from sandbox.errors import BoxError, QueueFull, QueueUnavailable
from sandbox.schema import Lane, VerifyRequest
from sandbox.service import SubmissionRequest
from tests.api.fake_service import FakeService
from tests.api.test_bad_input import parse_problem

TESTS = [{"stdin": "1\n", "expected": "2\n"}, {"stdin": "2\n", "expected": "4\n"}]
SET = json.dumps({"tasks": {"double": {"tests": TESTS}}}).encode()
SET_ID = sha256(SET).hexdigest()


def wrap_in_fence(code: str) -> str:
    return f"```python\n{code}\n```"


def judge(request: SubmissionRequest) -> dict[str, Any]:
    """`# 1` passes one test, `# 2` passes both; for `# ?` the service fails."""
    assert isinstance(request, VerifyRequest)
    marker = request.code.rsplit("# ", 1)[-1].strip()
    passed = 0 if marker == "?" else int(marker)
    bad = "internal_error" if marker == "?" else "wrong_answer"
    verdicts = ["accepted"] * passed + [bad] * (len(request.tests) - passed)
    return {
        "verdict": verdicts[-1],
        "passed": passed,
        "total": len(verdicts),
        "score": passed / len(verdicts),
        "tests": [{"verdict": verdict} for verdict in verdicts],
    }


@pytest.fixture
def service() -> FakeService:
    return FakeService(results=judge)


async def _request_rewards(http: httpx.AsyncClient, completions: list[Any], **fields: Any) -> list[float | None]:
    body = {"completions": completions, "policy": "fraction", "tests": [TESTS], **fields}
    response = await http.post("/reward", json=body)
    assert response.status_code == 200, response.text
    rewards: list[float | None] = response.json()["rewards"]
    return rewards


async def test_rewards_are_in_the_order_of_the_completions_also_when_some_have_no_code(
    http: httpx.AsyncClient, service: FakeService
) -> None:
    completions = ["none", wrap_in_fence("# 1"), "none", wrap_in_fence("# 2"), wrap_in_fence("# 0"), "none"]
    assert await _request_rewards(http, completions) == [0.0, 0.5, 0.0, 1.0, 0.0, 0.0]
    (submitted,) = service.submissions
    assert (submitted.kind, submitted.batch, submitted.requests[0].priority) == ("verify", True, Lane.RL)


async def test_syntax_errors_between_programs_do_not_move_rewards(http: httpx.AsyncClient) -> None:
    """A released reward manager assigns the rewards of this kind of group to the wrong completions."""
    completions = [wrap_in_fence("# 2"), "```python\n", wrap_in_fence("# 1"), "prose", wrap_in_fence("# 2")]
    assert await _request_rewards(http, completions, policy="x-coder") == [5.0, -2.0, 2.5, -2.0, 5.0]


async def test_our_failure_is_null_and_the_others_keep_theirs(http: httpx.AsyncClient) -> None:
    assert await _request_rewards(http, [wrap_in_fence("# ?"), wrap_in_fence("# 2")]) == [None, 1.0]


async def test_a_lost_result_is_null_too(http: httpx.AsyncClient, service: FakeService) -> None:
    service.failure = BoxError("gone")
    response = await http.post("/reward", json={"completions": [wrap_in_fence("# 2"), "none"], "tests": [TESTS]})
    assert response.json()["rewards"] == [None, 0.0]
    assert response.json()["details"][0]["verdict"] == "internal_error"


async def test_completions_of_one_prompt_share_a_list_of_tests(http: httpx.AsyncClient) -> None:
    completions = [wrap_in_fence(f"# {number}") for number in (1, 2, 1, 2)]
    lists = [TESTS, TESTS[:1]]
    separate = await _request_rewards(http, completions, tests=[lists[0], lists[0], lists[1], lists[1]])
    assert await _request_rewards(http, completions, tests=lists, tests_index=[0, 0, 1, 1]) == separate
    body = {"completions": completions, "tests": lists, "tests_index": [0, 0, 1, 2]}
    problem = parse_problem(await http.post("/reward", json=body))
    assert "tests_index has 2, but tests has 2 entries" in problem.errors[0].message


async def test_the_isolation_of_a_reward_request_reaches_its_programs(
    http: httpx.AsyncClient, service: FakeService
) -> None:
    await _request_rewards(http, [wrap_in_fence("# 1")], isolation="shared")
    (submitted,) = service.submissions
    assert [getattr(program, "isolation", "") for program in submitted.requests] == ["shared"]


async def test_a_client_may_wait_for_its_rewards_for_a_shorter_time(
    http: httpx.AsyncClient, service: FakeService
) -> None:
    service.held = True
    body = {"completions": [wrap_in_fence("# 1")], "tests": [TESTS]}
    response = await http.post("/reward", json=body, headers={"Prefer": "wait=1"})
    assert response.status_code == 504
    assert "within 1 s" in parse_problem(response).detail


async def test_nothing_to_run_is_answered_without_a_submission(http: httpx.AsyncClient, service: FakeService) -> None:
    assert await _request_rewards(http, ["none"]) == [0.0]
    assert await _request_rewards(http, []) == []
    assert service.submissions == []


async def test_a_large_batch_is_scored_whole(http: httpx.AsyncClient) -> None:
    completions = [wrap_in_fence(f"# {index % 3}") for index in range(300)]
    assert await _request_rewards(http, completions) == [index % 3 / 2 for index in range(300)]


async def test_a_full_queue_refuses(http: httpx.AsyncClient, service: FakeService) -> None:
    service.refusal = QueueFull("full", 3)
    response = await http.post("/reward", json={"completions": [wrap_in_fence("# 1")], "tests": [TESTS]})
    assert (response.status_code, response.headers["retry-after"]) == (503, "3")
    parse_problem(response)


async def test_an_idempotency_key_reaches_the_service(http: httpx.AsyncClient, service: FakeService) -> None:
    body = {"completions": [wrap_in_fence("# 1")], "tests": [TESTS]}
    await http.post("/reward", json=body, headers={"Idempotency-Key": "step-1"})
    assert service.submissions[0].idempotency_key == "step-1"


async def test_a_set_is_put_once_and_its_tasks_are_named(http: httpx.AsyncClient) -> None:
    put = await http.put(f"/tasks/{SET_ID}", content=SET)  # no content type: curl --data-binary sends another one
    assert put.json() == {"id": SET_ID, "tasks": 1}
    assert (await http.get(f"/tasks/{SET_ID}")).json() == put.json()
    assert (await http.get(f"/tasks/{SET_ID}/double")).json() == json.loads(SET)["tasks"]["double"]
    assert await _request_rewards(http, [wrap_in_fence("# 1")], tests=None, tasks=[f"{SET_ID}/double"]) == [0.5]


async def test_what_is_wrong_with_a_set_is_named(http: httpx.AsyncClient) -> None:
    unknown = "0" * 64
    for response, status, field in (
        (await http.put(f"/tasks/{unknown}", content=SET), 422, "path.set_id"),
        (await http.put("/tasks/short", content=SET), 422, "path.set_id"),
        (await http.get(f"/tasks/{unknown}"), 404, "path.set_id"),
        (
            await http.post("/reward", json={"completions": [wrap_in_fence("# 1")], "tasks": [f"{unknown}/a"]}),
            404,
            "body.tasks",
        ),
    ):
        assert response.status_code == status
        assert parse_problem(response).errors[0].field == field
    large = await http.put(f"/tasks/{unknown}", content=b" " * (2 << 20))
    assert large.status_code == 413


async def test_a_set_cannot_be_put_where_redis_does_not_answer(http: httpx.AsyncClient, service: FakeService) -> None:
    service.refusal = QueueUnavailable("no Redis")
    assert (await http.put(f"/tasks/{SET_ID}", content=SET)).status_code == 503


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body.completions"),
        ({"completions": ["a"]}, "body"),
        ({"completions": ["a"], "tests": [TESTS], "tasks": [f"{SET_ID}/a"]}, "body"),
        ({"completions": ["a"], "tests": [[{"stdin": 5}]]}, "body.tests.0.0.stdin"),
        ({"completions": ["a"], "tests": [TESTS], "policy": "generous"}, "body.policy.name"),
    ],
)
async def test_a_reward_request_that_cannot_be_is_named(
    http: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    response = await http.post("/reward", json=body)
    assert response.status_code == 422
    assert parse_problem(response).errors[0].field == field
