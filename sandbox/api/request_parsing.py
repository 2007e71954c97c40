"""A request's body and headers: read once, bounded while they arrive, and parsed straight into a model."""

from __future__ import annotations

import asyncio
import re
import zlib
from contextlib import suppress
from typing import Any, TypeVar

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from sandbox.api import json_limits
from sandbox.api.dependencies import get_context

NDJSON = "application/x-ndjson"

MIN_BYTES_PER_S = 1 << 20
LARGE_BODY_BYTES = 1 << 20

_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]{1,255}")
_MAX_LISTED_ERRORS = 100_000

Model = TypeVar("Model", bound=BaseModel)


# An escape of JSON: a backslash, a pair of surrogates, or one alone, which stands for no character.
_JSON_ESCAPE = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<alone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


async def parse_body(request: Request, model: type[Model]) -> Model:
    """The body as `model`. Raises HTTPException 413 or 415, and RequestValidationError for what does not fit."""
    _check_content_type(request)
    return await _parse(await read_body(request), model)


async def parse_body_leniently(request: Request, model: type[Model]) -> Model:
    """The body as `model`, where one row's odd text must not spoil the others.

    Text that is no Unicode, lone surrogates and bytes that are not UTF-8, has U+FFFD in its place.
    """
    _check_content_type(request)
    data = await read_body(request)
    try:
        return await _parse(data, model)
    except RequestValidationError as error:
        repaired = (
            await asyncio.to_thread(_replace_invalid_unicode, data)
            if error.errors()[0]["type"] == "json_invalid"
            else data
        )
        if repaired == data:
            raise
    return await _parse(repaired, model)


def _replace_invalid_unicode(data: bytes) -> bytes:
    text = data.decode(errors="replace").encode()
    return _JSON_ESCAPE.sub(lambda escape: b"\\ufffd" if escape["alone"] else escape[0], text)


async def _parse(data: bytes, model: type[Model]) -> Model:
    if len(data) >= LARGE_BODY_BYTES:
        # Straight from JSON to the model, a text is decoded for each kind of test it may be of. What does not fit is
        # said below, in JSON's words.
        with suppress(ValueError):
            return model.model_validate(from_json(data))
    try:
        # One pass from bytes to model in pydantic's core; through FastAPI's own parsing it is json.loads and a walk.
        return model.model_validate_json(data)
    except ValidationError as error:
        errors = _list_errors(error)
        if errors[0]["type"] == "json_invalid" and (found := await asyncio.to_thread(json_limits.find_violation, data)):
            path, limit = found
            errors = [{"type": "value_error", "loc": ("body", *path), "msg": limit}]
        raise RequestValidationError(errors) from None


async def read_body(request: Request) -> bytes:
    """The body as it came, unpacked where it is gzip. Raises HTTPException 400, 408, 413, and 415 for other encodings.

    The limit holds for what travels and for what it unpacks to: a bomb is refused after as much as that was unpacked.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip"}:
        raise HTTPException(415, "send the body with Content-Encoding gzip, or without", {"Accept-Encoding": "gzip"})
    settings = get_context(request).settings
    limit = settings.max_body_mb << 20
    data = await _read_bytes(request, limit, settings.body_timeout_s)
    # Unpacking a large body takes as long as parsing it does: in a thread, beside the event loop.
    return data if encoding == "identity" else await asyncio.to_thread(_decompress, data, limit)


def is_large(request: Request) -> bool:
    """Whether the body, as it travelled, was long enough to hold up the event loop."""
    declared = request.headers.get("content-length", "")
    return declared.isdecimal() and int(declared) >= LARGE_BODY_BYTES


def read_idempotency_key(request: Request) -> str:
    """The Idempotency-Key header, or an empty string. Raises RequestValidationError."""
    key = request.headers.get("idempotency-key", "")
    if "idempotency-key" in request.headers and not _VISIBLE_ASCII.fullmatch(key):
        message = "must be 1 to 255 visible ASCII characters"
        raise RequestValidationError([{"type": "value_error", "loc": ("header", "Idempotency-Key"), "msg": message}])
    return key


def prefers_async(request: Request) -> bool:
    """Whether `Prefer: respond-async` (RFC 7240) is among the preferences."""
    preferences = ",".join(request.headers.getlist("prefer")).lower().split(",")
    return any(preference.split(";")[0].strip() == "respond-async" for preference in preferences)


def read_wait_limit_s(request: Request, max_wait_s: float) -> float:
    """Seconds to wait for the result: as `Prefer: wait=N` (RFC 7240) says, and never more than `most_s`."""
    if "prefer" not in request.headers:
        return max_wait_s
    for preference in ",".join(request.headers.getlist("prefer")).split(","):
        name, _, seconds = preference.split(";")[0].strip().partition("=")
        if name.strip().lower() == "wait" and seconds.strip().isdecimal():
            return min(max_wait_s, float(seconds))
    return max_wait_s


def accepts_ndjson(request: Request) -> bool:
    return NDJSON in request.headers.get("accept", "").lower()


def _check_content_type(request: Request) -> None:
    # A missing type is refused too: it is what a web page can send across origins without asking.
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPException(415, "send Content-Type: application/json", {"Accept": "application/json"})


def _decompress(data: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        unpacked = unpacker.decompress(data, limit + 1)
    except zlib.error:
        raise HTTPException(400, "the body is not gzip, though its Content-Encoding says so") from None
    if len(unpacked) > limit:
        raise _build_too_large_error(limit)
    if not unpacker.eof or unpacker.unused_data:
        raise HTTPException(400, "the body is not one whole gzip stream")
    return unpacked


async def _read_bytes(request: Request, limit: int, timeout_s: float) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _build_too_large_error(limit)
    chunks = []
    size = 0
    try:
        # A body that trickles holds a connection, and the memory of what came, for as long as it likes.
        async with asyncio.timeout(timeout_s) as deadline:
            began = asyncio.get_running_loop().time()
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise _build_too_large_error(limit)
                if chunk:  # the last one is empty, and joining it to the one before would copy that
                    chunks.append(chunk)
                deadline.reschedule(began + timeout_s + size / MIN_BYTES_PER_S)
    except TimeoutError:
        raise HTTPException(408, "the body takes too long to arrive", {"Connection": "close"}) from None
    return b"".join(chunks)


def _build_too_large_error(limit: int) -> HTTPException:
    return HTTPException(413, f"the body is over {limit >> 20} MiB; send smaller batches or raise SANDBOX_MAX_BODY_MB")


def _list_errors(error: ValidationError) -> list[dict[str, Any]]:
    """Pydantic's errors below `body`, without the input; a flood of them is not worth the memory of a list."""
    if error.error_count() > _MAX_LISTED_ERRORS:
        return [{"type": "value_error", "loc": ("body",), "msg": f"has {error.error_count()} errors"}]
    found = error.errors(include_url=False, include_input=False)
    return [{**each, "loc": ("body", *each["loc"])} for each in found]
