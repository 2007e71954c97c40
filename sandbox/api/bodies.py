"""A request's body and headers: read once, bounded while they arrive, and parsed straight into a model."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from sandbox.api.door import context_of

NDJSON = "application/x-ndjson"

_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}")
_MANY_ERRORS = 100_000

Model = TypeVar("Model", bound=BaseModel)


async def read(request: Request, model: type[Model]) -> Model:
    """The body as `model`. Raises HTTPException 413 or 415, and RequestValidationError for what does not fit."""
    _check_type(request)
    data = await raw(request)
    try:
        # One pass from bytes to model in pydantic's core; through FastAPI's own parsing it is json.loads and a walk.
        return model.model_validate_json(data)
    except ValidationError as error:
        raise RequestValidationError(_errors(error)) from None


async def raw(request: Request) -> bytes:
    """The body as it came. Raises HTTPException 413, and 415 for an encoded one."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "send the body without Content-Encoding", {"Accept-Encoding": "identity"})
    return await _bytes(request, context_of(request).settings.max_body_mb << 20)


def idempotency_key(request: Request) -> str:
    """The Idempotency-Key header, or an empty string. Raises RequestValidationError."""
    key = request.headers.get("idempotency-key", "")
    if "idempotency-key" in request.headers and not _VISIBLE.fullmatch(key):
        message = "must be 1 to 255 visible ASCII characters"
        raise RequestValidationError([{"type": "value_error", "loc": ("header", "Idempotency-Key"), "msg": message}])
    return key


def prefers_async(request: Request) -> bool:
    """Whether `Prefer: respond-async` (RFC 7240) is among the preferences."""
    preferences = ",".join(request.headers.getlist("prefer")).lower().split(",")
    return any(preference.split(";")[0].strip() == "respond-async" for preference in preferences)


def accepts_lines(request: Request) -> bool:
    return NDJSON in request.headers.get("accept", "").lower()


def _check_type(request: Request) -> None:
    # A missing type is refused too: it is what a web page can send across origins without asking.
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPException(415, "send Content-Type: application/json", {"Accept": "application/json"})


async def _bytes(request: Request, limit: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    chunks = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(limit: int) -> HTTPException:
    return HTTPException(413, f"the body is over {limit >> 20} MiB; send smaller batches or raise SANDBOX_MAX_BODY_MB")


def _errors(error: ValidationError) -> list[dict[str, Any]]:
    """Pydantic's errors below `body`, without the input; a flood of them is not worth the memory of a list."""
    if error.error_count() > _MANY_ERRORS:
        return [{"type": "value_error", "loc": ("body",), "msg": f"has {error.error_count()} errors"}]
    found = error.errors(include_url=False, include_input=False)
    return [{**each, "loc": ("body", *each["loc"])} for each in found]
