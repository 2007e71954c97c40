"""open-r1's script router: `/execute_batch`, which responds with E2B executions, and `/health`.

A script's last expression is its result, as in a notebook. `exception_str` says why a script could not run at all.
"""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from sandbox.api import request_parsing
from sandbox.api.dialects.dialect import (
    Dialect,
    PeerRequest,
    build_limits,
    build_model,
    encode_response,
    execute_programs,
    resolve_language,
)
from sandbox.api.problems import ProblemResponse
from sandbox.errors import BadRequest
from sandbox.rewards.extraction import tag_language
from sandbox.runner.contract import Status
from sandbox.schema import ExecuteRequest, ExecuteResult, Lane
from sandbox.trainers.open_r1_reward import print_last_expression


def render_error(problem_response: ProblemResponse) -> Response:
    response = encode_response(
        {"detail": problem_response.problem.detail or problem_response.problem.title}, problem_response.problem.status
    )
    response.headers.update(problem_response.headers)
    return response


DIALECT = Dialect("open_r1", render_error)


class Batch(PeerRequest):
    scripts: list[str]
    languages: list[str] | None = None
    language: str = "python"
    timeout: float = 30.0


@DIALECT.post("/execute_batch")
async def execute_batch(request: Request) -> Response:
    batch = await request_parsing.parse_body(request, Batch)
    names = batch.languages if batch.languages is not None else [batch.language] * len(batch.scripts)
    if len(names) != len(batch.scripts):
        raise BadRequest(f"got {len(names)} languages for {len(batch.scripts)} scripts", "languages")
    answers: list[dict[str, Any]] = []
    programs: dict[int, ExecuteRequest] = {}
    for index, (script, name) in enumerate(zip(batch.scripts, names, strict=True)):
        answers.append(_render_exception("the script cannot be run"))
        try:
            programs[index] = _build_execute_request(script, resolve_language(tag_language(name), {}), batch.timeout)
        except BadRequest as error:
            answers[index] = _render_exception(str(error))
    results = await execute_programs(request, list(programs.values()))
    for index, result in zip(programs, results, strict=True):
        prints_value = programs[index].code != batch.scripts[index]
        answers[index] = _render_result(result, prints_value)
    return encode_response(answers)


@DIALECT.get("/health")
async def health(request: Request) -> Response:
    return encode_response({"status": "ok"})


def _build_execute_request(script: str, language: str, timeout_s: float) -> ExecuteRequest:
    return build_model(
        ExecuteRequest,
        language=language,
        code=print_last_expression(script) if language == "python" else script,
        limits=build_limits(cpu_time_s=timeout_s, wall_time_s=timeout_s),
        priority=Lane.RL,
    )


def _render_result(result: ExecuteResult, prints_value: bool) -> dict[str, Any]:
    """Render an E2B execution. With `prints_value`, the last line of stdout is the value of the last expression."""
    if result.status is Status.INTERNAL_ERROR:
        return _render_exception(result.message)
    ended_well = result.status is Status.OK
    output, value = result.stdout, None
    if prints_value and ended_well:
        lines = output.removesuffix("\n").split("\n")
        output, value = "".join(f"{line}\n" for line in lines[:-1]), lines[-1]
    execution = {
        "results": [] if value is None else [{"text": value, "is_main_result": True}],
        "logs": {"stdout": [output] if output else [], "stderr": [result.stderr] if result.stderr else []},
        "error": None if ended_well else _render_script_error(result),
        "execution_count": 1,
    }
    return {"execution": execution, "exception_str": None}


def _render_script_error(result: ExecuteResult) -> dict[str, str]:
    """Describe the error that ended the script: the last line of its traceback, or the limit that it exceeded."""
    stderr = result.stderr
    if result.status is Status.COMPILE_ERROR and result.compile is not None:
        stderr = result.compile.stderr
    last = stderr.strip().rsplit("\n", 1)[-1]
    name, _, value = last.partition(": ")
    if result.status is not Status.RUNTIME_ERROR or not name.isidentifier():
        name, value = result.status.value, result.message or last
    return {"name": name, "value": value, "traceback": stderr}


def _render_exception(message: str) -> dict[str, Any]:
    return {"execution": None, "exception_str": message or "the sandbox failed"}
