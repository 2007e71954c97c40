"""slime's remote reward: takes {prompt, response, label}; the whole JSON of the response is the reward.

A missing reward is an error, unless the URL has `missing=`.
"""

from __future__ import annotations

from fastapi import Request, Response

from sandbox.api.dialects.dialect import Dialect, encode_response
from sandbox.api.dialects.openrlhf import render_error
from sandbox.api.dialects.reward_query import read_missing_reward, read_reward_request
from sandbox.api.routes.rewards import compute_rewards
from sandbox.trainers.slime_reward import slime_answer, slime_request

DIALECT = Dialect("slime", render_error)


@DIALECT.post("")
async def reward(request: Request) -> Response:
    missing = read_missing_reward(request)
    reward_request = await read_reward_request(request, slime_request)
    return encode_response(slime_answer(await compute_rewards(request, reward_request), missing))
