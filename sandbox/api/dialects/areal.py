"""AReaL's function calls: `/apis/functioncalls`.

Its client retries up to a hundred times if the status is not 200 or an errorType is SystemError. A request that can
never succeed therefore gets 200 with a reason, and only failures of the service and a full queue are retried.
"""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response
from pydantic import Field

from sandbox.api import request_parsing
from sandbox.api.dialects.dialect import (
    Dialect,
    PeerRequest,
    build_limits,
    build_model,
    encode_response,
    execute_programs,
    parse_json_text,
    resolve_language,
    verify_submissions,
)
from sandbox.api.problems import ProblemResponse
from sandbox.errors import BadRequest
from sandbox.rewards.expected_call import ExpectedCall, build_function_test
from sandbox.runner.contract import Status
from sandbox.schema import ExecuteRequest, ExecuteResult, Lane, VerifyRequest
from sandbox.trainers.areal_reward import build_program, functioncall_answer, functioncall_request


def render_error(problem_response: ProblemResponse) -> Response:
    problem = problem_response.problem
    message = problem.detail or problem.title
    if problem.status >= 500:
        return encode_response({"detail": message}, problem.status)
    return encode_response(_render_failure("", message))


DIALECT = Dialect("areal", render_error)


class FunctionCall(PeerRequest):
    """A request of the client. For a program that contains its own tests, `testcases` is empty."""

    uid: Any = ""
    language: str = "python"
    code: str = ""
    entryFunction: str | None = ""  # noqa: N815 -- the peer's spelling
    isFastFail: bool | None = False  # noqa: N815
    testcases: list[dict[str, Any]] | dict[str, Any] = Field(default_factory=list)
    timeout: float | None = None
    memory: float | None = None


@DIALECT.post("/apis/functioncalls")
async def functioncalls(request: Request) -> Response:
    call = await request_parsing.parse_body(request, FunctionCall)
    body = call.model_dump()
    try:
        if not call.testcases:
            (ended,) = await execute_programs(request, [_build_execute_request(call)])
            return encode_response(_render_execute_result(call, ended))
        submission = (
            _build_verify_request(call, _parse_cases(call)) if call.entryFunction else functioncall_request(body)
        )
    except BadRequest as error:
        return encode_response(_render_failure(call.uid, str(error)))
    (result,) = await verify_submissions(request, [submission])
    return encode_response(functioncall_answer(body, result))


def _build_execute_request(call: FunctionCall) -> ExecuteRequest:
    """Build a request for a program that contains its own tests. It passes if the program exits with status 0."""
    language = resolve_language(call.language, {})
    return build_model(
        ExecuteRequest,
        language=language,
        code=build_program(language, call.code),
        limits=build_limits(cpu_time_s=call.timeout, memory_mb=call.memory),
        priority=Lane.RL,
    )


def _render_execute_result(call: FunctionCall, result: ExecuteResult) -> dict[str, Any]:
    passed = result.status is Status.OK
    lines = (result.stderr if result.compile is None else result.stderr or result.compile.stderr).strip().splitlines()
    reason = "" if passed else result.message or (lines[-1] if lines else result.status.value)
    error = "" if passed else "SystemError" if result.status is Status.INTERNAL_ERROR else "UnknownError"
    return {
        "uid": call.uid,
        "success": passed,
        "results": [{"success": passed, "reason": reason, "errorType": error}],
    }


def _parse_cases(call: FunctionCall) -> list[tuple[Any, Any]]:
    """Return the inputs and expected outputs, given either as a list of cases or as columns of a data set row."""
    given = call.testcases
    if isinstance(given, list):
        if not all({"input", "expectedOutput"} <= case.keys() for case in given):
            raise BadRequest("testcases must be a list of {input, expectedOutput}", "testcases")
        return [(case["input"], case["expectedOutput"]) for case in given]
    inputs, outputs = given.get("inputs"), given.get("outputs")
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise BadRequest("testcases need as many outputs as inputs", "testcases")
    return list(zip(inputs, outputs, strict=True))


def _build_verify_request(call: FunctionCall, cases: list[tuple[Any, Any]]) -> VerifyRequest:
    """Build tests that call a function. Each line of an input is a JSON argument; the expected output is JSON."""
    calls = [ExpectedCall(_parse_arguments(given), parse_json_text(wanted), lenient=True) for given, wanted in cases]
    return build_model(
        VerifyRequest,
        language=resolve_language(call.language, {}),
        code=build_program("python", call.code),
        tests=[build_function_test(each) for each in calls],
        entry_point=f"Solution.{call.entryFunction}" if "class Solution" in call.code else call.entryFunction,
        limits=build_limits(cpu_time_s=call.timeout, memory_mb=call.memory),
        stop_on_failure=bool(call.isFastFail),
        priority=Lane.RL,
    )


def _parse_arguments(given: Any) -> Any:
    if isinstance(given, str):
        return [parse_json_text(line) for line in given.split("\n") if line.strip()]
    return given


def _render_failure(uid: Any, reason: str) -> dict[str, Any]:
    return {
        "uid": uid,
        "success": False,
        "results": [{"success": False, "reason": reason, "errorType": "UnknownError"}],
    }
