"""Each exception becomes the same problem on every route."""

from __future__ import annotations

import logging
from typing import get_args

import httpx
import pytest

from sandbox import errors
from sandbox.errors import SandboxError
from sandbox.schema import error_codes
from tests.api.fake_service import FakeService
from tests.api.test_bad_input import parse_problem
from tests.api.test_submissions import BODIES, EXECUTE

SECRET = "redis://:hunter2@10.0.0.1"

# Exception, status, Retry-After.
FAILURES: list[tuple[SandboxError, int, str | None]] = [
    (errors.QueueFull("lane default is full", retry_after_s=2.2), 503, "3"),
    (errors.Refused("draining", retry_after_s=0.01), 503, "1"),
    (errors.CannotRun(SECRET), 503, "5"),
    (errors.Cancelled("cancelled by DELETE"), 409, None),
    (errors.QueueUnavailable(SECRET), 503, "1"),
    (errors.EngineUnavailable(SECRET), 502, None),
    (errors.BoxError(SECRET), 502, None),
    (errors.InfrastructureError(SECRET), 500, None),
    (errors.SandboxError(SECRET), 500, None),
    (errors.BadRequest("cannot be", field="limits.memory_mb"), 422, None),
]

every_failure = pytest.mark.parametrize(
    ("error", "status", "retry_after"), FAILURES, ids=[type(failure[0]).__name__ for failure in FAILURES]
)


def _find_subclasses(kind: type[SandboxError]) -> set[type[SandboxError]]:
    return {kind}.union(*(_find_subclasses(child) for child in kind.__subclasses__()))


def test_every_exception_of_ours_has_a_code_of_its_own() -> None:
    ours = {kind for kind in _find_subclasses(SandboxError) if kind.__module__ == errors.__name__}
    ours -= {errors.AnswerTimeout}  # only the client raises it
    assert {code.error for code in error_codes.ERROR_CODES} == ours
    for kind in ours:
        code = error_codes.find_by_error(kind("why"))
        assert code.error is kind
        assert error_codes.find_by_type(code.type) is code


@pytest.mark.parametrize("path", BODIES)
@every_failure
@pytest.mark.parametrize("moment", ["refusal", "failure"])
async def test_the_refusal_of_a_submission_and_the_failure_of_its_result_are_the_same_problem(
    http: httpx.AsyncClient,
    service: FakeService,
    path: str,
    error: SandboxError,
    status: int,
    retry_after: str | None,
    moment: str,
) -> None:
    setattr(service, moment, error)
    response = await http.post(path, json=BODIES[path])
    problem = parse_problem(response)
    assert response.status_code == status
    assert problem.type == error_codes.find_by_error(error).type
    assert response.headers.get("retry-after") == retry_after
    assert "hunter2" not in response.text


async def test_a_refusal_comes_before_a_stream_begins(http: httpx.AsyncClient, service: FakeService) -> None:
    service.refusal = errors.QueueFull("full")
    response = await http.post(
        "/execute/batch", json=BODIES["/execute/batch"], headers={"Accept": "application/x-ndjson"}
    )
    assert response.status_code == 503
    parse_problem(response)


async def test_a_failed_result_in_a_stream_is_a_line_with_its_problem(
    http: httpx.AsyncClient, service: FakeService
) -> None:
    service.failure = errors.Cancelled("cancelled by DELETE")
    response = await http.post(
        "/execute/batch", json=BODIES["/execute/batch"], headers={"Accept": "application/x-ndjson"}
    )
    assert response.status_code == 200
    lines = httpx.Response(200, content=b"[" + b",".join(response.content.splitlines()) + b"]").json()
    assert [line["problem"]["type"] for line in lines] == ["urn:sandbox:cancelled"] * 2


async def test_an_infrastructure_failures_words_go_to_the_log_alone(
    http: httpx.AsyncClient, service: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    service.refusal = errors.QueueUnavailable("connection refused at 10.0.0.1")
    with caplog.at_level(logging.ERROR):
        response = await http.post("/execute", json=EXECUTE)
    assert "10.0.0.1" in caplog.text
    assert "10.0.0.1" not in response.text


async def test_an_exception_nobody_expected_is_logged_under_the_requests_id_and_told_as_a_500(
    http: httpx.AsyncClient, service: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    service.refusal = ZeroDivisionError(SECRET)
    response = await http.post("/execute", json=EXECUTE, headers={"X-Request-ID": "rollout-7"})
    assert response.status_code == 500
    assert "hunter2" not in response.text
    parse_problem(response)
    assert "request rollout-7 failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text


async def test_a_waiting_job_lookup_fails_the_same_way(http: httpx.AsyncClient, service: FakeService) -> None:
    response = await http.get("/jobs/none")
    assert parse_problem(response).type == "urn:sandbox:not-found"


def test_the_checkers_tags_are_known_to_the_path_writer() -> None:
    from sandbox import schema
    from sandbox.schema import error_paths

    models = get_args(get_args(schema.Checker)[0])
    assert len(error_paths._CHECKER_TAGS) == len(models)
