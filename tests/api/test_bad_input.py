"""Bad input to every route: the right status, the field's path, the common format, and no quote of the input."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from sandbox.schema import MAX_ITEMS, Problem
from tests.api.fake_service import FakeService
from tests.api.test_submissions import BODIES, EXECUTE, VERIFY

SECRET = "hunter2hunter2"
JSON = {"Content-Type": "application/json"}
POSTS = list(BODIES)

# Path, body, status, field.
BAD_BODIES: list[tuple[str, Any, int, str]] = [
    ("/execute", {}, 422, "body.language"),
    ("/execute", {"language": "python"}, 422, "body.code"),
    ("/execute", {**EXECUTE, "language": SECRET}, 422, "body.language"),
    ("/execute", {**EXECUTE, "language": 5}, 422, "body.language"),
    ("/execute", {**EXECUTE, "language": SECRET * 100}, 422, "body.language"),
    ("/execute", {**EXECUTE, "code": None}, 422, "body.code"),
    ("/execute", {**EXECUTE, "code": [SECRET]}, 422, "body.code"),
    ("/execute", {**EXECUTE, "stdin": 5}, 422, "body.stdin"),
    ("/execute", {**EXECUTE, "stdin_base64": SECRET + "!"}, 422, "body.stdin_base64"),
    ("/execute", {**EXECUTE, "stdin": SECRET, "stdin_base64": "AA=="}, 422, "body"),
    ("/execute", {**EXECUTE, "args": SECRET}, 422, "body.args"),
    ("/execute", {**EXECUTE, "args": ["a", SECRET + "\0"]}, 422, "body.args.1"),
    ("/execute", {**EXECUTE, "files": {"/etc/passwd": "AA=="}}, 422, "body.files./etc/passwd"),
    ("/execute", {**EXECUTE, "files": {"../up": "AA=="}}, 422, "body.files.../up"),
    ("/execute", {**EXECUTE, "files": {"a": SECRET + "!"}}, 422, "body.files.a"),
    ("/execute", {**EXECUTE, "fetch_files": ["ok", "a//b"]}, 422, "body.fetch_files.1"),
    ("/execute", {**EXECUTE, "limits": {"cpu_time_s": 0}}, 422, "body.limits.cpu_time_s"),
    ("/execute", {**EXECUTE, "limits": {"cpu_time_s": 1e9}}, 422, "body.limits.cpu_time_s"),
    ("/execute", {**EXECUTE, "limits": {"memory_mb": 1.5}}, 422, "body.limits.memory_mb"),
    ("/execute", {**EXECUTE, "limits": {"memory": 64}}, 422, "body.limits.memory"),
    ("/execute", {**EXECUTE, "limits": None}, 422, "body.limits"),
    ("/execute", {**EXECUTE, "priority": SECRET}, 422, "body.priority"),
    ("/execute", {**EXECUTE, "tests": []}, 422, "body.tests"),
    ("/execute", {**EXECUTE, "k" * 500: 1}, 422, "body." + "k" * 100),
    ("/execute", [EXECUTE], 422, "body"),
    ("/execute", SECRET, 422, "body"),
    ("/execute", None, 422, "body"),
    ("/verify", EXECUTE, 422, "body.tests"),
    ("/verify", {**VERIFY, "tests": []}, 422, "body.tests"),
    ("/verify", {**VERIFY, "tests": [*VERIFY["tests"] * 3, {"stdin": 5}]}, 422, "body.tests.3.stdin"),
    ("/verify", {**VERIFY, "tests": [{"input": SECRET}]}, 422, "body.tests.0.input"),
    ("/verify", {**VERIFY, "tests": [SECRET]}, 422, "body.tests.0"),
    (
        "/verify",
        {**VERIFY, "tests": [{"stdin": "", "files": {"checker": SECRET + "!"}}]},
        422,
        "body.tests.0.files.checker",
    ),
    ("/verify", {**VERIFY, "checker": {}}, 422, "body.checker"),
    ("/verify", {**VERIFY, "checker": SECRET}, 422, "body.checker"),
    ("/verify", {**VERIFY, "checker": {"type": SECRET}}, 422, "body.checker"),
    ("/verify", {**VERIFY, "checker": {"type": "float", "absolute": -1}}, 422, "body.checker.absolute"),
    ("/verify", {**VERIFY, "checker": {"type": "exact", "exact": 1}}, 422, "body.checker.exact"),
    ("/verify", {**VERIFY, "stop_on_failure": SECRET}, 422, "body.stop_on_failure"),
    ("/verify", {**VERIFY, "stdin": SECRET}, 422, "body.stdin"),
    ("/execute/batch", {}, 422, "body.items"),
    ("/execute/batch", {"items": []}, 422, "body.items"),
    ("/execute/batch", {"items": EXECUTE}, 422, "body.items"),
    ("/execute/batch", {"items": [EXECUTE, {"language": "python"}]}, 422, "body.items.1.code"),
    ("/execute/batch", {"items": [EXECUTE, {**EXECUTE, "language": SECRET}]}, 422, "body.items.1.language"),
    ("/execute/batch", {"items": [EXECUTE], "priority": "rl"}, 422, "body.priority"),
    ("/execute/batch", {"items": [0] * (MAX_ITEMS + 1)}, 422, "body.items"),
    ("/verify/batch", {"items": []}, 422, "body.items"),
    ("/verify/batch", [VERIFY], 422, "body"),
    (
        "/verify/batch",
        {"items": [VERIFY, {**VERIFY, "tests": [{}, {"expected": 1}]}]},
        422,
        "body.items.1.tests.1.expected",
    ),
    ("/verify/batch", {"items": [{**VERIFY, "language": SECRET}]}, 422, "body.items.0.language"),
]

BROKEN = {
    "empty": b"",
    "cut off": b'{"language": "python", "code": "',
    "single quotes": b"{'language': 'python'}",
    "not utf-8": b'{"language": "python", "code": "\xff"}',
    "lone surrogate": b'{"language": "python", "code": "\\ud800"}',
    "two documents": b"{} {}",
    "too deep": b"[" * 10_000,
    "a form": b"language=python&code=x",
}


def parse_problem(response: httpx.Response) -> Problem:
    """Parse the response's problem and check its format."""
    assert response.headers["content-type"] == "application/problem+json"
    assert set(response.json()) == {"type", "title", "status", "detail", "errors"}
    problem = Problem.model_validate_json(response.content)
    assert problem.status == response.status_code
    assert problem.title
    assert response.headers["x-request-id"]
    return problem


