"""E2B's code interpreter: run code in contexts, and stream what it prints and displays as lines of JSON."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

from fastapi import Request, Response
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from sandbox.api import request_parsing
from sandbox.api.dialects.dialect import Dialect, PeerRequest, build_model, encode_response
from sandbox.api.dialects.e2b_messages import render, render_error_message
from sandbox.api.dialects.e2b_session import (
    HOME,
    call_sandbox,
    get_calls,
    read_sandbox_id,
    render_error,
    to_sandbox_path,
    to_session_path,
)
from sandbox.api.problems import describe_error
from sandbox.api.result_waiter import wait_for_disconnect
from sandbox.api.session_stream import Part, stream_session
from sandbox.errors import NotFound, SandboxError, SessionBusy
from sandbox.queue.session_calls import PendingCall, SessionCalls
from sandbox.schema.sessions import CallLimits, SessionCall

DEFAULT_CONTEXT = "default"
LANGUAGES = {"", "python", "python3"}
LIMITS = CallLimits(cpu_time_s=3_600, wall_time_s=7_200, output_kb=16_384)
KEEPALIVE_S = 20.0
BUSY_INTERVAL_S = 0.1
LINE_S = 0.1  # to receive a line in one piece, because `print` writes it in two
ROUTES = Dialect("e2b", render_error)


class ExecuteRequest(PeerRequest):
    code: str
    context: str | None = Field(None, alias="context_id")
    language: str | None = None
    variables: dict[str, str] | None = Field(None, alias="env_vars")


class NewContext(PeerRequest):
    language: str | None = None
    cwd: str | None = None


@ROUTES.post("/execute")
async def execute(request: Request) -> Response:
    """Run code. If the client goes away, as the SDK does at its timeout, the code is interrupted."""
    body = await request_parsing.parse_body(request, ExecuteRequest)
    _check_language(body.language)
    context = body.context or DEFAULT_CONTEXT
    await _find_context(request, context)
    call = build_model(
        SessionCall,
        code=body.code,
        context="" if context == DEFAULT_CONTEXT else context,
        variables=body.variables or {},
        limits=LIMITS,
    )
    fields = {"do": "execute", "call": call.model_dump(mode="json", exclude_defaults=True), "tag": uuid.uuid4().hex}
    lines = _stream_lines(request, read_sandbox_id(request), fields)
    return StreamingResponse(lines, media_type="application/x-ndjson")


@ROUTES.post("/contexts")
async def create_context(request: Request) -> Response:
    body = await request_parsing.parse_body(request, NewContext)
    _check_language(body.language)
    name, directory = uuid.uuid4().hex, to_session_path(body.cwd or HOME)
    await call_sandbox(request, {"do": "create_context", "name": name, "directory": directory})
    return encode_response(_render_context({"name": name, "directory": directory}))


@ROUTES.get("/contexts")
async def list_contexts(request: Request) -> Response:
    answer = await call_sandbox(request, {"do": "list_contexts"})
    return encode_response([_render_context(context) for context in answer["contexts"]])


@ROUTES.post("/contexts/{name}/restart")
async def restart_context(request: Request) -> Response:
    return await _change_context(request, "restart_context")


@ROUTES.delete("/contexts/{name}")
async def remove_context(request: Request) -> Response:
    return await _change_context(request, "remove_context")


async def _change_context(request: Request, action: str) -> Response:
    name = request.path_params["name"]
    await call_sandbox(request, {"do": action, "name": "" if name == DEFAULT_CONTEXT else name})
    return Response(status_code=204)


async def _find_context(request: Request, name: str) -> None:
    """Raise NotFound if the sandbox has no context of this name, or HTTPException 502 if it is gone."""
    answer = await call_sandbox(request, {"do": "list_contexts"})
    if name not in [context["name"] or DEFAULT_CONTEXT for context in answer["contexts"]]:
        raise NotFound(f"the sandbox has no context {name[:64]!r}")


def _check_language(language: str | None) -> None:
    if (language or "").lower() not in LANGUAGES:
        raise HTTPException(501, "the code interpreter runs Python; run other languages with commands")


async def _stream_lines(request: Request, sandbox_id: str, fields: Mapping[str, Any]) -> AsyncIterator[bytes]:
    gone = asyncio.create_task(wait_for_disconnect(request))
    gone.add_done_callback(lambda task: _interrupt(task, get_calls(request), sandbox_id, fields["tag"]))
    try:
        async for part in _stream_when_free(get_calls(request), sandbox_id, fields, gone):
            for message in render(part):
                yield json.dumps(message).encode() + b"\n"
    except SandboxError as error:
        detail = describe_error(error).problem.detail
        yield json.dumps(render_error_message("SandboxError", detail)).encode() + b"\n"
    finally:
        gone.cancel()


async def _stream_when_free(
    calls: SessionCalls, sandbox_id: str, fields: Mapping[str, Any], gone: asyncio.Task[None]
) -> AsyncIterator[Part]:
    """Stream a call's answer. If the interpreter runs another call, wait for its end, as a Jupyter kernel does."""
    while not gone.done():
        try:
            async for part in stream_session(calls, sandbox_id, fields, KEEPALIVE_S, LINE_S):
                yield part
            return
        except SessionBusy:
            await asyncio.wait({gone}, timeout=BUSY_INTERVAL_S)


def _interrupt(gone: asyncio.Task[None], calls: SessionCalls, sandbox_id: str, tag: str) -> None:
    """Interrupt the call with a tag if its client is gone. Do not wait for the answer."""
    if gone.cancelled():
        return

    def send() -> None:
        with suppress(SandboxError):  # it has ended
            call = calls.send(sandbox_id, {"do": "interrupt", "tag": tag})
            if isinstance(call, PendingCall):
                calls.forget(call)

    asyncio.get_running_loop().run_in_executor(None, send)


def _render_context(context: Mapping[str, str]) -> dict[str, str]:
    name = context["name"] or DEFAULT_CONTEXT
    return {"id": name, "language": "python", "cwd": to_sandbox_path(context["directory"])}
