"""Judge0: submit, wait, poll, batches, and the requests that its SDK makes first."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from sandbox.errors import QueueFull
from sandbox.schema import MAX_ITEMS, ExecuteRequest, JobStatus
from tests.api.fake_service import FakeService
from tests.dialects.conftest import USAGE, ScriptedResults

ROOT = "/dialects/judge0"
SUBMISSION: dict[str, Any] = {"source_code": "a", "language_id": 71, "stdin": "1"}
WAIT = {"wait": "true"}
WEBHOOK_SECRET = f"whsec_{b64encode(bytes(32)).decode()}"


def _encode_base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def _finish(service: FakeService, job_id: str, **result: Any) -> None:
    whole = {"id": job_id, "status": "ok", "exit_code": 0, "usage": USAGE, **result}
    update = {"status": JobStatus.FINISHED, "result": whole}
    service.jobs[job_id] = service.jobs[job_id].model_copy(update=update)


async def test_waiting_brings_the_result(
    http: httpx.AsyncClient, service: FakeService, script: ScriptedResults
) -> None:
    script.runs["a"] = {"stdout": "2\n"}
    body = {**SUBMISSION, "expected_output": "2", "command_line_arguments": "-v 'a b'", "memory_limit": 65536}
    response = await http.post(f"{ROOT}/submissions", params=WAIT, json=body)
    assert response.status_code == 201
    answer = response.json()
    assert answer.pop("token")
    assert answer == {
        "time": "0.010",
        "memory": 9216,
        "stdout": "2\n",
        "stderr": None,
        "compile_output": None,
        "message": None,
        "status": {"id": 3, "description": "Accepted"},
    }
    (program,) = service.submissions[0].requests
    assert isinstance(program, ExecuteRequest)
    assert (program.stdin_bytes, program.args, program.limits.memory_mb) == (b"1", ["-v", "a b"], 64)
    assert (program.limits.cpu_time_s, program.limits.wall_time_s) == (5, 10)


async def test_base64_goes_both_ways(http: httpx.AsyncClient, script: ScriptedResults, service: FakeService) -> None:
    script.runs["a"] = {"stdout": "\ufffd", "stdout_base64": "/w=="}
    body = {**SUBMISSION, "source_code": _encode_base64("a"), "stdin": _encode_base64("1\n")}
    response = await http.post(f"{ROOT}/submissions", params={**WAIT, "base64_encoded": "true"}, json=body)
    assert response.json()["stdout"] == "/w=="
    assert service.submissions[0].requests[0].stdin_bytes == b"1\n"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ({"stdout": "3"}, 4),
        ({"status": "time_limit_exceeded", "exit_code": None}, 5),
        ({"status": "compile_error", "exit_code": None, "compile": {"status": "runtime_error", "stderr": "no"}}, 6),
        ({"status": "runtime_error", "exit_code": None, "signal": 11}, 7),
        ({"status": "output_limit_exceeded", "exit_code": None}, 8),
        ({"status": "runtime_error", "exit_code": None, "signal": 8}, 9),
        ({"status": "runtime_error", "exit_code": None, "signal": 6}, 10),
        ({"status": "runtime_error", "exit_code": 1}, 11),
        ({"status": "memory_limit_exceeded", "exit_code": None, "signal": 9}, 12),
        ({"status": "internal_error", "exit_code": None}, 13),
    ],
)
async def test_every_end_has_its_status(
    http: httpx.AsyncClient, script: ScriptedResults, result: dict[str, Any], status: int
) -> None:
    script.runs["a"] = result
    body = {**SUBMISSION, "expected_output": "2"}
    answer = (await http.post(f"{ROOT}/submissions", params=WAIT, json=body)).json()
    assert answer["status"]["id"] == status
    assert answer["compile_output"] == ("no" if status == 6 else None)


async def test_a_token_is_asked_for_until_it_is_done(http: httpx.AsyncClient, service: FakeService) -> None:
    created = await http.post(f"{ROOT}/submissions", json={**SUBMISSION, "expected_output": "2"})
    assert (created.status_code, set(created.json())) == (201, {"token"})
    url = f"{ROOT}/submissions/{created.json()['token']}"
    assert (await http.get(url)).json()["status"]["id"] == 1
    _finish(service, "job0", stdout="2\n")
    assert (await http.get(url)).json()["status"]["id"] == 3
    _finish(service, "job0", stdout="3\n")
    assert (await http.get(url, params={"fields": "status,exit_code"})).json() == {
        "status": {"id": 4, "description": "Wrong Answer"},
        "exit_code": 0,
    }


async def test_a_batch_is_created_and_shown_in_order(http: httpx.AsyncClient, service: FakeService) -> None:
    body = {"submissions": [SUBMISSION, {**SUBMISSION, "expected_output": "2"}]}
    tokens = [each["token"] for each in (await http.post(f"{ROOT}/submissions/batch", json=body)).json()]
    _finish(service, "job0", stdout="0")
    _finish(service, "job1", stdout="1")
    response = await http.get(f"{ROOT}/submissions/batch", params={"tokens": ",".join(tokens), "fields": "*"})
    shown = response.json()["submissions"]
    assert [(each["token"], each["stdout"], each["status"]["id"]) for each in shown] == [
        (tokens[0], "0", 3),
        (tokens[1], "1", 4),
    ]


async def test_a_full_queue_is_told_as_the_peer_does(http: httpx.AsyncClient, service: FakeService) -> None:
    service.refusal = QueueFull("full")
    response = await http.post(f"{ROOT}/submissions", json=SUBMISSION)
    assert (response.status_code, response.json()) == (503, {"error": "queue is full"})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"language_id": 99}, "language_id"),
        ({"enable_network": True}, "enable_network"),
        ({"callback_url": "http://x"}, "callback_url"),
        ({"additional_files": "UEs="}, "additional_files"),
        ({"compiler_options": "-O3"}, "compiler_options"),
        ({"command_line_arguments": "'"}, "command_line_arguments"),
        ({"cpu_time_limit": 1e4}, "cpu_time_limit"),
    ],
)
async def test_what_is_not_served_is_a_422_that_names_it(
    http: httpx.AsyncClient, change: dict[str, Any], field: str
) -> None:
    response = await http.post(f"{ROOT}/submissions", json={**SUBMISSION, **change})
    assert response.status_code == 422
    assert field in response.json()


async def test_an_unknown_token_is_a_404(http: httpx.AsyncClient) -> None:
    assert (await http.get(f"{ROOT}/submissions/none")).status_code == 404


async def test_the_tables(http: httpx.AsyncClient) -> None:
    languages = {each["id"]: each["name"] for each in (await http.get(f"{ROOT}/languages")).json()}
    assert languages[71].startswith("python")
    assert (await http.get(f"{ROOT}/languages/71")).json()["id"] == 71
    assert (await http.get(f"{ROOT}/languages/99")).status_code == 404
    assert len((await http.get(f"{ROOT}/statuses")).json()) == 14
    assert (await http.get(f"{ROOT}/about")).json() == {"version": "1.13.1"}
    assert (await http.get(f"{ROOT}/workers")).json()[0]["size"] == 3
    assert (await http.get(f"{ROOT}/system_info")).status_code == 200


async def test_the_configuration_describes_batches_and_callbacks_as_they_are(
    http: httpx.AsyncClient, service: FakeService, tmp_path: Path
) -> None:
    config = (await http.get(f"{ROOT}/config_info")).json()
    assert (config["enable_callbacks"], config["callbacks_max_tries"]) == (False, 0)
    largest: dict[str, Any] = {"submissions": [SUBMISSION] * config["max_submission_batch_size"]}
    assert len((await http.post(f"{ROOT}/submissions/batch", json=largest)).json()) == MAX_ITEMS
    largest["submissions"].append(SUBMISSION)
    assert (await http.post(f"{ROOT}/submissions/batch", json=largest)).status_code == 422
    settings = ApiSettings(home=tmp_path, webhook_secret=WEBHOOK_SECRET, webhook_tries=4, webhook_timeout_s=7)
    transport = httpx.ASGITransport(create_app(settings, service))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as calling:
        config = (await calling.get(f"{ROOT}/config_info")).json()
        assert (config["enable_callbacks"], config["callbacks_max_tries"], config["callbacks_timeout"]) == (True, 4, 7)
        body = {**SUBMISSION, "callback_url": "https://example.com/done"}
        assert (await calling.post(f"{ROOT}/submissions", json=body)).status_code == 201


@pytest.mark.parametrize(
    ("stdout", "expected", "accepted"),
    [
        ("1 2 \n3\t\n", "1 2\n3", True),
        ("1\n\n2\n\n\n", "1\r\n  \r\n2\r\n", True),
        ("", " \n\n", True),
        (" 1", "1", False),
        ("\n1", "1", False),
        ("1  2", "1 2", False),
        ("YES", "yes", False),
        ("1\n\n2", "1\n2", False),
        ("1.0", "1", False),
    ],
)
async def test_lines_are_compared_without_their_blanks_at_the_right(
    http: httpx.AsyncClient, script: ScriptedResults, stdout: str, expected: str, accepted: bool
) -> None:
    script.runs["a"] = {"stdout": stdout}
    body = {**SUBMISSION, "expected_output": expected}
    answer = (await http.post(f"{ROOT}/submissions", params=WAIT, json=body)).json()
    assert answer["status"]["id"] == (3 if accepted else 4)