@pytest.mark.parametrize(("path", "body", "status", "field"), BAD_BODIES)
async def test_a_bad_body_is_refused_with_the_path_of_its_fault(
    http: httpx.AsyncClient, service: FakeService, path: str, body: Any, status: int, field: str
) -> None:
    response = await http.post(path, content=json.dumps(body), headers=JSON)
    problem = parse_problem(response)
    assert (response.status_code, problem.errors[0].field) == (status, field)
    assert problem.errors[0].message
    assert SECRET not in response.text
    assert service.submissions == []


@pytest.mark.parametrize(
    ("expected", "field"),
    [
        ("1" * 4_301, "body.tests.0.expected"),
        ("[1, -" + "9" * 5_000 + "]", "body.tests.0.expected.1"),
        ('{"a": [' + "1" * 10_000 + "]}", "body.tests.0.expected.a.0"),
        ("[" * 250 + "]" * 250, "body.tests.0.expected.0.0.0.0.0"),
    ],
)
async def test_json_beyond_a_limit_names_the_field(http: httpx.AsyncClient, expected: str, field: str) -> None:
    request = {"language": "python", "code": "", "entry_point": "f", "tests": [{"args": [], "expected": None}]}
    body = json.dumps(request).replace("null", expected)
    response = await http.post("/verify", content=body, headers=JSON)
    assert response.status_code == 422
    assert [error.field for error in parse_problem(response).errors or ()] == [field]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
