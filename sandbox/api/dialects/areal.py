"""AReaL's function calls: `/apis/functioncalls`.

Its client tries anything but a 200 a hundred times, and an errorType SystemError too: so what can never be is answered
with 200 and its reason, and what is our failure, or a full queue, is worth trying again.
"""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response
from pydantic import Field

from sandbox.api import bodies
from sandbox.api.dialects.tongue import (
    Dialect,
    Foreign,
    answered,
    executed,
    language_of,
    limits_of,
    made,
    parse_json_text,
    verified,
)
from sandbox.api.problems import Described
from sandbox.errors import BadRequest
from sandbox.rewards.areal_reward import functioncall_answer, functioncall_request, program_of
from sandbox.rewards.function_cases import Call, build_function_test
from sandbox.runner.contract import Status
from sandbox.schema import ExecuteRequest, ExecuteResult, Lane, VerifyRequest


def tell(told: Described) -> Response:
    problem = told.problem
    words = problem.detail or problem.title
    if problem.status >= 500:
        return answered({"detail": words}, problem.status)
    return answered(_failed("", words))


DIALECT = Dialect("areal", tell)


class FunctionCall(Foreign):
    """What the client sends; it sends a program with tests of its own without any testcases."""

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
    call = await bodies.read(request, FunctionCall)
    body = call.model_dump()
    try:
        if not call.testcases:
            (ended,) = await executed(request, [_unit_tests(call)])
            return answered(_ended(call, ended))
        submission = _called(call, _cases(call)) if call.entryFunction else functioncall_request(body)
    except BadRequest as error:
        return answered(_failed(call.uid, str(error)))
    (result,) = await verified(request, [submission])
    return answered(functioncall_answer(body, result))


def _unit_tests(call: FunctionCall) -> ExecuteRequest:
    """A program that ends with tests of itself: it passes when it ends well."""
    language = language_of(call.language, {})
    return made(
        ExecuteRequest,
        language=language,
        code=program_of(language, call.code),
        limits=limits_of(cpu_time_s=call.timeout, memory_mb=call.memory),
        priority=Lane.RL,
    )


def _ended(call: FunctionCall, result: ExecuteResult) -> dict[str, Any]:
    passed = result.status is Status.OK
    lines = (result.stderr if result.compile is None else result.stderr or result.compile.stderr).strip().splitlines()
    reason = "" if passed else result.message or (lines[-1] if lines else result.status.value)
    error = "" if passed else "SystemError" if result.status is Status.INTERNAL_ERROR else "UnknownError"
    return {
        "uid": call.uid,
        "success": passed,
        "results": [{"success": passed, "reason": reason, "errorType": error}],
    }


def _cases(call: FunctionCall) -> list[tuple[Any, Any]]:
    """Inputs and expected outputs: a list of cases, or the columns of a data set's row."""
    given = call.testcases
    if isinstance(given, list):
        if not all({"input", "expectedOutput"} <= case.keys() for case in given):
            raise BadRequest("testcases must be a list of {input, expectedOutput}", "testcases")
        return [(case["input"], case["expectedOutput"]) for case in given]
    inputs, outputs = given.get("inputs"), given.get("outputs")
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise BadRequest("testcases need as many outputs as inputs", "testcases")
    return list(zip(inputs, outputs, strict=True))


def _called(call: FunctionCall, cases: list[tuple[Any, Any]]) -> VerifyRequest:
    """A program whose function is called: inputs are JSON values, one a line; the expected output is JSON."""
    calls = [Call(_arguments(given), parse_json_text(wanted), lenient=True) for given, wanted in cases]
    return made(
        VerifyRequest,
        language=language_of(call.language, {}),
        code=program_of("python", call.code),
        tests=[build_function_test(each) for each in calls],
        entry_point=f"Solution.{call.entryFunction}" if "class Solution" in call.code else call.entryFunction,
        limits=limits_of(cpu_time_s=call.timeout, memory_mb=call.memory),
        stop_on_failure=bool(call.isFastFail),
        priority=Lane.RL,
    )


def _arguments(given: Any) -> Any:
    if isinstance(given, str):
        return [parse_json_text(line) for line in given.split("\n") if line.strip()]
    return given


def _failed(uid: Any, reason: str) -> dict[str, Any]:
    return {
        "uid": uid,
        "success": False,
        "results": [{"success": False, "reason": reason, "errorType": "UnknownError"}],
    }
