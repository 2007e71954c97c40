"""What a reward protocol's URL may say: `?policy=fraction&language=cpp&missing=0`, for its body has no place for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict

from sandbox.api import bodies
from sandbox.api.door import context_of
from sandbox.errors import BadRequest
from sandbox.rewards.cases import unpacking_at_most
from sandbox.rewards.function import Options
from sandbox.schema.reward import RewardRequest


class Body(BaseModel):
    """Any object; what the adapters read of it they check themselves."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)


async def body_of(request: Request) -> dict[str, Any]:
    return (await bodies.read_rows(request, Body)).model_extra or {}


async def wanted_of(
    request: Request, build: Callable[[Mapping[str, Any], Options | None], RewardRequest]
) -> RewardRequest:
    """The reward request in a body, built in a thread: labels may be large, and packed. Raises BadRequest."""
    body, options = await body_of(request), options_of(request)
    limit = context_of(request).settings.max_body_mb << 20

    def bounded() -> RewardRequest:
        with unpacking_at_most(limit):
            return build(body, options)

    return await asyncio.to_thread(bounded)


def options_of(request: Request) -> Options:
    given = request.query_params
    options: Options = {}
    if "policy" in given:
        options["policy"] = given["policy"]
    if "language" in given:
        options["language"] = given["language"]
    return options


def missing_of(request: Request) -> float | None:
    """The reward that stands for a missing one, if the URL names it."""
    text = request.query_params.get("missing", "")
    try:
        return float(text) if text else None
    except ValueError:
        raise BadRequest("missing must be a number", "missing") from None
