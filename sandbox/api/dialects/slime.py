"""slime's remote reward: {prompt, response, label} in; the answer's whole JSON is the reward.

A reward that is missing is an error, unless the URL says `missing=`.
"""

from __future__ import annotations

import asyncio

from fastapi import Request, Response

from sandbox.api.dialects.openrlhf import tell
from sandbox.api.dialects.questions import body_of, missing_of, options_of
from sandbox.api.dialects.tongue import Dialect, answered
from sandbox.api.rewards import rewarded
from sandbox.rewards.slime_reward import slime_answer, slime_request

DIALECT = Dialect("slime", tell)


@DIALECT.post("")
async def reward(request: Request) -> Response:
    body, missing = await body_of(request), missing_of(request)
    wanted = await asyncio.to_thread(slime_request, body, options_of(request))
    return answered(slime_answer(await rewarded(request, wanted), missing))
