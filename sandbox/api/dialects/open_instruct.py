"""open-instruct: `/test_program` with asserts and `/test_program_stdio` with inputs and outputs.

A failure of ours is an HTTP error, as it is of the peer: its answer has no third value beside 0 and 1.
"""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import Request, Response

from sandbox.api import bodies
from sandbox.api.dialects.tongue import Dialect, Foreign, answered, limits_of, made, parse_json_text, verified
from sandbox.api.problems import Described
from sandbox.errors import BadRequest, InfrastructureError
from sandbox.rewards import preamble
from sandbox.rewards.cases import cases_of
from sandbox.rewards.extract import parses
from sandbox.rewards.packed_tests import NotPacked, unpack_tests
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
    tests: Any = None
    max_execution_time: float = 1.0


@DIALECT.post("/test_program")
async def test_program(request: Request) -> Response:
    """Run asserts. A test that is no Python is the data set's fault, and fails as it does with the peer."""
    asked = await bodies.read(request, TestProgram)
    tests = await asyncio.to_thread(_decoded, asked.tests)
    good = [index for index, each in enumerate(tests) if isinstance(each, str) and parses(each)]
    results, runtimes = await _tested(request, asked, asked.program, [{"assert": tests[index]} for index in good])
    answer: dict[str, list[Any]] = {"results": [0] * len(tests), "runtimes": [-1.0] * len(tests)}
    for place, result, runtime in zip(good, results, runtimes, strict=True):
        answer["results"][place], answer["runtimes"][place] = result, runtime
    return answered(answer)


@DIALECT.post("/test_program_stdio")
async def test_program_stdio(request: Request) -> Response:
    """Run a program, after LiveCodeBench's imports, on inputs."""
    asked = await bodies.read(request, TestProgram)
    tests = await asyncio.to_thread(_decoded, asked.tests)
    program = preamble.join_parts(preamble.livecodebench_preamble(), asked.program)
    results, runtimes = await _tested(request, asked, program, cases_of(tests) if tests else [])
    return answered({"results": results, "runtimes": runtimes})


@DIALECT.get("/health")
async def health(request: Request) -> Response:
    return answered({"status": "healthy"})


def _decoded(tests: Any) -> list[Any]:
    """The tests in a list, in JSON text or packed. Raises BadRequest."""
    if not tests:
        return []
    found = parse_json_text(tests, "tests")
    try:
        found = unpack_tests(found) if isinstance(found, str) else found
    except NotPacked as error:
        raise BadRequest(f"tests are neither JSON nor packed tests: {error}", "tests") from None
    if not isinstance(found, list):
        raise BadRequest("tests must be a list", "tests")
    return found


async def _tested(
    request: Request, asked: TestProgram, program: str, tests: list[Any]
) -> tuple[list[int], list[float]]:
    """For each test whether it passed, and how long it took."""
    if not tests:
        return [], []
    submission = made(
        VerifyRequest,
        language="python",
        code=program,
        tests=tests,
        checker={"type": "livecodebench"},
        limits=limits_of(cpu_time_s=asked.max_execution_time, wall_time_s=asked.max_execution_time),
        priority=Lane.RL,
    )
    (result,) = await verified(request, [submission])
    if any(test.verdict is Verdict.INTERNAL_ERROR for test in result.tests):
        raise InfrastructureError(result.tests[0].message or "a box failed")
    passed = [int(test.verdict is Verdict.ACCEPTED) for test in result.tests]
    return passed, [test.usage.wall_time_s for test in result.tests]
