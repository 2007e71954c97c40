"""SandboxFusion's judge: a completion's program on its tests, answered as the peer's EvalResult.

Which program and which tests a data set's row means is `sandbox_fusion_shapes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any

from fastapi import Request, Response
from pydantic import Field

from sandbox.api.dialects.tongue import Foreign, answered, limits_of, made, select_debug_checks, verified
from sandbox.errors import BadRequest
from sandbox.runner.contract import Verdict
from sandbox.schema import Lane, TestResult, VerifyRequest, VerifyResult

TOTAL_TIMEOUT_S = 300.0
SHOWN_CHARS = 1_000


class Config(Foreign):
    language: str | None = None
    dataset_type: str | None = None
    compile_timeout: float | None = None
    run_timeout: float | None = None
    custom_extract_logic: str | None = None
    provided_data: dict[str, Any] | list[dict[str, Any]] | None = None
    extra: dict[str, Any] = Field(default_factory=dict)


class Submit(Foreign):
    dataset: str = ""
    id: int | str = 0
    completion: str
    config: Config


@dataclass(frozen=True, slots=True)
class Problem:
    """A completion's program and its tests.

    `extracted` is the completion's code, `code` the program made of it, `shown` what the peer shows of each test, and
    `run_timeout_s` the peer's limit for a request without one.
    """

    extracted: str
    code: str
    language: str
    tests: list[dict[str, Any]]
    shown: list[dict[str, Any] | None]
    checker: dict[str, Any]
    run_timeout_s: float
    entry_point: str = ""


async def evaluated(request: Request, asked: Submit, problem: Problem) -> Response:
    """Judge the problem, and answer as the peer's EvalResult."""
    config = asked.config
    if not problem.tests:
        raise BadRequest("there are no tests", "config.provided_data")
    run_timeout_s = config.run_timeout or problem.run_timeout_s
    submission = made(
        VerifyRequest,
        language=problem.language,
        code=problem.code,
        tests=problem.tests,
        entry_point=problem.entry_point,
        checker=config.extra.get("checker") or problem.checker,
        limits=limits_of(
            cpu_time_s=run_timeout_s,
            wall_time_s=run_timeout_s,
            compile_cpu_time_s=config.compile_timeout,
            compile_wall_time_s=config.compile_timeout,
        ),
        stop_on_failure=not config.extra.get("run_all_cases", False),
        priority=Lane.RL,
        **select_debug_checks(problem.language),
    )
    (result,) = await verified(request, [submission], limit_s=_total_timeout_s(config))
    return answered(_answer(asked, problem, result))


def _total_timeout_s(config: Config) -> float:
    given = config.extra.get("total_timeout") or TOTAL_TIMEOUT_S
    if isinstance(given, bool) or not isinstance(given, int | float) or not (isfinite(given) and given > 0):
        raise BadRequest("total_timeout must be a number of seconds above 0", "config.extra.total_timeout")
    return float(given)


def _answer(asked: Submit, problem: Problem, result: VerifyResult) -> dict[str, Any]:
    whole = bool(asked.config.extra.get("return_full_case"))
    tests = [
        {
            "passed": test.verdict is Verdict.ACCEPTED,
            "exec_info": _exec_info(test, result),
            "test_info": shown if whole else _shortened(shown),
        }
        for test, shown in zip(result.tests, problem.shown, strict=False)
        if test.verdict is not Verdict.SKIPPED
    ]
    return {
        "id": asked.id,
        "accepted": result.verdict is Verdict.ACCEPTED,
        "extracted_code": problem.extracted,
        "full_code": problem.code,
        "test_code": None,
        "tests": tests,
        "extracted_type": "fenced" if "```" in asked.completion else "empty",
        "extra": {"verdict": result.verdict.value, "passed": result.passed, "total": result.total},
    }


def _exec_info(test: TestResult, result: VerifyResult) -> dict[str, Any]:
    """How the test's run ended. Its output is not kept: a worker judges it where it is."""
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
    ended = {
        "status": "TimeLimitExceeded" if late else "Finished",
        "execution_time": test.usage.wall_time_s,
        "return_code": None if late else code,
        "stdout": "",
        "stderr": "",
    }
    if test.verdict is Verdict.COMPILE_ERROR:
        compiler = result.compile.stderr if result.compile is not None else ""
        return {**answer, "compile_result": {**ended, "stderr": compiler}}
    return {**answer, "run_result": ended}


def _shortened(shown: Any) -> Any:
    if isinstance(shown, str):
        return shown if len(shown) <= SHOWN_CHARS else shown[:SHOWN_CHARS] + "..."
    if isinstance(shown, dict):
        return {name: _shortened(value) for name, value in shown.items()}
    return shown
