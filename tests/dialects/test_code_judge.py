"""code-judge's paths: results in order, each program compiled once, and reasons that are never a wrong answer."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from sandbox.errors import BoxError, QueueFull
from sandbox.schema import VerifyRequest
from tests.api.fake_service import FakeService
from tests.dialects.conftest import ScriptedResults

ROOT = "/dialects/code_judge"
JUDGE: dict[str, Any] = {"type": "python", "solution": "a", "input": "1", "expected_output": "2"}


def _build_batch(*submissions: dict[str, Any]) -> dict[str, Any]:
    return {"sub_id": "b", "type": "batch", "submissions": list(submissions)}


async def test_a_submission_is_judged(http: httpx.AsyncClient) -> None:
    answer = (await http.post(f"{ROOT}/judge", json={**JUDGE, "sub_id": "s", "options": None})).json()
    assert answer == {"sub_id": "s", "success": True, "run_success": True, "cost": 0.02, "reason": ""}


@pytest.mark.parametrize("path", ["/judge/batch", "/judge/long-batch"])
async def test_a_batch_is_in_order_and_each_program_is_one_submission(
    http: httpx.AsyncClient, service: FakeService, script: ScriptedResults, path: str
) -> None:
    """X-Coder posts 16 responses with 10 tests each. Compiling once per test would compile ten times too often."""
    script.verdicts = {"a": ["accepted", "wrong_answer"], "b": ["runtime_error", "accepted"]}
    submissions = [{**JUDGE, "solution": code, "input": given} for given in "12" for code in "ab"]
    answer = (await http.post(ROOT + path, json=_build_batch(*submissions))).json()
    assert answer["sub_id"] == "b"
    assert [result["success"] for result in answer["results"]] == [True, False, False, True]
    assert [result["run_success"] for result in answer["results"]] == [True, False, True, True]
    (submitted,) = service.submissions
    programs = [request for request in submitted.requests if isinstance(request, VerifyRequest)]
    assert [(program.code, len(program.tests)) for program in programs] == [("a", 2), ("b", 2)]


async def test_what_cannot_be_run_spoils_nothing_else(http: httpx.AsyncClient) -> None:
    submissions = [JUDGE, {**JUDGE, "type": "math"}, {**JUDGE, "expected_output": None, "input": None}, JUDGE]
    results = (await http.post(f"{ROOT}/judge/long-batch", json=_build_batch(*submissions))).json()["results"]
    assert [(result["success"], result["reason"]) for result in results] == [
        (True, ""),
        (False, "invalid_input"),
        (True, ""),
        (True, ""),
    ]
    assert set(results[2]) == {"sub_id", "success", "run_success", "cost", "reason"}


@pytest.mark.parametrize("path", ["/run", "/judge"])
async def test_our_failures_have_the_peers_reasons(http: httpx.AsyncClient, service: FakeService, path: str) -> None:
    service.refusal = QueueFull("full")
    refused = (await http.post(ROOT + path, json=JUDGE)).json()
    assert (refused["success"], refused["run_success"], refused["reason"]) == (False, False, "queue_timeout")
    service.refusal, service.failure = None, BoxError("gone")
    assert (await http.post(ROOT + path, json=JUDGE)).json()["reason"] == "internal_error"


async def test_a_program_over_its_time_is_a_worker_timeout(http: httpx.AsyncClient, script: ScriptedResults) -> None:
    script.verdicts["a"] = ["time_limit_exceeded"]
    answer = (await http.post(f"{ROOT}/judge", json=JUDGE)).json()
    assert (answer["run_success"], answer["reason"]) == (False, "worker_timeout")


@pytest.mark.parametrize("path", ["/run/batch", "/run/long-batch"])
async def test_runs_bring_their_output(http: httpx.AsyncClient, script: ScriptedResults, path: str) -> None:
    script.runs = {
        "a": {"stdout": " 2\n", "stderr": "w"},
        "b": {"status": "runtime_error", "exit_code": 1, "stderr": "no"},
    }
    submissions = [JUDGE, {**JUDGE, "expected_output": "3"}, {**JUDGE, "solution": "b"}]
    results = (await http.post(ROOT + path, json=_build_batch(*submissions))).json()["results"]
    assert [(each["success"], each["run_success"], each["stdout"], each["stderr"]) for each in results] == [
        (True, True, " 2\n", "w"),
        (False, True, " 2\n", "w"),
        (False, False, "", "no"),
    ]


async def test_ping_status_and_a_bad_batch(http: httpx.AsyncClient) -> None:
    assert (await http.get(f"{ROOT}/ping")).json() == "pong"
    assert (await http.get(f"{ROOT}/status")).json() == {"queue": 3, "num_workers": 2}
    assert (await http.post(f"{ROOT}/judge/batch", json=_build_batch())).status_code == 422
