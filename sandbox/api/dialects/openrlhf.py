"""OpenRLHF's remote reward: takes {query[], prompts[], labels[]}, returns {rewards[], scores[], extra_logs}.

A missing reward is an error, because OpenRLHF retries five times, unless the URL has `missing=`.
"""

from __future__ import annotations

from fastapi import Request, Response

from sandbox.api.dialects.dialect import Dialect, encode_response
from sandbox.api.dialects.reward_query import read_missing_reward, read_reward_request
from sandbox.api.problems import ProblemResponse
from sandbox.api.routes.rewards import compute_rewards
from sandbox.trainers.openrlhf_reward import openrlhf_answer, openrlhf_request


def render_error(problem_response: ProblemResponse) -> Response:
    response = encode_response(
        {"error": problem_response.problem.detail or problem_response.problem.title}, problem_response.problem.status
    )
    response.headers.update(problem_response.headers)
    return response


DIALECT = Dialect("openrlhf", render_error)


@DIALECT.post("", "/get_reward")
async def reward(request: Request) -> Response:
    missing = read_missing_reward(request)
    reward_request = await read_reward_request(request, openrlhf_request)
    return encode_response(openrlhf_answer(await compute_rewards(request, reward_request), missing))
