"""Parse a request: validate its body as a model, within limits on size and time, and read its response preferences."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
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


# A JSON escape: a backslash, a surrogate pair, or a lone surrogate, which is not a character.
_JSON_ESCAPE = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<alone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


@dataclass(frozen=True, slots=True)
class Preferences:
    """The response preferences that a request states in its headers.

    `wait_s` is the longest time to wait for the result: the smaller of `Prefer: wait=N` (RFC 7240) and the service's
    own limit. `is_large` is true if the body, as sent, is long enough to block the event loop noticeably.
    """

    wait_s: float
    respond_async: bool = False
    ndjson: bool = False
    idempotency_key: str = ""
    is_large: bool = False


async def parse_submission(request: Request, model: type[Model], *, lenient: bool = False) -> tuple[Model, Preferences]:
    """Parse the body as `model` and read the preferences. With `lenient`, use `parse_body_leniently`.

    Raises the errors of `parse_body`, and RequestValidationError for an invalid Idempotency-Key.
    """
    body = await (parse_body_leniently if lenient else parse_body)(request, model)
    return body, _read_preferences(request, get_context(request).settings.request_timeout_s)


def _read_preferences(request: Request, max_wait_s: float) -> Preferences:
    headers = request.headers
    respond_async, wait_s = False, max_wait_s
    if "prefer" in headers:
        respond_async, wanted_s = _parse_prefer(headers.getlist("prefer"))
        wait_s = wait_s if wanted_s is None else min(wait_s, wanted_s)
    return Preferences(
        wait_s=wait_s,
        respond_async=respond_async,
        ndjson=NDJSON in headers.get("accept", "").lower(),
        idempotency_key=read_idempotency_key(request),
        is_large=_is_large(headers.get("content-length", "")),
    )


async def parse_body(request: Request, model: type[Model]) -> Model:
    """Parse the body as `model`. Raises HTTPException 413 or 415, and RequestValidationError if it is invalid."""
    _check_content_type(request)
    return await _parse(await read_body(request), model)


async def parse_body_leniently(request: Request, model: type[Model]) -> Model:
    """Parse the body as `model`, and tolerate invalid text: one bad row must not fail the whole request.

    Replaces lone surrogates and bytes that are not UTF-8 with U+FFFD.
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
        # Faster for large bodies: straight from JSON to the model, pydantic decodes a text once for each kind of test
        # that it may belong to. The code below reports errors, in terms of JSON.
        with suppress(ValueError):
            return model.model_validate(from_json(data))
    try:
        # pydantic's core parses in one pass. FastAPI would call json.loads and then walk the result.
        return model.model_validate_json(data)
    except ValidationError as error:
        errors = _list_errors(error)
        if errors[0]["type"] == "json_invalid" and (found := await asyncio.to_thread(json_limits.find_violation, data)):
            path, limit = found
            errors = [{"type": "value_error", "loc": ("body", *path), "msg": limit}]
        raise RequestValidationError(errors) from None


async def read_body(request: Request) -> bytes:
    """Return the body, decompressed if it is gzip. Raises HTTPException 400, 408, 413, or 415 for other encodings.

    The size limit applies before and after decompression, so a zip bomb is refused once it reaches the limit.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip"}:
        raise HTTPException(415, "use Content-Encoding gzip, or none", {"Accept-Encoding": "gzip"})
    settings = get_context(request).settings
    limit = settings.max_body_mb << 20
    data = await _read_bytes(request, limit, settings.body_timeout_s)
    # Decompressing a large body takes as long as parsing it, so it runs in a thread, off the event loop.
    return data if encoding == "identity" else await asyncio.to_thread(_decompress, data, limit)


def _is_large(declared_bytes: str) -> bool:
    return declared_bytes.isdecimal() and int(declared_bytes) >= LARGE_BODY_BYTES


def read_idempotency_key(request: Request) -> str:
    """Return the Idempotency-Key header, or an empty string. Raises RequestValidationError."""
    key = request.headers.get("idempotency-key", "")
    if "idempotency-key" in request.headers and not _VISIBLE_ASCII.fullmatch(key):
        message = "must be 1 to 255 visible ASCII characters"
        raise RequestValidationError([{"type": "value_error", "loc": ("header", "Idempotency-Key"), "msg": message}])
    return key


def _parse_prefer(values: Sequence[str]) -> tuple[bool, float | None]:
    """Return whether `Prefer` has `respond-async`, and the seconds of its first valid `wait`."""
    respond_async, wait_s = False, None
    for preference in ",".join(values).lower().split(","):
        name, _, seconds = (part.strip() for part in preference.split(";")[0].partition("="))
        if name == "respond-async" and not seconds:
            respond_async = True
        elif name == "wait" and seconds.isdecimal() and wait_s is None:
            wait_s = float(seconds)
    return respond_async, wait_s


def _check_content_type(request: Request) -> None:
    # A missing type is refused too, because a web page may send such requests across origins without a preflight.
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPException(415, "send Content-Type: application/json", {"Accept": "application/json"})


def _decompress(data: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        unpacked = unpacker.decompress(data, limit + 1)
    except zlib.error:
        raise HTTPException(400, "the body is not gzip, although its Content-Encoding says so") from None
    if len(unpacked) > limit:
        raise _build_too_large_error(limit)
    if not unpacker.eof or unpacker.unused_data:
        raise HTTPException(400, "the body must be exactly one complete gzip stream")
    return unpacked


async def _read_bytes(request: Request, limit: int, timeout_s: float) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _build_too_large_error(limit)
    chunks = []
    size = 0
    try:
        # Without a timeout, a slow body would hold its connection and memory for as long as it likes.
        async with asyncio.timeout(timeout_s) as deadline:
            began = asyncio.get_running_loop().time()
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise _build_too_large_error(limit)
                if chunk:  # the last chunk is empty; joining it would copy the others
                    chunks.append(chunk)
                deadline.reschedule(began + timeout_s + size / MIN_BYTES_PER_S)
    except TimeoutError:
        raise HTTPException(408, "the body took too long to arrive", {"Connection": "close"}) from None
    return b"".join(chunks)


def _build_too_large_error(limit: int) -> HTTPException:
    return HTTPException(413, f"the body is over {limit >> 20} MiB; send smaller batches, or raise SANDBOX_MAX_BODY_MB")


def _list_errors(error: ValidationError) -> list[dict[str, Any]]:
    """Return pydantic's errors with paths below `body`, without the input. If there are too many, only count them."""
    if error.error_count() > _MAX_LISTED_ERRORS:
        return [{"type": "value_error", "loc": ("body",), "msg": f"has {error.error_count()} errors"}]
    found = error.errors(include_url=False, include_input=False)
    return [{**each, "loc": ("body", *each["loc"])} for each in found]