async def test_broken_json_is_a_400(http: httpx.AsyncClient, path: str, broken: bytes) -> None:
    response = await http.post(path, content=broken, headers=JSON)
    assert response.status_code == 400
    assert "the body is not JSON" in parse_problem(response).detail


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "json"])
async def test_another_content_type_is_a_415(http: httpx.AsyncClient, path: str, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    response = await http.post(path, content=json.dumps(BODIES[path]).encode(), headers=headers)
    assert response.status_code == 415
    assert "application/json" in parse_problem(response).detail


@pytest.mark.parametrize("path", POSTS)
async def test_a_body_in_an_encoding_that_is_not_known_is_a_415(http: httpx.AsyncClient, path: str) -> None:
    response = await http.post(path, content=b"x", headers={**JSON, "Content-Encoding": "br"})
    assert response.status_code == 415
    assert "Content-Encoding" in parse_problem(response).detail


@pytest.mark.parametrize("path", POSTS)
async def test_a_body_declared_over_the_limit_is_a_413(http: httpx.AsyncClient, path: str) -> None:
    response = await http.post(path, content=b" " * ((1 << 20) + 1), headers=JSON)
    assert response.status_code == 413
    assert "1 MiB" in parse_problem(response).detail


@pytest.mark.parametrize("path", POSTS)
async def test_a_body_that_grows_over_the_limit_is_a_413_before_it_ends(http: httpx.AsyncClient, path: str) -> None:
    sent = 0

    async def send_forever() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 65_536

    response = await http.post(path, content=send_forever(), headers=JSON)
    assert response.status_code == 413
    assert parse_problem(response).title == "Content Too Large"
    assert sent == 17


async def test_a_body_of_the_limit_exactly_passes(http: httpx.AsyncClient) -> None:
    body = json.dumps(EXECUTE).encode()
    response = await http.post("/execute", content=body + b" " * ((1 << 20) - len(body)), headers=JSON)
    assert response.status_code == 200


async def test_many_faults_are_counted_and_the_first_are_listed(http: httpx.AsyncClient) -> None:
    response = await http.post("/execute/batch", json={"items": [{}] * 500})
    problem = parse_problem(response)
    assert len(problem.errors) == 20
    assert "and 999 more" in problem.detail


async def test_a_flood_of_faults_is_only_counted(http: httpx.AsyncClient) -> None:
    flood = "{" + ",".join(f'"{number:x}":1' for number in range(100_001)) + "}"
    response = await http.post("/execute", content=flood.encode(), headers=JSON)
    assert len(flood) < 1 << 20
    assert response.status_code == 422
    assert parse_problem(response).errors[0].field == "body"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    ("job_id", "status", "field"),
    [
        ("none", 404, ""),
        ("k" * 129, 422, "path.job_id"),
        ("a%20b", 422, "path.job_id"),
        ("caf%C3%A9", 422, "path.job_id"),
    ],
)
async def test_a_job_that_is_not_there(
    http: httpx.AsyncClient, method: str, job_id: str, status: int, field: str
) -> None:
    response = await http.request(method, f"/jobs/{job_id}")
    problem = parse_problem(response)
    assert response.status_code == status
    assert [each.field for each in problem.errors] == ([field] if field else [])


@pytest.mark.parametrize("path", ["/nothing", "/execute/", "/execute/batch/x", "/jobs", "/jobs/a/b", "/health", "/v1"])
async def test_an_unknown_path_is_a_404(http: httpx.AsyncClient, path: str) -> None:
    response = await http.get(path)
    assert response.status_code == 404
    assert "no such path" in parse_problem(response).detail


async def test_a_method_a_route_does_not_take_is_a_405(http: httpx.AsyncClient, app: FastAPI) -> None:
    for path, operations in app.openapi()["paths"].items():
        for method in {"GET", "POST", "PUT", "DELETE", "BREW"} - {name.upper() for name in operations}:
            response = await http.request(method, path.replace("{job_id}", "a"))
            assert response.status_code == 405, (method, path)
            assert response.headers["allow"]
            assert "Allow" in parse_problem(response).detail


async def test_routes_without_a_body_ignore_what_is_sent_to_them(http: httpx.AsyncClient) -> None:
    for path in ("/languages", "/health/live", "/health/ready", "/metrics"):
        response = await http.request("GET", path, content=b"\xff" * 100, params={"x": "\0"}, headers={"Accept": "?"})
        assert response.status_code == 200, path
