"""Hacks over HTTP: a failure of the service is an error or null, never the result of a hack."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from sandbox.queue.job_batch import Item
from sandbox.queue.submission import SubmissionRequest
from sandbox.schema.hack import HackRequest, HackResult
from sandbox.verify.hacks import build_service_failure
from sandbox.worker.execute import build_failure_result, build_unread_failure_result
from tests.api.fake_service import FakeService
from tests.api.test_submissions import PREFER_ASYNC

PROGRAM = {"language": "python", "code": "print(1)"}
HACK: dict[str, Any] = {"target": PROGRAM, "input": "1\n", "references": [PROGRAM]}
FAILURE = HackResult.from_decision(build_service_failure("target: no box starts"), id="x")


def fail(request: SubmissionRequest) -> dict[str, Any]:
    return FAILURE.model_dump(mode="json", exclude={"id"})


async def test_a_hack_is_one_submission(http: httpx.AsyncClient, service: FakeService) -> None:
    response = await http.post("/verify/hack", json=HACK)
    assert (response.status_code, response.json()["breaks"]) == (200, True)
    assert response.content == service.submissions[0].ticket.results[0].result()
    assert service.submissions[0].kind == "hack"
    job = await http.post("/verify/hack", json=HACK, headers=PREFER_ASYNC)
    assert (job.status_code, service.submissions[1].durable) == (202, True)


async def test_a_failure_of_the_service_is_an_error(http: httpx.AsyncClient, service: FakeService) -> None:
    service.results = fail
    response = await http.post("/verify/hack", json=HACK)
    assert response.status_code == 502
    assert "breaks" not in response.json()


async def test_a_failure_of_the_service_is_null_in_a_batch(http: httpx.AsyncClient, service: FakeService) -> None:
    service.results = fail
    response = await http.post("/verify/hack/batch", json={"items": [HACK, HACK]})
    assert response.status_code == 200
    assert [(one["valid"], one["breaks"]) for one in response.json()["results"]] == [(None, None)] * 2


def test_an_item_that_could_not_run_decides_nothing() -> None:
    item = Item(submission="s", submitted_at=0.0, hack=HackRequest.model_validate(HACK))
    for finished in (
        build_failure_result(item, "no box starts"),
        build_unread_failure_result(item, {"hack": HACK}, "no box starts"),
    ):
        result = HackResult.model_validate_json(finished.json)
        assert (result.id, result.valid, result.breaks, result.reason) == ("s", None, None, "service_failed")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input": None}, "give either input or generator"),
        ({"generator": PROGRAM}, "give either input or generator"),
        ({"limits": {"output_kb": 5000}}, "limits.output_kb must be at most 4096"),
        ({"trusted_limits": {"output_kb": 5000}}, "trusted_limits.output_kb must be at most 4096"),
        ({"input": {"files": {"main.py": ""}}}, "input.files: 'main.py' would replace"),
    ],
)
async def test_an_invalid_hack_is_refused_by_its_field(
    http: httpx.AsyncClient, change: dict[str, Any], message: str
) -> None:
    response = await http.post("/verify/hack", json={**HACK, **change})
    assert response.status_code == 422
    assert message in response.json()["errors"][0]["message"]
