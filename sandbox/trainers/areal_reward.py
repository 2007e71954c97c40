"""Rewards for AReaL: its reward function, and the body of its function calls.

    reward_fn = partial(areal_reward, url="http://127.0.0.1:8080", options={"policy": "fraction"})

AReaL pickles the function to worker processes, so it is a plain one and its options are arguments. It cannot drop a
sample: a reward that is missing raises, which AReaL tries again, unless `missing` names the number to use.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import ValidationError

from sandbox.client import DEFAULT_URL
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
    url: str = DEFAULT_URL,
    column: str = "",
    missing: float | None = None,
    client: Verifier | None = None,
    options: RewardOptions | None = None,
    **columns: Any,
) -> float:
    """The reward of one completion on the tests in `column`, or in the first of COLUMNS there is."""
    name = column or next((name for name in TEST_COLUMNS if name in columns), "")
    if name not in columns:
        raise BadRequest(f"no column of tests; name it: column=, of {sorted(columns)}", "tests")
    reward = RewardFunction(client or _get_lazy_client(url), {"check_service": False, **(options or {})})
    given = {"lengths": [len(completion_ids)], "language": columns.get("language"), "prompts": [prompt]}
    return require_rewards(reward([completions], [columns[name]], **given), missing)[0]


def functioncall_request(body: Mapping[str, Any]) -> VerifyRequest:
    """The program in a function call {uid, language, code, testcases, timeout, memory, isFastFail}.

    Raises BadRequest, also for an `entryFunction`: only programs with stdin have verdicts here.
    """
    if body.get("entryFunction"):
        raise BadRequest(
            "tests that call a function, not a program with stdin: these have no reward yet", "entryFunction"
        )
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
        raise BadRequest(f"a function call that cannot be: {error}") from None


def build_program(language: str, code: str) -> str:
    """The program that AReaL's grader makes of a completion's code: in Python, with imports before it."""
    if language != "python":
        return code
    return preamble.join_parts(preamble.build_livecodebench_preamble(preamble.SANDBOX_FUSION_RECURSION_LIMIT), code)


def functioncall_answer(body: Mapping[str, Any], result: VerifyResult) -> dict[str, Any]:
    """{uid, success, results[{success, reason, errorType}]}; our own failure is a SystemError, which is tried again."""
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
