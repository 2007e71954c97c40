"""Rewards for AReaL: its reward function, and the request and response of its function calls.

    reward_fn = partial(areal_reward, url="http://127.0.0.1:8080", options={"policy": "fraction"})

AReaL pickles the function and sends it to worker processes, so it is a plain function and takes its options as
arguments. AReaL cannot drop a sample. A missing reward therefore raises, and AReaL retries, unless `missing` sets the
value to use instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import ValidationError

from sandbox.errors import BadRequest
from sandbox.rewards import preamble
from sandbox.rewards.case_formats import read_stdin_tests
from sandbox.rewards.extraction import tag_language
from sandbox.runner.contract import Verdict
from sandbox.schema import Lane, LimitsRequest, LiveCodeBenchChecker, VerifyRequest, VerifyResult
from sandbox.trainers.function import RewardFunction, RewardOptions, Verifier, require_rewards
from sandbox.trainers.lazy_clients import LazyClient

TEST_COLUMNS = ("tests", "input_output", "test_cases")

_get_lazy_client = cache(LazyClient)


def areal_reward(
    prompt: str,
    completions: str,
    prompt_ids: list[int],
    completion_ids: list[int],
    *,
    url: str | None = None,
    column: str = "",
    missing: float | None = None,
    client: Verifier | None = None,
    options: RewardOptions | None = None,
    **columns: Any,
) -> float:
    """Return the reward of one completion on the tests in `column`, by default the first of TEST_COLUMNS present."""
    name = column or next((name for name in TEST_COLUMNS if name in columns), "")
    if name not in columns:
        raise BadRequest(f"no column holds tests; set column= to one of {sorted(columns)}", "tests")
    reward = RewardFunction(client or _get_lazy_client(url), {"check_service": False, **(options or {})})
    given = {"lengths": [len(completion_ids)], "language": columns.get("language"), "prompts": [prompt]}
    return require_rewards(reward([completions], [columns[name]], **given), missing)[0]


def functioncall_request(body: Mapping[str, Any]) -> VerifyRequest:
    """Parse a function call {uid, language, code, testcases, timeout, memory, isFastFail} into a submission.

    Raises BadRequest, also for an `entryFunction`: only programs that use stdin are supported.
    """
    if body.get("entryFunction"):
        raise BadRequest("tests that call a function are not supported yet: use tests with stdin", "entryFunction")
    timeout, memory = body.get("timeout"), body.get("memory")
    language = tag_language(str(body.get("language") or "python"))
    try:
        return VerifyRequest(
            language=language,
            code=build_program(language, body.get("code") or ""),
            tests=read_stdin_tests(body.get("testcases")),
            checker=LiveCodeBenchChecker(type="livecodebench"),
            limits=LimitsRequest(cpu_time_s=timeout or None, memory_mb=memory or None),
            stop_on_failure=bool(body.get("isFastFail")),
            priority=Lane.RL,
        )
    except ValidationError as error:
        raise BadRequest(f"invalid function call: {error}") from None


def build_program(language: str, code: str) -> str:
    """Return the program that AReaL's grader runs: Python code gets the grader's imports in front."""
    if language != "python":
        return code
    return preamble.join_parts(preamble.build_livecodebench_preamble(preamble.SANDBOX_FUSION_RECURSION_LIMIT), code)


def functioncall_answer(body: Mapping[str, Any], result: VerifyResult) -> dict[str, Any]:
    """Build {uid, success, results[{success, reason, errorType}]}. A failed service is a SystemError: AReaL retries."""
    return {
        "uid": body.get("uid", ""),
        "success": result.verdict is Verdict.ACCEPTED,
        "results": [
            {
                "success": test.verdict is Verdict.ACCEPTED,
                "reason": test.message or ("" if test.verdict is Verdict.ACCEPTED else test.verdict.value),
                "errorType": _map_error_type(test.verdict),
            }
            for test in result.tests
        ],
    }


def _map_error_type(verdict: Verdict) -> str:
    match verdict:
        case Verdict.ACCEPTED:
            return ""
        case Verdict.INTERNAL_ERROR:
            return "SystemError"
        case _:
            return "UnknownError"
