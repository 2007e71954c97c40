"""OpenRLHF's remote reward: {query[], prompts[], labels[]} in, {rewards[], scores[], extra_logs} out.

A reward that is missing is an error, for OpenRLHF tries five times, unless the URL says `missing=`.
"""

from __future__ import annotations

from fastapi import Request, Response

from sandbox.api.dialects.questions import missing_of, wanted_of
from sandbox.api.dialects.tongue import Dialect, answered
from sandbox.api.problems import Described
from sandbox.api.rewards import rewarded
from sandbox.rewards.openrlhf_reward import openrlhf_answer, openrlhf_request


def tell(told: Described) -> Response:
    response = answered({"error": told.problem.detail or told.problem.title}, told.problem.status)
    response.headers.update(told.headers)
    return response


DIALECT = Dialect("openrlhf", tell)


@DIALECT.post("", "/get_reward")
async def reward(request: Request) -> Response:
    missing = missing_of(request)
    wanted = await wanted_of(request, openrlhf_request)
    return answered(openrlhf_answer(await rewarded(request, wanted), missing))
