"""open-r1's router of scripts: `/execute_batch`, answered as E2B executions, and `/health`.

A script's last expression is its result, as a notebook shows it; what kept it from running at all is `exception_str`.
"""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from sandbox.api import bodies
from sandbox.api.dialects.tongue import Dialect, Foreign, answered, executed, language_of, limits_of, made
from sandbox.api.problems import Described
from sandbox.errors import BadRequest
from sandbox.rewards.extract import tag_language
from sandbox.rewards.open_r1_reward import with_result_printed
from sandbox.runner.contract import Status
from sandbox.schema import ExecuteRequest, ExecuteResult, Lane


def tell(told: Described) -> Response:
    response = answered({"detail": told.problem.detail or told.problem.title}, told.problem.status)
    response.headers.update(told.headers)
    return response


DIALECT = Dialect("open_r1", tell)


class Batch(Foreign):
    scripts: list[str]
    languages: list[str] | None = None
    language: str = "python"
    timeout: float = 30.0


@DIALECT.post("/execute_batch")
async def execute_batch(request: Request) -> Response:
    batch = await bodies.read(request, Batch)
    names = batch.languages if batch.languages is not None else [batch.language] * len(batch.scripts)
    if len(names) != len(batch.scripts):
        raise BadRequest(f"{len(names)} languages for {len(batch.scripts)} scripts", "languages")
    answers: list[dict[str, Any]] = []
    programs: dict[int, ExecuteRequest] = {}
    for index, (script, name) in enumerate(zip(batch.scripts, names, strict=True)):
        answers.append(_exception("a script that cannot be run"))
        try:
            programs[index] = _program(script, language_of(tag_language(name), {}), batch.timeout)
        except BadRequest as error:
            answers[index] = _exception(str(error))
    results = await executed(request, list(programs.values()))
    for index, result in zip(programs, results, strict=True):
        shows = programs[index].code != batch.scripts[index]
        answers[index] = _answer(result, shows)
    return answered(answers)


@DIALECT.get("/health")
async def health(request: Request) -> Response:
    return answered({"status": "ok"})


def _program(script: str, language: str, timeout_s: float) -> ExecuteRequest:
    return made(
        ExecuteRequest,
        language=language,
        code=with_result_printed(script) if language == "python" else script,
        limits=limits_of(cpu_time_s=timeout_s, wall_time_s=timeout_s),
        priority=Lane.RL,
    )


def _answer(result: ExecuteResult, shows: bool) -> dict[str, Any]:
    """An E2B execution; `shows` says that the last line of stdout is the last expression's value."""
    if result.status is Status.INTERNAL_ERROR:
        return _exception(result.message)
    ended_well = result.status is Status.OK
    output, value = result.stdout, None
    if shows and ended_well:
        lines = output.removesuffix("\n").split("\n")
        output, value = "".join(f"{line}\n" for line in lines[:-1]), lines[-1]
    execution = {
        "results": [] if value is None else [{"text": value, "is_main_result": True}],
        "logs": {"stdout": [output] if output else [], "stderr": [result.stderr] if result.stderr else []},
        "error": None if ended_well else _error(result),
        "execution_count": 1,
    }
    return {"execution": execution, "exception_str": None}


def _error(result: ExecuteResult) -> dict[str, str]:
    """What ended the script: the last line of its traceback, or what our limits say."""
    told = result.stderr
    if result.status is Status.COMPILE_ERROR and result.compile is not None:
        told = result.compile.stderr
    last = told.strip().rsplit("\n", 1)[-1]
    name, _, value = last.partition(": ")
    if result.status is not Status.RUNTIME_ERROR or not name.isidentifier():
        name, value = result.status.value, result.message or last
    return {"name": name, "value": value, "traceback": told}


def _exception(message: str) -> dict[str, Any]:
    return {"execution": None, "exception_str": message or "the sandbox failed"}
