"""NeMo Gym's resources server for code generation: `/verify`, which judges a response of a model with unit tests.

The response repeats the request, as with the peer. If the service fails, the sample is masked, so that trainers and
benchmarks leave it out.
"""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import Request, Response
from pydantic import ConfigDict, Field

from sandbox.api import request_parsing
from sandbox.api.dialects.dialect import (
    Dialect,
    PeerRequest,
    build_limits,
    build_model,
    encode_response,
    parse_json_text,
    parse_model,
    render_detail,
    verify_submissions,
)
from sandbox.errors import BadRequest
from sandbox.rewards import preamble
from sandbox.rewards.expected_call import ExpectedCall, build_function_test
from sandbox.rewards.extraction import extract
from sandbox.rewards.packed_tests import NotPacked, unpack_tests
from sandbox.runner.contract import Verdict
from sandbox.schema import Lane, VerifyRequest, VerifyResult

TIMEOUT_S = 10.0  # the peer's default for one test
TESTS_FIELD = "verifier_metadata.unit_tests"
THINKING_TAGS = ("<think>", "</think>")
FLOAT_CHECKER = {"type": "float", "absolute": 1e-6, "relative": 1e-6}
# The peer's codes of tests that fail; a program that does not compile counts as a runtime error.
CODE_BY_VERDICT = {Verdict.WRONG_ANSWER: -2, Verdict.TIME_LIMIT_EXCEEDED: -3}
RUNTIME_ERROR_CODE = -4
MESSAGES = {-2: "Wrong Answer", -3: "Time Limit Exceeded", RUNTIME_ERROR_CODE: "Runtime Error"}


DIALECT = Dialect("nemo_gym", render_detail)


class UnitTests(PeerRequest):
    """Inputs and outputs, or `packed`: base64 of zlib of an object that has both."""

    inputs: list[str] = Field(default_factory=list)
    outputs: list[str] = Field(default_factory=list)
    packed: str = ""
    fn_name: str | None = None


class GymVerifyRequest(PeerRequest):
    """A request. The response repeats all its fields, and `verifier_metadata` can be large, so it is kept as it is."""

    model_config = ConfigDict(extra="allow")

    responses_create_params: dict[str, Any]
    response: dict[str, Any]
    verifier_metadata: dict[str, Any]


class SessionBody(PeerRequest):
    resources_session_id: str | None = None


@DIALECT.post("/verify")
async def verify(request: Request) -> Response:
    body = await request_parsing.parse_body(request, GymVerifyRequest)
    echo = body.model_dump() | {"difficulty": body.verifier_metadata.get("difficulty")}
    text = _get_output_text(body.response)
    tests = await asyncio.to_thread(_read_tests, body.verifier_metadata)
    if not text.strip():
        return encode_response({**echo, "reward": 0.0})
    answer = await asyncio.to_thread(extract, text, "python")
    if answer is None or not answer.code:
        return encode_response({**echo, "reward": 0.0, "extracted_model_output": text})
    try:
        submission = await asyncio.to_thread(_build_submission, answer.code, tests)
    except BadRequest as error:
        if error.field != "code":
            raise
        return encode_response({**echo, "reward": 0.0, "extracted_model_output": text})  # the program is too large
    (result,) = await verify_submissions(request, [submission])
    rendered = {"extracted_model_output": text, "extracted_model_code": answer.code, **_render_result(result)}
    if any(tag in text for tag in THINKING_TAGS):
        rendered |= {"reward": 0.0, "reasoning_format_violation_rate": 1.0}
    return encode_response({**echo, **rendered})


@DIALECT.post("/seed_session", "/close_session")
async def keep_no_session(request: Request) -> Response:
    """Confirm a session: judging needs none."""
    body = await request_parsing.parse_body(request, SessionBody)
    return encode_response(body.model_dump(exclude_none=True))


@DIALECT.get("/reverify_mode")
async def reverify_mode(request: Request) -> Response:
    return encode_response("stateless")


def _get_output_text(response: dict[str, Any]) -> str:
    """Return the text of a response of OpenAI's Responses API, without reasoning and tool calls. Raises BadRequest."""
    try:
        contents = [part for item in response["output"] if item["type"] == "message" for part in item["content"]]
        return "".join(part["text"] for part in contents if part["type"] == "output_text")
    except (KeyError, TypeError):
        raise BadRequest("response must have the shape of OpenAI's Responses API", "response.output") from None


