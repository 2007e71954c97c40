"""The responses of the four POST routes to valid requests."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from sandbox.schema import ExecuteResult, Job, Lane, VerifyResult
from sandbox.schema.hack import HackRequest
from sandbox.schema.vote import VoteRequest
from tests.api.fake_service import FakeService

EXECUTE: dict[str, Any] = {"language": "python", "code": "print(1)"}
VERIFY: dict[str, Any] = {"language": "python", "code": "print(1)", "tests": [{"stdin": "", "expected": "1\n"}]}
BODIES: dict[str, dict[str, Any]] = {
    "/execute": EXECUTE,
    "/verify": VERIFY,
    "/execute/batch": {"items": [EXECUTE, {**EXECUTE, "code": "print(2)"}]},
    "/verify/batch": {"items": [VERIFY, {**VERIFY, "code": "print(2)"}]},
}
SINGLE = ["/execute", "/verify"]
BATCH = ["/execute/batch", "/verify/batch"]
ACCEPT_NDJSON = {"Accept": "application/x-ndjson"}
PREFER_ASYNC = {"Prefer": "respond-async"}

every_route = pytest.mark.parametrize("path", [*SINGLE, *BATCH])
every_batch_route = pytest.mark.parametrize("path", BATCH)


async def test_execute_answers_the_results_bytes_as_the_service_gave_them(
    http: httpx.AsyncClient, service: FakeService
) -> None:
    response = await http.post("/execute", json=EXECUTE)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.content == service.submissions[0].ticket.results[0].result()
    assert ExecuteResult.model_validate_json(response.content).stdout == "print(1)"


async def test_verify_answers_the_results_bytes_as_the_service_gave_them(
    http: httpx.AsyncClient, service: FakeService
) -> None:
    response = await http.post("/verify", json=VERIFY)
    assert response.status_code == 200
    assert VerifyResult.model_validate_json(response.content).tests[0].message == "print(1)"


@every_route
async def test_the_service_gets_the_parsed_requests(http: httpx.AsyncClient, service: FakeService, path: str) -> None:
    await http.post(path, json=BODIES[path])
    (submitted,) = service.submissions
    assert submitted.kind == path.split("/")[1]
    assert submitted.batch is path.endswith("batch")
    assert submitted.durable is False
    codes = [request.code for request in submitted.requests if not isinstance(request, VoteRequest | HackRequest)]
    assert codes == ["print(1)", "print(2)"][: len(submitted.requests)]


async def test_every_field_of_an_execute_request_reaches_the_service(
    http: httpx.AsyncClient, service: FakeService
) -> None:
    body = {
        **EXECUTE,
        "stdin_base64": "/w==",
        "args": ["-v"],
        "files": {"data/in.bin": "AAE="},
        "fetch_files": ["out.txt"],
        "limits": {"cpu_time_s": 1.5, "memory_mb": 64},
        "priority": "rl",
    }
    await http.post("/execute", json=body)
    request = service.submissions[0].requests[0]
    assert request.stdin_bytes == b"\xff"  # type: ignore[union-attr]
    assert request.files == {"data/in.bin": b"\x00\x01"}  # type: ignore[union-attr]
    assert request.priority is Lane.RL
    assert request.limits.memory_mb == 64


@every_batch_route
@pytest.mark.parametrize("number", [1, 3, 200])
async def test_a_batchs_results_come_in_the_order_of_its_items(http: httpx.AsyncClient, path: str, number: int) -> None:
    items = [{**BODIES[path]["items"][0], "code": f"print({index})"} for index in range(number)]
    response = await http.post(path, json={"items": items})
    texts = [json.dumps(result) for result in response.json()["results"]]
    assert len(texts) == number
    assert all(f"print({index})" in text for index, text in enumerate(texts))


@every_batch_route
async def test_with_ndjson_each_result_is_a_line_with_its_index(http: httpx.AsyncClient, path: str) -> None:
    items = [{**BODIES[path]["items"][0], "code": f"print({index})"} for index in range(50)]
    response = await http.post(path, json={"items": items}, headers=ACCEPT_NDJSON)
    assert response.headers["content-type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert sorted(line["index"] for line in lines) == list(range(50))
    assert all(f"print({line['index']})" in json.dumps(line["result"]) for line in lines)


@every_route
async def test_with_prefer_respond_async_the_answer_is_a_job(
    http: httpx.AsyncClient, service: FakeService, path: str
) -> None:
    response = await http.post(path, json=BODIES[path], headers=PREFER_ASYNC)
    assert response.status_code == 202
    assert response.headers["location"] == "/jobs/job0"
    assert response.headers["preference-applied"] == "respond-async"
    job = Job.model_validate_json(response.content)
    assert (job.id, job.status) == ("job0", "queued")
    assert service.submissions[0].durable is True


@pytest.mark.parametrize("header", ["respond-async", "Respond-Async", "wait=10, respond-async", "respond-async; x=1"])
async def test_prefer_is_read_as_rfc_7240_writes_it(http: httpx.AsyncClient, service: FakeService, header: str) -> None:
    assert (await http.post("/execute", json=EXECUTE, headers={"Prefer": header})).status_code == 202


async def test_other_preferences_are_ignored(http: httpx.AsyncClient) -> None:
    response = await http.post("/execute", json=EXECUTE, headers={"Prefer": "return=minimal, not-respond-async"})
    assert response.status_code == 200


@pytest.mark.parametrize("extra", [{}, PREFER_ASYNC])
async def test_an_idempotency_key_reaches_the_service(
    http: httpx.AsyncClient, service: FakeService, extra: dict[str, str]
) -> None:
    key = "!" + "k" * 253 + "~"
    response = await http.post("/execute", json=EXECUTE, headers={"Idempotency-Key": key, **extra})
    assert response.status_code in {200, 202}
    assert service.submissions[0].idempotency_key == key


@every_route
@pytest.mark.parametrize("key", ["", "k" * 256, "with space", "tab\there", "caf\u00e9"])
async def test_a_bad_idempotency_key_is_named(http: httpx.AsyncClient, path: str, key: str) -> None:
    headers = {b"Idempotency-Key": key.encode("latin-1")}
    response = await http.post(path, json=BODIES[path], headers=headers)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "header.Idempotency-Key"


async def test_a_json_content_type_may_have_parameters(http: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert (await http.post("/execute", content=json.dumps(EXECUTE), headers=headers)).status_code == 200


async def test_a_request_id_comes_back(http: httpx.AsyncClient) -> None:
    response = await http.post("/execute", json=EXECUTE, headers={"X-Request-ID": "rollout-1"})
    assert response.headers["x-request-id"] == "rollout-1"


@pytest.mark.parametrize("sent", [None, "", "x" * 129, "with space"])
async def test_a_missing_or_bad_request_id_is_replaced(http: httpx.AsyncClient, sent: str | None) -> None:
    response = await http.post("/execute", json=EXECUTE, headers={} if sent is None else {"X-Request-ID": sent})
    assert response.headers["x-request-id"] != sent
    assert len(response.headers["x-request-id"]) == 32


async def test_a_vote_is_one_submission(http: httpx.AsyncClient, service: FakeService) -> None:
    vote = {"candidates": [{"language": "python", "code": "print(1)"}], "inputs": ["1", {"stdin": "2", "weight": 2}]}
    response = await http.post("/verify/vote", json=vote)
    assert response.status_code == 200
    assert response.content == service.submissions[0].ticket.results[0].result()
    assert service.submissions[0].kind == "vote"
    job = await http.post("/verify/vote", json=vote, headers=PREFER_ASYNC)
    assert (job.status_code, service.submissions[1].durable) == (202, True)
    bad = await http.post("/verify/vote", json={**vote, "inputs": []})
    assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "body.inputs")
