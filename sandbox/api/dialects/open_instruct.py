"""open-instruct: `/test_program` with asserts and `/test_program_stdio` with inputs and outputs.

If the service fails, the response is an HTTP error, as with the peer: its results can only be 0 or 1.
"""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import Request, Response

from sandbox.api import request_parsing
from sandbox.api.dialects.dialect import (
    Dialect,
    PeerRequest,
    build_limits,
    build_model,
    encode_response,
    parse_json_text,
    verify_submissions,
)
from sandbox.api.problems import ProblemResponse
from sandbox.errors import BadRequest, InfrastructureError
from sandbox.rewards import preamble
from sandbox.rewards.case_formats import read_stdin_tests
from sandbox.rewards.extraction import parses
from sandbox.rewards.packed_tests import NotPacked, unpack_tests
from sandbox.runner.contract import Verdict
from sandbox.schema import Lane, VerifyRequest


def render_error(problem_response: ProblemResponse) -> Response:
    response = encode_response(
        {"detail": problem_response.problem.detail or problem_response.problem.title}, problem_response.problem.status
    )
    response.headers.update(problem_response.headers)
    return response


DIALECT = Dialect("open_instruct", render_error)


class TestProgram(PeerRequest):
    __test__ = False  # not a test class of pytest, despite its name

    program: str
    tests: Any = None
    max_execution_time: float = 1.0


@DIALECT.post("/test_program")
async def test_program(request: Request) -> Response:
    """Run asserts. As with the peer, a test that is not valid Python fails."""
    body = await request_parsing.parse_body(request, TestProgram)
    tests = await asyncio.to_thread(_parse_tests, body.tests)
    good = [index for index, each in enumerate(tests) if isinstance(each, str) and parses(each)]
    results, runtimes = await _run_tests(request, body, body.program, [{"assert": tests[index]} for index in good])
    answer: dict[str, list[Any]] = {"results": [0] * len(tests), "runtimes": [-1.0] * len(tests)}
    for place, result, runtime in zip(good, results, runtimes, strict=True):
        answer["results"][place], answer["runtimes"][place] = result, runtime
    return encode_response(answer)


@DIALECT.post("/test_program_stdio")
async def test_program_stdio(request: Request) -> Response:
    """Run a program on inputs, with LiveCodeBench's imports prepended."""
    body = await request_parsing.parse_body(request, TestProgram)
    tests = await asyncio.to_thread(_parse_tests, body.tests)
    program = preamble.join_parts(preamble.build_livecodebench_preamble(), body.program)
    results, runtimes = await _run_tests(request, body, program, read_stdin_tests(tests) if tests else [])
    return encode_response({"results": results, "runtimes": runtimes})


@DIALECT.get("/health")
async def health(request: Request) -> Response:
    return encode_response({"status": "healthy"})


def _parse_tests(tests: Any) -> list[Any]:
    """Return the tests as a list. The request has them as a list, as JSON text, or packed. Raises BadRequest."""
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


async def _run_tests(
    request: Request, body: TestProgram, program: str, tests: list[Any]
) -> tuple[list[int], list[float]]:
    """Run the tests, and return two lists: 1 or 0 for each test that passed or failed, and how long each one took."""
    if not tests:
        return [], []
    submission = build_model(
        VerifyRequest,
        language="python",
        code=program,
        tests=tests,
        checker={"type": "livecodebench"},
        limits=build_limits(cpu_time_s=body.max_execution_time, wall_time_s=body.max_execution_time),
        priority=Lane.RL,
    )
    (result,) = await verify_submissions(request, [submission])
    if any(test.verdict is Verdict.INTERNAL_ERROR for test in result.tests):
        raise InfrastructureError(result.tests[0].message or "a box failed")
    passed = [int(test.verdict is Verdict.ACCEPTED) for test in result.tests]
    return passed, [test.usage.wall_time_s for test in result.tests]
