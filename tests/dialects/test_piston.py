"""Piston v2: stages in Piston's format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from sandbox.errors import QueueFull
from sandbox.schema import ExecuteRequest
from tests.api.fake_service import FakeService
from tests.dialects.conftest import ScriptedResults

URL = "/dialects/piston/api/v2/execute"
EXECUTE: dict[str, Any] = {"language": "python", "version": "*", "files": [{"content": "a"}]}
STAGE = {
    "stdout": "",
    "stderr": "",
    "output": "",
    "code": 0,
    "signal": None,
    "message": None,
    "status": None,
    "cpu_time": 10,
    "wall_time": 20,
    "memory": 9 << 20,
}


async def test_a_program_that_ends_well(http: httpx.AsyncClient, service: FakeService, script: ScriptedResults) -> None:
    script.runs["a"] = {"stdout": "1", "stderr": "2"}
    files = [
        {"name": "main.py", "content": "61", "encoding": "hex"},
        {"name": "data", "content": "AAE=", "encoding": "base64"},
    ]
    body = {**EXECUTE, "files": files, "stdin": "s", "args": ["-v"], "run_timeout": 1500, "run_memory_limit": 64 << 20}
    answer = (await http.post(URL, json=body)).json()
    assert answer == {
        "language": "python",
        "version": "3.11.0",
        "run": {**STAGE, "stdout": "1", "stderr": "2", "output": "12"},
    }
    (program,) = service.submissions[0].requests
    assert isinstance(program, ExecuteRequest)
    assert (program.code, program.files, program.args) == ("a", {"data": b"\0\1"}, ["-v"])
    assert (program.limits.wall_time_s, program.limits.memory_mb) == (1.5, 64)
    assert (program.limits.compile_cpu_time_s, program.limits.compile_wall_time_s) == (None, None)


@pytest.mark.parametrize(
    ("asked", "limits"),
    [
        ({"compile_timeout": 2_500}, (2.5, 2.5)),
        ({"compile_timeout": 4_000, "compile_cpu_time": 1_500}, (1.5, 4.0)),
        ({"compile_cpu_time": 700}, (0.7, None)),
        ({"compile_timeout": 1e8}, (300, 900)),
        ({"compile_timeout": 0, "compile_cpu_time": -1}, (None, None)),
    ],
)
async def test_the_times_for_compiling_are_limits(
    http: httpx.AsyncClient,
    service: FakeService,
    script: ScriptedResults,
    asked: dict[str, float],
    limits: tuple[float, float],
) -> None:
    script.runs["a"] = {}
    assert (await http.post(URL, json={**EXECUTE, **asked})).status_code == 200
    (program,) = service.submissions[0].requests
    assert isinstance(program, ExecuteRequest)
    assert (program.limits.compile_cpu_time_s, program.limits.compile_wall_time_s) == limits


@pytest.mark.parametrize(
    ("result", "stage"),
    [
        ({"status": "runtime_error", "exit_code": 2}, {"code": 2, "status": "RE"}),
        (
            {"status": "runtime_error", "exit_code": None, "signal": 11},
            {"code": None, "signal": "SIGSEGV", "status": "SG"},
        ),
        ({"status": "time_limit_exceeded", "exit_code": None}, {"code": None, "signal": "SIGKILL", "status": "TO"}),
        ({"status": "memory_limit_exceeded", "exit_code": None}, {"code": None, "signal": "SIGKILL", "status": "SG"}),
        ({"status": "output_limit_exceeded", "exit_code": None}, {"code": None, "signal": "SIGKILL", "status": "OL"}),
        (
            {"status": "internal_error", "exit_code": None, "message": "m"},
            {"code": None, "status": "XX", "message": "m"},
        ),
    ],
)
async def test_a_program_that_fails(
    http: httpx.AsyncClient, script: ScriptedResults, result: dict[str, Any], stage: dict[str, Any]
) -> None:
    script.runs["a"] = result
    assert (await http.post(URL, json=EXECUTE)).json()["run"] == {**STAGE, **stage}


async def test_when_compiling_fails_run_is_a_copy_of_it(http: httpx.AsyncClient, script: ScriptedResults) -> None:
    compiled = {"status": "runtime_error", "exit_code": 1, "stderr": "no"}
    script.runs["a"] = {"status": "compile_error", "exit_code": None, "compile": compiled}
    answer = (await http.post(URL, json={**EXECUTE, "language": "c++"})).json()
    assert answer["run"] == answer["compile"]
    assert (answer["compile"]["code"], answer["compile"]["stderr"]) == (1, "no")


@pytest.mark.parametrize("version", ["*", "3", "3.11", "3.11.0", "3.x", "^3.11"])
async def test_a_version_that_ours_is_in(http: httpx.AsyncClient, version: str) -> None:
    assert (await http.post(URL, json={**EXECUTE, "version": version})).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"version": "2.7"},
        {"language": "cms_ioi"},
        {"files": []},
        {"files": [{"content": "x", "encoding": "hex"}]},
        {"language": "cpp", "files": [{"content": "a"}, {"content": "b"}]},
        {"run_timeout": 1e9},
    ],
)
async def test_what_cannot_be_is_a_400_with_a_message(http: httpx.AsyncClient, change: dict[str, Any]) -> None:
    response = await http.post(URL, json={**EXECUTE, **change})
    assert response.status_code == 400
    assert response.json()["message"]


async def test_another_content_type_is_a_415(http: httpx.AsyncClient) -> None:
    response = await http.post(URL, content="{}", headers={"Content-Type": "text/plain"})
    assert (response.status_code, set(response.json())) == (415, {"message"})


async def test_overload_is_a_503(http: httpx.AsyncClient, service: FakeService) -> None:
    service.refusal = QueueFull("full", 2)
    response = await http.post(URL, json=EXECUTE)
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")


async def test_runtimes_are_the_table(http: httpx.AsyncClient) -> None:
    runtimes = {each["language"]: each for each in (await http.get("/dialects/piston/api/v2/runtimes")).json()}
    assert runtimes["python"]["version"] == "3.11.0"
    assert "py" in runtimes["python"]["aliases"]


async def test_large_bodies_are_a_matter_of_the_setting(tmp_path: Path, service: FakeService) -> None:
    app = create_app(ApiSettings(home=tmp_path, max_body_mb=40), service)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as http:
        body = {**EXECUTE, "files": [{"content": "a"}, {"name": "big", "content": "x" * (30 << 20)}]}
        assert (await http.post(URL, json=body)).status_code == 200


async def test_the_program_is_the_first_file_that_is_text(http: httpx.AsyncClient, service: FakeService) -> None:
    files = [{"name": "data", "content": "AAE=", "encoding": "base64"}, {"content": "a"}, {"content": "b"}]
    assert (await http.post(URL, json={**EXECUTE, "files": files, "stdin": None, "args": None})).status_code == 200
    (program,) = service.submissions[0].requests
    assert isinstance(program, ExecuteRequest)
    assert (program.code, program.files) == ("a", {"data": b"\0\1", "file2.code": b"b"})


@pytest.mark.parametrize(("language", "checked"), [("rust", True), ("java", False), ("python", False)])
async def test_rust_is_compiled_with_the_checks_that_the_peer_compiles_in(
    http: httpx.AsyncClient, service: FakeService, language: str, checked: bool
) -> None:
    await http.post(URL, json={**EXECUTE, "language": language})
    body = {"source_code": "a", "language_id": {"rust": 73, "java": 62, "python": 71}[language]}
    await http.post("/dialects/judge0/submissions", params={"wait": "true"}, json=body)
    programs = [request for submitted in service.submissions for request in submitted.requests]
    assert [isinstance(each, ExecuteRequest) and each.debug_checks for each in programs] == [checked, checked]
