"""slime's remote reward: {prompt, response, label} in; the answer's whole JSON is the reward.

A reward that is missing is an error, unless the URL says `missing=`.
"""

from __future__ import annotations

from fastapi import Request, Response

from sandbox.api.dialects.openrlhf import tell
from sandbox.api.dialects.questions import missing_of, wanted_of
from sandbox.api.dialects.tongue import Dialect, answered
from sandbox.api.rewards import rewarded
from sandbox.rewards.slime_reward import slime_answer, slime_request

DIALECT = Dialect("slime", tell)


@DIALECT.post("")
async def reward(request: Request) -> Response:
    missing = missing_of(request)
    wanted = await wanted_of(request, slime_request)
    return answered(slime_answer(await rewarded(request, wanted), missing))
