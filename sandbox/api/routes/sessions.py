"""`/sessions`: stateful boxes that keep an interpreter or a shell, and files, between calls."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from starlette.responses import StreamingResponse

from sandbox.api import request_parsing
from sandbox.api.dependencies import get_context
from sandbox.api.openapi.documentation import document_session_call
from sandbox.api.problems import describe_error
from sandbox.api.responses import build_json_response, submit_and_respond
from sandbox.api.routes.live import format_event
from sandbox.api.session_client import MAX_FILE_BYTES, call_session, fork_session, open_session
from sandbox.api.session_stream import stream_session
from sandbox.api.session_verify import build_submission, needs_files
from sandbox.errors import BadRequest, SandboxError
from sandbox.queue.session_calls import SessionCalls
from sandbox.queue.session_records import parse_stored
from sandbox.schema import VerifyResult
from sandbox.schema.programs import check_relative_path
from sandbox.schema.sessions import (
    CallResult,
    ForkRequest,
    ForkResult,
    InterruptResult,
    SessionCall,
    SessionFiles,
    SessionInfo,
    SessionList,
    SessionRequest,
    SessionStatus,
    SessionUpdate,
    SessionVerifyRequest,
)

router = APIRouter(prefix="/sessions", tags=["sessions"])

SessionId = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9]+$", description="from `POST /sessions`")]
FilePath = Annotated[str, Path(max_length=255, description="relative to the work directory")]
EVENT_STREAM = "text/event-stream"
ARCHIVE = "application/x-tar"
BINARY = "application/octet-stream"


@router.post("", **document_session_call(SessionRequest, SessionInfo, status=201, has_key=True))
async def open(request: Request) -> Response:
    """Open a session, and return its id, which every call needs."""
    body = await request_parsing.parse_body(request, SessionRequest)
    session = await open_session(_get_calls(request), request, body, request_parsing.read_idempotency_key(request))
    response = build_json_response(session.model_dump_json(), 201)
    response.headers["Location"] = f"{request.scope.get('root_path', '')}/sessions/{session.id}"
    return response


@router.get("", **document_session_call(None, SessionList))
async def list_sessions(request: Request) -> Response:
    """List the caller's open sessions, newest first."""
    sessions = await asyncio.to_thread(_get_calls(request).list_open)
    return build_json_response(SessionList(sessions=sessions).model_dump_json())


@router.get("/{session_id}", **document_session_call(None, SessionInfo))
async def get(request: Request, session_id: SessionId) -> Response:
    """Return the state of a session. For an hour after its end, the state says why it ended."""
    calls = _get_calls(request)
    record = await asyncio.to_thread(calls.get, session_id)
    if record.session.status is SessionStatus.OPEN:
        answer = await call_session(calls, session_id, {"do": "describe"})
        return build_json_response(parse_stored(SessionInfo, answer["session"]).model_dump_json())
    return build_json_response(record.session.model_dump_json())


@router.patch("/{session_id}", **document_session_call(SessionUpdate, SessionInfo))
async def update(request: Request, session_id: SessionId) -> Response:
    """Let a session end earlier or later. A session with `replay` cannot be changed."""
    body = await request_parsing.parse_body(request, SessionUpdate)
    answer = await call_session(_get_calls(request), session_id, {"do": "set_ttl", "ttl_s": body.ttl_s})
    return build_json_response(parse_stored(SessionInfo, answer["session"]).model_dump_json())


@router.delete("/{session_id}", **document_session_call(None, None, status=204))
async def close(request: Request, session_id: SessionId) -> Response:
    """Close a session, and remove everything in it."""
    await call_session(_get_calls(request), session_id, {"do": "close"})
    return Response(status_code=204)


@router.post("/{session_id}/execute", **document_session_call(SessionCall, CallResult))
async def execute(request: Request, session_id: SessionId) -> Response:
    """Run code or a command. With `Accept: text/event-stream`, output arrives as it is written.

    The events are `stdout` and `stderr` ({"text"}), `display`, and at the end `result` or `problem`.
    """
    body = await request_parsing.parse_body(request, SessionCall)
    fields = {"do": "execute", "call": body.model_dump(mode="json", exclude_defaults=True)}
    if EVENT_STREAM in request.headers.get("accept", ""):
        events = _stream_call(_get_calls(request), session_id, fields)
        return StreamingResponse(events, media_type=EVENT_STREAM)
    answer = await call_session(_get_calls(request), session_id, fields)
    return build_json_response(json.dumps(answer))


