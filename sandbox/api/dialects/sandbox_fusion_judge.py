"""SandboxFusion's judge: runs a completion's program on its tests and responds with the peer's EvalResult.

`sandbox_fusion_datasets` turns a data set row into a program and tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any

from fastapi import Request, Response
from pydantic import Field

from sandbox.api.dialects.dialect import (
    PeerRequest,
    build_limits,
    build_model,
    encode_response,
    select_debug_checks,
    verify_submissions,
)
from sandbox.errors import BadRequest
from sandbox.runner.contract import Verdict
from sandbox.schema import Lane, TestResult, VerifyRequest, VerifyResult

DEFAULT_TOTAL_TIMEOUT_S = 300.0
MAX_SHOWN_CHARS = 1_000


class Config(PeerRequest):
    language: str | None = None
    dataset_type: str | None = None
    compile_timeout: float | None = None
    run_timeout: float | None = None
    custom_extract_logic: str | None = None
    provided_data: dict[str, Any] | list[dict[str, Any]] | None = None
    extra: dict[str, Any] = Field(default_factory=dict)


class SubmitRequest(PeerRequest):
    dataset: str = ""
    id: int | str = 0
    completion: str
    config: Config


@dataclass(frozen=True, slots=True)
class JudgeProblem:
    """A completion's program and its tests.

    `extracted_code` is the completion's code, `code` is the program made from it, and `shown_tests` is what the peer
    shows of each test. `run_timeout_s` is the peer's limit for a request without one.
    """

    extracted_code: str
    code: str
    language: str
    tests: list[dict[str, Any]]
    shown_tests: list[dict[str, Any] | None]
    checker: dict[str, Any]
    run_timeout_s: float
    entry_point: str = ""


async def evaluate(request: Request, body: SubmitRequest, problem: JudgeProblem) -> Response:
    """Judge the problem and respond with the peer's EvalResult."""
    config = body.config
    if not problem.tests:
        raise BadRequest("there are no tests", "config.provided_data")
    run_timeout_s = config.run_timeout or problem.run_timeout_s
    submission = build_model(
        VerifyRequest,
        language=problem.language,
        code=problem.code,
        tests=problem.tests,
        entry_point=problem.entry_point,
        checker=config.extra.get("checker") or problem.checker,
        limits=build_limits(
            cpu_time_s=run_timeout_s,
            wall_time_s=run_timeout_s,
            compile_cpu_time_s=config.compile_timeout,
            compile_wall_time_s=config.compile_timeout,
        ),
        stop_on_failure=not config.extra.get("run_all_cases", False),
        priority=Lane.RL,
        **select_debug_checks(problem.language),
    )
    (result,) = await verify_submissions(request, [submission], limit_s=_read_total_timeout_s(config))
    return encode_response(_render_result(body, problem, result))


def _read_total_timeout_s(config: Config) -> float:
    given = config.extra.get("total_timeout") or DEFAULT_TOTAL_TIMEOUT_S
    if isinstance(given, bool) or not isinstance(given, int | float) or not (isfinite(given) and given > 0):
        raise BadRequest("total_timeout must be a positive number of seconds", "config.extra.total_timeout")
    return float(given)


def _render_result(body: SubmitRequest, problem: JudgeProblem, result: VerifyResult) -> dict[str, Any]:
    whole = bool(body.config.extra.get("return_full_case"))
    tests = [
        {
            "passed": test.verdict is Verdict.ACCEPTED,
            "exec_info": _render_exec_info(test, result),
            "test_info": shown if whole else _shorten(shown),
        }
        for test, shown in zip(result.tests, problem.shown_tests, strict=False)
        if test.verdict is not Verdict.SKIPPED
    ]
    return {
        "id": body.id,
        "accepted": result.verdict is Verdict.ACCEPTED,
        "extracted_code": problem.extracted_code,
        "full_code": problem.code,
        "test_code": None,
        "tests": tests,
        "extracted_type": "fenced" if "```" in body.completion else "empty",
        "extra": {"verdict": result.verdict.value, "passed": result.passed, "total": result.total},
    }


def _render_exec_info(test: TestResult, result: VerifyResult) -> dict[str, Any]:
    """Describe how a test's run ended. The output is missing because the worker judges it and does not return it."""
    answer: dict[str, Any] = {
        "status": "Success" if test.verdict in {Verdict.ACCEPTED, Verdict.WRONG_ANSWER} else "Failed",
        "message": test.message,
        "compile_result": None,
        "run_result": None,
        "executor_pod_name": None,
        "files": {},
    }
    if test.verdict is Verdict.INTERNAL_ERROR:
        return {**answer, "status": "SandboxError"}
    late = test.verdict is Verdict.TIME_LIMIT_EXCEEDED
    code = 0 if answer["status"] == "Success" else -test.signal if test.signal is not None else test.exit_code or 1
    run_result = {
        "status": "TimeLimitExceeded" if late else "Finished",
        "execution_time": test.usage.wall_time_s,
        "return_code": None if late else code,
        "stdout": "",
        "stderr": "",
    }
    if test.verdict is Verdict.COMPILE_ERROR:
        compiler = result.compile.stderr if result.compile is not None else ""
        return {**answer, "compile_result": {**run_result, "stderr": compiler}}
    return {**answer, "run_result": run_result}


def _shorten(shown: Any) -> Any:
    if isinstance(shown, str):
        return shown if len(shown) <= MAX_SHOWN_CHARS else shown[:MAX_SHOWN_CHARS] + "..."
    if isinstance(shown, dict):
        return {name: _shorten(value) for name, value in shown.items()}
    return shown
