"""Options in the URL of a reward protocol, such as `?policy=fraction&language=cpp`: the body has no field for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict

from sandbox.api import request_parsing
from sandbox.api.dependencies import get_context
from sandbox.errors import BadRequest
from sandbox.rewards.column_text import limit_unpacking
from sandbox.schema.reward import RewardRequest
from sandbox.trainers.function import RewardOptions


class Body(BaseModel):
    """Any object. The adapters validate the fields that they read."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)


async def read_fields(request: Request) -> dict[str, Any]:
    return (await request_parsing.parse_body_leniently(request, Body)).model_extra or {}


async def read_reward_request(
    request: Request, build: Callable[[Mapping[str, Any], RewardOptions | None], RewardRequest]
) -> RewardRequest:
    """Build the reward request from a body, in a thread: labels can be large and packed. Raises BadRequest."""
    body, options = await read_fields(request), read_options(request)
    limit = get_context(request).settings.max_body_mb << 20

    def build_within_limit() -> RewardRequest:
        with limit_unpacking(limit):
            return build(body, options)

    return await asyncio.to_thread(build_within_limit)


def read_options(request: Request) -> RewardOptions:
    given = request.query_params
    options: RewardOptions = {}
    if "policy" in given:
        options["policy"] = given["policy"]
    if "language" in given:
        options["language"] = given["language"]
    if "stop_after_timeouts" in given:
        options["stop_after_timeouts"] = _read_integer(given["stop_after_timeouts"], "stop_after_timeouts")
    if "total_cpu_time_s" in given:
        options["limits"] = {"total_cpu_time_s": _read_number(given["total_cpu_time_s"], "total_cpu_time_s")}
    return options


def read_missing_reward(request: Request) -> float | None:
    """Return the reward to send in place of a missing one, if the URL has `missing=`."""
    text = request.query_params.get("missing", "")
    return _read_number(text, "missing") if text else None


def _read_number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadRequest(f"{name} must be a number", name) from None


def _read_integer(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadRequest(f"{name} must be a whole number", name) from None
