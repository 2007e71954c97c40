"""open-instruct: `/test_program` with asserts and `/test_program_stdio` with inputs and outputs.

A failure of ours is an HTTP error, as it is of the peer: its answer has no third value beside 0 and 1.
"""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from sandbox.api import bodies
from sandbox.api.dialects.tongue import Dialect, Foreign, answered, limits_of, made, verified
from sandbox.api.problems import Described
from sandbox.errors import InfrastructureError
from sandbox.rewards.cases import cases_of
from sandbox.runner.contract import Verdict
from sandbox.schema import Lane, VerifyRequest


def tell(told: Described) -> Response:
    response = answered({"detail": told.problem.detail or told.problem.title}, told.problem.status)
    response.headers.update(told.headers)
    return response


DIALECT = Dialect("open_instruct", tell)


class TestProgram(Foreign):
    __test__ = False  # not a pytest class, whatever its name says

    program: str
    tests: list[Any]
    max_execution_time: float = 1.0


@DIALECT.post("/test_program")
async def test_program(request: Request) -> Response:
    asked = await bodies.read(request, TestProgram)
    return await _tested(request, asked, [{"assert": str(each)} for each in asked.tests])


@DIALECT.post("/test_program_stdio")
async def test_program_stdio(request: Request) -> Response:
    asked = await bodies.read(request, TestProgram)
    return await _tested(request, asked, cases_of(asked.tests) if asked.tests else [])


@DIALECT.get("/health")
async def health(request: Request) -> Response:
    return answered({"status": "healthy"})


async def _tested(request: Request, asked: TestProgram, tests: list[Any]) -> Response:
    if not tests:
        return answered({"results": [], "runtimes": []})
    submission = made(
        VerifyRequest,
        language="python",
        code=asked.program,
        tests=tests,
        checker={"type": "livecodebench"},
        limits=limits_of(cpu_time_s=asked.max_execution_time, wall_time_s=asked.max_execution_time),
        priority=Lane.RL,
    )
    (result,) = await verified(request, [submission])
    if any(test.verdict is Verdict.INTERNAL_ERROR for test in result.tests):
        raise InfrastructureError(result.tests[0].message or "a box failed")
    return answered(
        {
            "results": [int(test.verdict is Verdict.ACCEPTED) for test in result.tests],
            "runtimes": [test.usage.wall_time_s for test in result.tests],
        }
    )
