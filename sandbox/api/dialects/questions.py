"""What a reward protocol's URL may say: `?policy=fraction&language=cpp&missing=0`, for its body has no place for it."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict

from sandbox.api import bodies
from sandbox.errors import BadRequest
from sandbox.rewards.function import Options


class Body(BaseModel):
    """Any object; what the adapters read of it they check themselves."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)


async def body_of(request: Request) -> dict[str, Any]:
    return (await bodies.read_rows(request, Body)).model_extra or {}


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
