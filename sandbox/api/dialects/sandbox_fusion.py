"""SandboxFusion: `/run_code`, `/run_jupyter`, `/submit`, ScaleBox's `/common_evaluate_batch`, `/v1/ping`.

verl's client retries only on 504 and turns everything else into a score. Temporary failures that are not the program's
fault therefore get 504. The client gives up 10 s after the program's time limit. A request that takes longer than
`GRACE_S` beyond that limit therefore gets 504 too, while the client still waits.
"""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import Request, Response
from pydantic import Field

from sandbox.api import request_parsing
from sandbox.api.dialects import sandbox_fusion_datasets as shapes
from sandbox.api.dialects import sandbox_fusion_judge as judge
from sandbox.api.dialects import sandbox_fusion_jupyter as jupyter
from sandbox.api.dialects.dialect import (
    Dialect,
    PeerRequest,
    build_limits,
    build_model,
    encode_response,
    execute_programs,
    resolve_language,
    select_debug_checks,
)
from sandbox.api.dialects.sandbox_fusion_problem import LANGUAGE_ALIASES, add_php_tag
from sandbox.api.problems import ProblemResponse
from sandbox.runner.contract import Status
from sandbox.schema import ExecuteRequest, ExecuteResult, Lane, StageResult

# Less than the 10 s after which verl gives up, so that it still receives a 504.
GRACE_S = 8.0
_TRANSIENT_STATUSES = frozenset({429, 503, 504})


def render_error(problem_response: ProblemResponse) -> Response:
    """Render an error like the peer, which uses FastAPI's format. Temporary failures get 504."""
    problem = problem_response.problem
    message = problem.detail or problem.title
    if problem.status in _TRANSIENT_STATUSES:
        return encode_response({"detail": message}, 504)
    if problem.status >= 500:
        return encode_response(render_failure(message))
    if problem.status == 422:
        fields = [{"type": "value_error", "loc": each.field.split("."), "msg": each.message} for each in problem.errors]
        return encode_response({"detail": fields or [{"type": "value_error", "loc": ["body"], "msg": message}]}, 422)
    return encode_response({"detail": message}, problem.status)


DIALECT = Dialect("sandbox_fusion", render_error)


class RunCodeRequest(PeerRequest):
    code: str
    language: str
    stdin: str | None = None
    compile_timeout: float = 10  # the peer's default
    run_timeout: float = 10
    memory_limit_MB: int = -1  # noqa: N815 -- the peer's spelling
    files: dict[str, str | None] = Field(default_factory=dict)
    fetch_files: list[str] = Field(default_factory=list)


@DIALECT.post("/run_code")
async def run_code(request: Request) -> Response:
    body = await request_parsing.parse_body(request, RunCodeRequest)
    timeout_s = max(body.compile_timeout, 0.0) + max(body.run_timeout, 0.0) + GRACE_S
    (result,) = await execute_programs(request, [_build_execute_request(body)], limit_s=timeout_s)
    return encode_response(render_run_code_result(result))


@DIALECT.post("/run_jupyter")
async def run_jupyter(request: Request) -> Response:
    body = await request_parsing.parse_body(request, jupyter.RunJupyterRequest)
    timeout_s = max(body.total_timeout, 0.0) + GRACE_S
    (result,) = await execute_programs(request, [jupyter.build_notebook_request(body)], limit_s=timeout_s)
    if result.status is Status.INTERNAL_ERROR:
        return encode_response({**render_failure(result.message), "driver": None, "cells": []})
    return encode_response(jupyter.render_notebook_result(result, render_command_result(result)))


@DIALECT.post("/submit")
async def submit(request: Request) -> Response:
    body = await request_parsing.parse_body(request, judge.SubmitRequest)
    return await judge.evaluate(request, body, await asyncio.to_thread(shapes.parse_problem, body))


@DIALECT.post("/common_evaluate_batch")
async def common_evaluate_batch(request: Request) -> Response:
    body = await request_parsing.parse_body(request, judge.SubmitRequest)
    return await judge.evaluate(request, body, await asyncio.to_thread(shapes.parse_scalebox_problem, body))


@DIALECT.get("/v1/ping")
async def ping(request: Request) -> Response:
    return encode_response("pong")


def _build_execute_request(body: RunCodeRequest) -> ExecuteRequest:
    language = resolve_language(body.language, LANGUAGE_ALIASES)
    return build_model(
        ExecuteRequest,
        language=language,
        code=add_php_tag(body.code) if language == "php" else body.code,
        stdin=body.stdin or "",
        files={name: data for name, data in body.files.items() if data is not None},
        fetch_files=body.fetch_files,
        # The peer's timeout is elapsed time; here, the time spent waiting for a free CPU does not count.
        limits=build_limits(
            cpu_time_s=body.run_timeout,
            wall_time_s=body.run_timeout,
            memory_mb=body.memory_limit_MB,
            compile_cpu_time_s=body.compile_timeout,
            compile_wall_time_s=body.compile_timeout,
        ),
        priority=Lane.RL,
        **select_debug_checks(language),
    )


def render_run_code_result(result: ExecuteResult) -> dict[str, Any]:
    """Render a result: SandboxError if the service failed, Failed for any timeout or nonzero exit code."""
    if result.status is Status.INTERNAL_ERROR:
        return render_failure(result.message)
    ran = None if result.status is Status.COMPILE_ERROR else render_command_result(result)
    return {
        "status": "Success" if result.status is Status.OK else "Failed",
        "message": "" if result.status is Status.OK else result.message,
        "compile_result": None if result.compile is None else render_command_result(result.compile),
        "run_result": ran,
        "executor_pod_name": None,
        "files": result.model_dump(mode="json", include={"files"})["files"],
    }


def render_failure(message: str) -> dict[str, Any]:
    return {
        "status": "SandboxError",
        "message": message,
        "compile_result": None,
        "run_result": None,
        "executor_pod_name": None,
        "files": {},
    }


def render_command_result(stage: StageResult) -> dict[str, Any]:
    late = Status.TIME_LIMIT_EXCEEDED in {stage.status, stage.message}  # the message of a compile error names the limit
    stderr = stage.stderr
    if stage.message and stage.status is not Status.OK:
        stderr += f"{'' if not stderr or stderr.endswith(chr(10)) else chr(10)}{stage.message}\n"
    return {
        "status": "TimeLimitExceeded" if late else "Finished",
        "execution_time": stage.usage.wall_time_s,
        "return_code": None if late else compute_return_code(stage.status, stage.exit_code, stage.signal),
        "stdout": stage.stdout,
        "stderr": stderr,
    }


def compute_return_code(status: Status, exit_code: int | None, signal: int | None) -> int:
    """Return an exit code like Python's subprocess: -N if signal N ended the run, and 0 only if it ended normally."""
    if status is Status.OK:
        return exit_code or 0
    if signal is not None:
        return -signal
    return exit_code or 1
