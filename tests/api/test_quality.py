"""The quality of tests over HTTP: one batch for all programs, more for inputs, and errors that name their field."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from sandbox.errors import BoxError
from sandbox.queue.submission import SubmissionRequest
from sandbox.schema import ExecuteRequest, VerifyRequest
from sandbox.schema.quality_progress import QualityLine
from tests.api.fake_service import FakeService

TESTS = [{"stdin": "1\n", "expected": "1\n"}, {"stdin": "2\n", "expected": "2\n"}]
REQUEST: dict[str, Any] = {"tests": TESTS, "right": ["right"], "wrong": ["wrong", "fails"]}


def judge(request: SubmissionRequest) -> dict[str, Any]:
    """Give the program `wrong` a wrong answer on the second test, and let the service fail on `fails`."""
    if isinstance(request, ExecuteRequest):
        return {"status": "ok", "exit_code": 0, "stdout": request.stdin}
    assert isinstance(request, VerifyRequest)
    verdicts = ["accepted"] * len(request.tests)
    if request.code == "wrong":
        verdicts[-1] = "wrong_answer"
    if request.code == "fails":
        verdicts[-1] = "internal_error"
    tests = [{"verdict": verdict, "usage": {"cpu_time_s": 0.5}} for verdict in verdicts]
    return {"verdict": verdicts[-1], "passed": 1, "total": 2, "score": 0.5, "tests": tests}


async def send(http: httpx.AsyncClient, **change: Any) -> dict[str, Any]:
    response = await http.post("/verify/quality", json={**REQUEST, **change})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def test_all_programs_are_one_batch(http: httpx.AsyncClient, service: FakeService) -> None:
    service.results = judge
    report = await send(http)
    [submitted] = service.submissions
    assert (submitted.kind, submitted.batch, len(submitted.requests)) == ("verify", True, 3)
    assert not any(item.stop_on_failure for item in submitted.requests if isinstance(item, VerifyRequest))
    assert (report["tpr"], report["tnr"]) == (1.0, 1.0)
    assert report["unjudged"] == [2]
    assert report["matrix"][1] == ["accepted", "wrong_answer"]
    assert report["smallest_suite"] == {"tests": [1], "cpu_time_s": 0.5, "all_cpu_time_s": 1.0, "exact": True}


async def test_a_lost_result_is_unjudged_and_no_kill(http: httpx.AsyncClient, service: FakeService) -> None:
    service.failure = BoxError("no box starts")
    report = await send(http)
    assert report["unjudged"] == [0, 1, 2]
    assert (report["tpr"], report["tnr"]) == (None, None)
    assert report["programs"][1]["message"] == "no box starts"


async def test_surviving_mutants_are_compared_on_the_inputs(http: httpx.AsyncClient, service: FakeService) -> None:
    service.results = judge
    report = await send(http, right=["print(input()) if 1 < 2 else 0"], wrong=[], inputs=["7\n", {"stdin": "8\n"}])
    assert [submitted.kind for submitted in service.submissions] == ["verify", "execute", "verify"]
    item = service.submissions[2].requests[0]
    assert isinstance(item, VerifyRequest)
    assert [test.expected_bytes for test in item.tests] == [b"7\n", b"8\n"]  # type: ignore[union-attr]
    assert len(report["equivalent_candidates"]) == len(report["programs"]) - 1 > 3
    assert report["tnr"] is None
    assert report["mutation_score"] == 0.0


async def test_mutants_that_do_not_compile_count_in_no_rate(http: httpx.AsyncClient, service: FakeService) -> None:
    def compile_or_fail(request: SubmissionRequest) -> dict[str, Any]:
        assert isinstance(request, VerifyRequest)
        if ">" in request.code:
            return {"verdict": "compile_error", "passed": 0, "total": 2, "score": 0.0, "tests": []}
        verdict = "accepted" if request.code == right else "wrong_answer"
        return {"verdict": verdict, "passed": 0, "total": 2, "score": 0.0, "tests": [{"verdict": verdict}] * 2}

    right = "int main() { return 1 < 2; }"
    service.results = compile_or_fail
    report = await send(http, language="cpp", right=[right], wrong=[])
    assert [report["programs"][row]["mutation"]["operator"] for row in report["not_compiled"]] == ["comparison"]
    assert len(report["programs"]) > 3
    assert (report["tnr"], report["mutation_score"]) == (1.0, 1.0)


async def test_a_lost_input_leaves_surviving_mutants_unjudged(http: httpx.AsyncClient, service: FakeService) -> None:
    def lose_an_output(request: SubmissionRequest) -> dict[str, Any]:
        if isinstance(request, ExecuteRequest) and request.stdin == "8\n":
            return {"status": "internal_error", "message": "no box starts"}
        return judge(request)

    service.results = lose_an_output
    report = await send(http, right=["print(input()) if 1 < 2 else 0"], wrong=[], inputs=["7\n", {"stdin": "8\n"}])
    assert report["equivalent_candidates"] == []
    assert report["unjudged"] == list(range(1, len(report["programs"])))
    assert (report["unused_inputs"], report["lost_inputs"]) == ([], [1])


async def test_each_batch_has_a_key_of_its_own(http: httpx.AsyncClient, service: FakeService) -> None:
    service.results = judge
    body = {**REQUEST, "right": ["print(1 < 2)"], "wrong": [], "inputs": ["7\n"]}
    await http.post("/verify/quality", json=body, headers={"Idempotency-Key": "k" * 255})
    keys = [submitted.idempotency_key for submitted in service.submissions]
    assert len(set(keys)) == 3
    assert all(0 < len(key) <= 255 for key in keys)


async def test_an_answer_later_is_refused(http: httpx.AsyncClient) -> None:
    response = await http.post("/verify/quality", json=REQUEST, headers={"Prefer": "respond-async"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "header.Prefer"


async def test_a_request_that_takes_too_long_gets_advice(http: httpx.AsyncClient, service: FakeService) -> None:
    service.held = True
    response = await http.post("/verify/quality", json=REQUEST, headers={"Prefer": "wait=1"})
    assert response.status_code == 504
    assert "send fewer programs or tests" in response.json()["detail"]


async def read_lines(http: httpx.AsyncClient, accept: str, **change: Any) -> list[str]:
    body = {**REQUEST, **change}
    async with http.stream("POST", "/verify/quality", json=body, headers={"Accept": accept}) as response:
        assert (response.status_code, response.headers["content-type"].split(";")[0]) == (200, accept)
        return [line async for line in response.aiter_lines()]


async def test_progress_arrives_line_by_line_before_the_report(http: httpx.AsyncClient, service: FakeService) -> None:
    service.results = judge
    lines = [QualityLine.model_validate_json(line) for line in await read_lines(http, "application/x-ndjson")]
    *progress, last = lines
    assert last.report is not None
    assert last.report.model_dump(mode="json") == await send(http)
    parts = [line.progress for line in progress if line.progress is not None]
    assert (parts[0].done, parts[-1].done, parts[-1].total) == (0, 3, 3)
    rows = {row.program: row for part in parts for row in part.rows}
    assert [rows[number].name for number in range(3)] == ["right 0", "wrong 0", "wrong 1"]
    assert [rows[number].verdicts for number in range(3)] == last.report.matrix


async def test_a_line_keeps_the_measures_of_the_report_that_are_null(
    http: httpx.AsyncClient, service: FakeService
) -> None:
    service.results = judge
    change = {"right": ["print(input()) if 1 < 2 else 0"], "wrong": []}  # mutants survive, and nothing compares them
    last = QualityLine.model_validate_json((await read_lines(http, "application/x-ndjson", **change))[-1])
    assert last.report is not None
    assert last.report.tnr is None


async def test_events_name_their_phase(http: httpx.AsyncClient, service: FakeService) -> None:
    service.results = judge
    change = {"right": ["print(input()) if 1 < 2 else 0"], "wrong": [], "inputs": ["7\n"]}
    lines = await read_lines(http, "text/event-stream", **change)
    assert [line for line in lines if line.startswith("event: ")][-1] == "event: report"
    parts = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")][:-1]
    assert list(dict.fromkeys(part["phase"] for part in parts)) == ["tests", "outputs", "inputs"]


async def test_a_stream_ends_with_a_problem_and_an_early_error_has_a_status(
    http: httpx.AsyncClient, service: FakeService
) -> None:
    service.held = True
    headers = {"Accept": "application/x-ndjson", "Prefer": "wait=1"}
    response = await http.post("/verify/quality", json=REQUEST, headers=headers)
    last = QualityLine.model_validate_json(response.text.splitlines()[-1])
    assert last.problem is not None
    assert last.problem.status == 504
    response = await http.post("/verify/quality", json={**REQUEST, "language": "klingon"}, headers=headers)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "body.language")


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"right": []}, "body.right", "at least 1 item"),
        ({"tests": []}, "body.tests", "at least 1 item"),
        ({"wrong": [{"code": "x", "language": "klingon"}]}, "body.wrong.0.language", "unknown language"),
        ({"language": "klingon"}, "body.language", "unknown language"),
        ({"wrong": [], "right": ["print("]}, "body.right.0.code", "not valid Python"),
        ({"wrong": [], "language": "java"}, "body", "right.0.language: mutants are made of Python, C and C++ only"),
        ({"mutants": {"operators": ["bound"]}}, "body.mutants", "operators.0: unknown operator 'bound'"),
        (
            {"mutants": {"operators": ["step"]}},
            "body",
            "mutants.operators: Python programs have only these",
        ),
        ({"mutants": {"count": 512}}, "body", "more than 512"),
        ({"inputs": ["1\n"]}, "body", "set mutants"),
        (
            {"wrong": [], "right": ["print(1)"], "inputs": [{"files": {"main.py": "eA=="}}]},
            "body",
            "inputs.0.files: 'main.py' would replace",
        ),
        ({"tests": [{"args": [1], "kwargs": {}}]}, "body", "right.0: tests.0 has args"),
        ({"tests": TESTS * 3000, "mutants": {}}, "body", "more than 20000"),
        ({"rihgt": []}, "body.rihgt", "not permitted"),
    ],
)
async def test_an_invalid_request_names_its_field(
    http: httpx.AsyncClient, change: dict[str, Any], field: str, message: str
) -> None:
    response = await http.post("/verify/quality", json={**REQUEST, **change})
    assert response.status_code == 422
    faults = [(fault["field"], fault["message"]) for fault in response.json()["errors"]]
    assert any(name == field and message in text for name, text in faults), faults
