"""AReaL's function calls: `/apis/functioncalls`.

Its client tries anything but a 200 a hundred times, and an errorType SystemError too: so what can never be is answered
with 200 and its reason, and what is our failure, or a full queue, is worth trying again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response

from sandbox.api.dialects.questions import body_of
from sandbox.api.dialects.tongue import Dialect, answered, language_of, limits_of, made, verified
from sandbox.api.problems import Described
from sandbox.errors import BadRequest
from sandbox.rewards.areal_reward import functioncall_answer, functioncall_request
from sandbox.schema import Lane, VerifyRequest


def tell(told: Described) -> Response:
    problem = told.problem
    words = problem.detail or problem.title
    if problem.status >= 500:
        return answered({"detail": words}, problem.status)
    return answered(_failed("", words))


DIALECT = Dialect("areal", tell)


@DIALECT.post("/apis/functioncalls")
async def functioncalls(request: Request) -> Response:
    body = await body_of(request)
    try:
        submission = _called(body) if body.get("entryFunction") else functioncall_request(body)
    except BadRequest as error:
        return answered(_failed(str(body.get("uid") or ""), str(error)))
    (result,) = await verified(request, [submission])
    return answered(functioncall_answer(body, result))


def _called(body: Mapping[str, Any]) -> VerifyRequest:
    """A program whose function is called: inputs are JSON values, one a line; the expected output is JSON."""
    code, name = str(body.get("code") or ""), str(body["entryFunction"])
    cases = body.get("testcases")
    if not isinstance(cases, list) or not all(isinstance(case, Mapping) for case in cases):
        raise BadRequest("testcases: [{input, expectedOutput}] is needed", "testcases")
    return made(
        VerifyRequest,
        language=language_of(str(body.get("language") or "python"), {}),
        code=code,
        tests=[
            {"args": _arguments(case.get("input")), "expected": _value(case.get("expectedOutput"))} for case in cases
        ],
        entry_point=f"Solution.{name}" if "class Solution" in code else name,
        limits=limits_of(cpu_time_s=body.get("timeout"), memory_mb=body.get("memory")),
        stop_on_failure=bool(body.get("isFastFail")),
        priority=Lane.RL,
    )


def _arguments(given: Any) -> list[Any]:
    if isinstance(given, str):
        return [_value(line) for line in given.split("\n")]
    return given if isinstance(given, list) else [given]


def _value(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _failed(uid: str, reason: str) -> dict[str, Any]:
    return {
        "uid": uid,
        "success": False,
        "results": [{"success": False, "reason": reason, "errorType": "UnknownError"}],
    }
