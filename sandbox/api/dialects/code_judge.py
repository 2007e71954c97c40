"""code-judge, the judge of X-Coder's RL recipe: `/judge` and `/run`, for single programs, batches and long batches.

Items of a batch that have the same program become one submission: it is compiled once and run on all their inputs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal
from uuid import uuid4

from fastapi import Request, Response
from pydantic import Field
from starlette.exceptions import HTTPException

from sandbox.api import request_parsing
from sandbox.api.dependencies import get_context
from sandbox.api.dialects.dialect import (
    Dialect,
    PeerRequest,
    build_limits,
    build_model,
    encode_response,
    execute_programs,
    resolve_language,
    verify_submissions,
)
from sandbox.api.problems import ProblemResponse
from sandbox.errors import BadRequest, QueueUnavailable, Refused
from sandbox.runner.contract import Status, Verdict
from sandbox.schema import ExecuteRequest, ExecuteResult, Lane, TestResult, VerifyRequest
from sandbox.verify import checkers

TIME_LIMIT_S = 10.0
CHECKER = "code-judge"


def render_error(problem_response: ProblemResponse) -> Response:
    return encode_response(
        {"detail": problem_response.problem.detail or problem_response.problem.title}, problem_response.problem.status
    )


DIALECT = Dialect("code_judge", render_error)


class Submission(PeerRequest):
    sub_id: str | None = None
    type: str
    solution: str
    input: str | None = None
    expected_output: str | None = None


class Batch(PeerRequest):
    sub_id: str | None = None
    type: Literal["batch"] = "batch"
    submissions: list[Submission] = Field(min_length=1)


Result = dict[str, Any]


@DIALECT.post("/judge")
async def judge(request: Request) -> Response:
    (result,) = await _judge_submissions(request, [await request_parsing.parse_body(request, Submission)])
    return encode_response(result)


@DIALECT.post("/judge/batch", "/judge/long-batch")
async def judge_batch(request: Request) -> Response:
    batch = await request_parsing.parse_body(request, Batch)
    return encode_response(
        {"sub_id": batch.sub_id or str(uuid4()), "results": await _judge_submissions(request, batch.submissions)}
    )


@DIALECT.post("/run")
async def run(request: Request) -> Response:
    (result,) = await _run_submissions(request, [await request_parsing.parse_body(request, Submission)])
    return encode_response(result)


@DIALECT.post("/run/batch", "/run/long-batch")
async def run_batch(request: Request) -> Response:
    batch = await request_parsing.parse_body(request, Batch)
    return encode_response(
        {"sub_id": batch.sub_id or str(uuid4()), "results": await _run_submissions(request, batch.submissions)}
    )


@DIALECT.get("/ping")
async def ping(request: Request) -> Response:
    return encode_response("pong")


@DIALECT.get("/status")
async def status(request: Request) -> Response:
    readiness = await asyncio.to_thread(get_context(request).service.check_readiness)
    return encode_response({"queue": sum(readiness.queued.values()), "num_workers": readiness.workers})


async def _judge_submissions(request: Request, submissions: Sequence[Submission]) -> list[Result]:
    """Return results in the order of the submissions. A submission without an expected output is run but not judged."""
    results: dict[int, Result] = {}
    only_run = [index for index, each in enumerate(submissions) if each.expected_output is None]
    groups: dict[tuple[str, str], list[int]] = {}
    for index, each in enumerate(submissions):
        if each.expected_output is not None:
            groups.setdefault((each.type, each.solution), []).append(index)
    programs: list[VerifyRequest] = []
    places: list[list[int]] = []
    for members in groups.values():
        try:
            programs.append(_build_verify_request([submissions[index] for index in members]))
            places.append(members)
        except BadRequest:
            results |= {index: _build_result(submissions[index], reason="invalid_input") for index in members}
    try:
        for members, verdict in zip(places, await verify_submissions(request, programs), strict=True):
            for index, test in zip(members, verdict.tests, strict=True):
                results[index] = _render_test_result(submissions[index], test)
    except (Refused, QueueUnavailable, HTTPException) as error:
        reason = _map_reason(error)
        results |= {index: _build_result(submissions[index], reason=reason) for members in places for index in members}
    shown = await _run_submissions(request, [submissions[index] for index in only_run])
    for index, result in zip(only_run, shown, strict=True):
        results[index] = {name: value for name, value in result.items() if name not in {"stdout", "stderr"}}
    return [results[index] for index in range(len(submissions))]


async def _run_submissions(request: Request, submissions: Sequence[Submission]) -> list[Result]:
    results = [_build_result(each, reason="invalid_input", stdout="", stderr="") for each in submissions]
    programs: list[ExecuteRequest] = []
    places: list[int] = []
    for index, each in enumerate(submissions):
        try:
            programs.append(_build_execute_request(each))
            places.append(index)
        except BadRequest:
            continue
    try:
        for index, result in zip(places, await execute_programs(request, programs), strict=True):
            results[index] = _render_run_result(submissions[index], result)
    except (Refused, QueueUnavailable, HTTPException) as error:
        for index in places:
            results[index] = _build_result(submissions[index], reason=_map_reason(error), stdout="", stderr="")
    return results


def _build_verify_request(group: Sequence[Submission]) -> VerifyRequest:
    return build_model(
        VerifyRequest,
        language=resolve_language(group[0].type, {}),
        code=group[0].solution,
        tests=[{"stdin": each.input or "", "expected": each.expected_output or ""} for each in group],
        checker={"type": CHECKER},
        limits=build_limits(cpu_time_s=TIME_LIMIT_S, wall_time_s=TIME_LIMIT_S),
        priority=Lane.RL,
    )


def _build_execute_request(submission: Submission) -> ExecuteRequest:
    return build_model(
        ExecuteRequest,
        language=resolve_language(submission.type, {}),
        code=submission.solution,
        stdin=submission.input or "",
        limits=build_limits(cpu_time_s=TIME_LIMIT_S, wall_time_s=TIME_LIMIT_S),
        priority=Lane.RL,
    )


def _render_test_result(submission: Submission, test: TestResult) -> Result:
    reason = "internal_error" if test.verdict is Verdict.INTERNAL_ERROR else ""
    return _build_result(
        submission,
        success=test.verdict is Verdict.ACCEPTED,
        run_success=test.verdict in {Verdict.ACCEPTED, Verdict.WRONG_ANSWER},
        cost=test.usage.wall_time_s,
        reason="worker_timeout" if test.verdict is Verdict.TIME_LIMIT_EXCEEDED else reason,
    )


def _render_run_result(submission: Submission, result: ExecuteResult) -> Result:
    ran = result.status is Status.OK
    expected = submission.expected_output
    reason = "internal_error" if result.status is Status.INTERNAL_ERROR else ""
    compiler = result.compile.stderr if result.status is Status.COMPILE_ERROR and result.compile is not None else ""
    return _build_result(
        submission,
        success=ran and (expected is None or checkers.check(CHECKER, result.stdout_bytes, expected.encode()).accepted),
        run_success=ran,
        cost=result.usage.wall_time_s,
        reason="worker_timeout" if result.status is Status.TIME_LIMIT_EXCEEDED else reason,
        stdout=result.stdout,
        stderr=compiler or result.stderr,
    )


def _build_result(submission: Submission, *, reason: str = "", **fields: Any) -> Result:
    nothing = {"success": False, "run_success": False, "cost": 0.0}
    return {"sub_id": submission.sub_id or str(uuid4()), **nothing, "reason": reason, **fields}


def _map_reason(error: Exception) -> str:
    """Map a timeout, or the error of a submission that the queue refused, to one of the peer's reasons."""
    return "worker_timeout" if isinstance(error, HTTPException) else "queue_timeout"
