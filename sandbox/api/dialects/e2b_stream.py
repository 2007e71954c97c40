"""Streams of the Connect protocol, and the events of a process in them.

A stream consists of frames: a byte of flags, a length, and a JSON message. The last one has the flag END and says
whether the stream failed, so that a stream always ends with an event or an error.
"""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from typing import Any

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from sandbox.api import request_parsing
from sandbox.api.dialects.e2b_session import call_sandbox, describe_gone, get_calls, read_sandbox_id
from sandbox.api.problems import describe_error
from sandbox.api.session_stream import KEEPALIVE, RESULT, Part, stream_session
from sandbox.errors import BadRequest, SandboxError, SessionEnded

STREAM_TYPE = "application/connect+json"
FRAME_HEAD = struct.Struct(">BI")
END = 2
KEEPALIVE_S = 20.0


async def read_message(request: Request) -> dict[str, Any]:
    """Return the one message of a request for a stream. Raises BadRequest."""
    body = await request_parsing.read_body(request)
    if len(body) < FRAME_HEAD.size or body[0] or FRAME_HEAD.unpack_from(body)[1] != len(body) - FRAME_HEAD.size:
        raise BadRequest(f"send one uncompressed message as {STREAM_TYPE}", "body")
    try:
        message = json.loads(body[FRAME_HEAD.size :])
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise BadRequest("the message is not a JSON object", "body")
    return message


async def respond(request: Request, fields: Mapping[str, Any]) -> Response:
    """Stream the events of a process. If the process ends before its first event, respond with an error instead."""
    sandbox_id = read_sandbox_id(request)
    await call_sandbox(request, {"do": "list_processes"})  # raises if the sandbox is gone
    parts = stream_session(get_calls(request), sandbox_id, fields, KEEPALIVE_S)
    first = await anext(parts)
    return StreamingResponse(encode_stream(sandbox_id, first, parts), media_type=STREAM_TYPE)


async def encode_stream(sandbox_id: str, first: Part, parts: AsyncIterator[Part]) -> AsyncIterator[bytes]:
    """Yield the events of a process, and at last END with the error if there is one."""
    failure: dict[str, Any] = {}
    try:
        yield _encode(_render_event(first))
        async for part in parts:
            if part.event == RESULT and (stop := _describe_stop(part.data)):
                failure = {"error": stop}
            else:
                yield _encode(_render_event(part))
    except SessionEnded as error:
        failure = {"error": {"code": "unavailable", "message": describe_gone(sandbox_id, error)}}
    except SandboxError as error:
        failure = {"error": {"code": "internal", "message": describe_error(error).problem.detail}}
    yield _encode(failure, END)


def _encode(message: Mapping[str, Any], flags: int = 0) -> bytes:
    content = json.dumps(message).encode()
    return FRAME_HEAD.pack(flags, len(content)) + content


def _describe_stop(result: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the error of a process that a limit has ended, or that printed more than was passed on."""
    if result["status"] == "time_limit":
        return {"code": "deadline_exceeded", "message": result["reason"]}
    if result["status"] == "output_limit" or result["stdout_truncated"] or result["stderr_truncated"]:
        return {"code": "internal", "message": "the output of the process exceeds the limit, and the rest is lost"}
    return None


def _render_event(part: Part) -> dict[str, Any]:
    if part.event == "started":
        return {"event": {"start": {"pid": part.data["pid"]}}}
    if part.event == KEEPALIVE:
        return {"event": {"keepalive": {}}}
    if part.event != RESULT:
        return {"event": {"data": {part.event: b64encode(part.data["text"].encode()).decode()}}}
    code, number = part.data["exit_code"], part.data["signal"]
    status = f"exit status {code}" if number is None else f"signal {number}"
    end = {"exitCode": -1 if code is None else code, "exited": number is None, "status": status}
    return {"event": {"end": end if code == 0 else {**end, "error": status}}}