def _read_tests(metadata: dict[str, Any]) -> UnitTests:
    """Return the tests, unpacked without unpickling anything. Raises BadRequest."""
    given = metadata.get("unit_tests")
    if not isinstance(given, dict):
        raise BadRequest("verifier_metadata needs the object unit_tests", TESTS_FIELD)
    tests = parse_model(UnitTests, given)
    if tests.packed:
        try:
            unpacked = unpack_tests(tests.packed)
        except NotPacked as error:
            raise BadRequest(f"packed tests cannot be read: {error}", f"{TESTS_FIELD}.packed") from None
        if not isinstance(unpacked, dict):
            raise BadRequest("packed tests must be an object with inputs and outputs", f"{TESTS_FIELD}.packed")
        tests = parse_model(UnitTests, {**unpacked, "fn_name": tests.fn_name, "packed": ""})
    if not tests.inputs or len(tests.inputs) != len(tests.outputs):
        counts = f"{len(tests.inputs)} inputs but {len(tests.outputs)} outputs"
        raise BadRequest(f"unit_tests has {counts}; it needs as many of both, and at least one", TESTS_FIELD)
    return tests


def _build_submission(code: str, tests: UnitTests) -> VerifyRequest:
    """Build a submission that stops at the first failure, with LiveCodeBench's imports before the program."""
    pairs = list(zip(tests.inputs, tests.outputs, strict=True))
    name = tests.fn_name or ""
    if name and "class Solution" in code:
        name = f"Solution.{name}"
    return build_model(
        VerifyRequest,
        language="python",
        code=preamble.join_parts(preamble.build_livecodebench_preamble(), code),
        tests=[_build_call(*pair) if name else {"stdin": pair[0], "expected": pair[1]} for pair in pairs],
        entry_point=name,
        checker=_choose_checker(tests.outputs),
        limits=build_limits(cpu_time_s=TIMEOUT_S, wall_time_s=TIMEOUT_S),
        stop_on_failure=True,
        priority=Lane.RL,
    )


def _build_call(given: str, wanted: str) -> dict[str, Any]:
    """Build the test of one call: each line of the input is one argument in JSON."""
    arguments = [parse_json_text(line, TESTS_FIELD) for line in given.split("\n") if line.strip()]
    return build_function_test(ExpectedCall.from_livecodebench(arguments, parse_json_text(wanted, TESTS_FIELD)))


def _choose_checker(outputs: list[str]) -> dict[str, Any]:
    """Return the checker closest to the peer's rule, which treats tokens with a point and answers of yes or no apart.

    The checker `float` would take large integers that differ by one for equal, so it is only used for outputs with
    decimal points.
    """
    tokens = {token.lower() for output in outputs for token in output.split()}
    if tokens <= {"yes", "no"}:
        return {"type": "case_insensitive"}
    return FLOAT_CHECKER if any(_is_decimal(token) for token in tokens) else {"type": "livecodebench"}


def _is_decimal(token: str) -> bool:
    whole, point, fraction = token.removeprefix("-").partition(".")
    return bool(point) and (whole + fraction).isdecimal()


def _render_result(result: VerifyResult) -> dict[str, Any]:
    if any(test.verdict is Verdict.INTERNAL_ERROR for test in result.tests):
        reason = next((test.message for test in result.tests if test.message), "a box failed")
        masked = {"mask_sample": True, "failure_kind": "verifier_error", "failure_reason": reason}
        return {"reward": 0.0, **masked}
    tests = [test for test in result.tests if test.verdict is not Verdict.SKIPPED]
    codes = [
        True if test.verdict is Verdict.ACCEPTED else CODE_BY_VERDICT.get(test.verdict, RUNTIME_ERROR_CODE)
        for test in tests
    ]
    time_s = sum(test.usage.wall_time_s for test in tests)
    failed = next((code for code in codes if code is not True), None)
    metadata = (
        {"execution time": time_s} if failed is None else {"error_code": failed, "error_message": MESSAGES[failed]}
    )
    return {
        "reward": float(failed is None),
        "result": codes,
        "metadata": metadata,
        "unit_tests_time_taken": time_s,
        "reasoning_format_violation_rate": 0.0,
    }