@router.post("/{session_id}/interrupt", **document_session_call(None, InterruptResult))
async def interrupt(request: Request, session_id: SessionId) -> Response:
    """Interrupt the running call, as Ctrl-C does. The session keeps its state."""
    answer = await call_session(_get_calls(request), session_id, {"do": "interrupt"})
    return build_json_response(InterruptResult.model_validate(answer).model_dump_json())


@router.post("/{session_id}/fork", **document_session_call(ForkRequest, ForkResult, has_key=True))
async def fork(request: Request, session_id: SessionId) -> Response:
    """Copy a session with its variables and files. The original and its copies are independent from then on."""
    body = await request_parsing.parse_body(request, ForkRequest)
    key = request_parsing.read_idempotency_key(request)
    forks = await fork_session(_get_calls(request), request, session_id, body, key)
    return build_json_response(forks.model_dump_json())


@router.get("/{session_id}/files", **document_session_call(None, SessionFiles))
async def list_files(request: Request, session_id: SessionId, path: str = "") -> Response:
    """List a directory of the session, by default its work directory."""
    answer = await call_session(_get_calls(request), session_id, {"do": "list_files", "path": path})
    return build_json_response(SessionFiles.model_validate(answer).model_dump_json())


@router.put("/{session_id}/files/{path:path}", **document_session_call(BINARY, None, status=204))
async def put_file(request: Request, session_id: SessionId, path: FilePath) -> Response:
    """Write a file; the body is its content. Missing directories are created."""
    content = await request_parsing.read_body(request)
    if len(content) > MAX_FILE_BYTES:
        raise BadRequest(f"the file has {len(content)} bytes, the maximum is {MAX_FILE_BYTES}", "body")
    fields = {"do": "put_file", "path": _check_path(path), "content": b64encode(content).decode()}
    await call_session(_get_calls(request), session_id, fields)
    return Response(status_code=204)


@router.get("/{session_id}/files/{path:path}", response_class=Response, **document_session_call(None, BINARY))
async def get_file(request: Request, session_id: SessionId, path: FilePath) -> Response:
    """Return the content of a file."""
    fields = {"do": "get_file", "path": _check_path(path)}
    answer = await call_session(_get_calls(request), session_id, fields)
    return Response(b64decode(answer["content"]), media_type=BINARY)


@router.delete("/{session_id}/files/{path:path}", **document_session_call(None, None, status=204))
async def delete_file(request: Request, session_id: SessionId, path: FilePath) -> Response:
    """Delete a file, or a directory with everything in it."""
    await call_session(_get_calls(request), session_id, {"do": "delete_file", "path": _check_path(path)})
    return Response(status_code=204)


@router.post("/{session_id}/snapshot", response_class=Response, **document_session_call(None, ARCHIVE))
async def snapshot(request: Request, session_id: SessionId) -> Response:
    """Return the files of the work directory as a tar archive."""
    answer = await call_session(_get_calls(request), session_id, {"do": "snapshot"})
    return Response(b64decode(answer["content"]), media_type=ARCHIVE)


@router.post("/{session_id}/restore", **document_session_call(ARCHIVE, None, status=204))
async def restore(request: Request, session_id: SessionId) -> Response:
    """Replace the files of the work directory with those of a tar archive. Variables do not change."""
    content = await request_parsing.read_body(request)
    await call_session(_get_calls(request), session_id, {"do": "restore", "content": b64encode(content).decode()})
    return Response(status_code=204)


@router.post("/{session_id}/verify", **document_session_call(SessionVerifyRequest, VerifyResult, 504))
async def verify(request: Request, session_id: SessionId) -> Response:
    """Judge the session's files or cells with hidden tests, which run in another box on a copy of the files."""
    body, preferences = await request_parsing.parse_submission(request, SessionVerifyRequest)
    calls = _get_calls(request)
    archive = cells = ""
    if needs_files(body):
        archive = (await call_session(calls, session_id, {"do": "snapshot"}))["content"]
    if body.file is None:
        cells = (await call_session(calls, session_id, {"do": "cells"}))["code"]
    submission = await asyncio.to_thread(build_submission, body, archive, cells)
    return await submit_and_respond(request, submission, preferences)


def _get_calls(request: Request) -> SessionCalls:
    return get_context(request).sessions


def _check_path(path: str) -> str:
    try:
        return check_relative_path(path)
    except ValueError as error:
        raise BadRequest(str(error), "path.path") from None


async def _stream_call(calls: SessionCalls, session_id: str, fields: dict[str, Any]) -> AsyncIterator[str]:
    """Yield an answer as server-sent events: first its parts, then the complete answer."""
    try:
        async for part in stream_session(calls, session_id, fields):
            yield format_event(part.event, json.dumps(part.data))
    except SandboxError as error:
        yield format_event("problem", describe_error(error).problem.model_dump_json())
