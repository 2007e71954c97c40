"""E2B's control plane: create, list, find, extend, fork and kill sandboxes."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from fastapi import Request, Response
from pydantic import Field

from sandbox.api import request_parsing
from sandbox.api.dialects.dialect import Dialect, PeerRequest, build_model, encode_response
from sandbox.api.dialects.e2b_session import get_calls, render_error
from sandbox.api.keyring import read_key
from sandbox.api.session_client import call_session, fork_session, open_session
from sandbox.errors import BadRequest, NotFound
from sandbox.queue.session_records import parse_stored
from sandbox.schema.sessions import MAX_TTL_S, ForkRequest, SessionInfo, SessionRequest

TEMPLATES = {"base": "base", "code-interpreter-v1": "code-interpreter-v1", "code-interpreter": "code-interpreter-v1"}
TEMPLATE = "code-interpreter-v1"
DAEMON_VERSION = "0.5.7"  # of E2B's daemon whose calls we serve; a higher one would promise metadata of files
DEFAULT_TIMEOUT_S = 300
MAX_PAGE = 100
UNSUPPORTED = {
    "autoPause": "pausing",
    "autoResume": "resuming",
    "allow_internet_access": "network access",
    "network": "network access",
    "mcp": "an MCP gateway",
    "iam": "workload identity",
    "volumeMounts": "volumes",
}
ROUTES = Dialect("e2b", render_error)


class NewSandbox(PeerRequest):
    template: str = Field(TEMPLATE, alias="templateID")
    timeout: int = DEFAULT_TIMEOUT_S
    metadata: dict[str, str] = Field(default_factory=dict)
    variables: dict[str, str] = Field(default_factory=dict, alias="envVars")
    model_config = PeerRequest.model_config | {"extra": "allow"}


class Timeout(PeerRequest):
    timeout: int = DEFAULT_TIMEOUT_S


class Fork(Timeout):
    count: int = 1


@ROUTES.post("/sandboxes", "/v2/sandboxes")
async def create(request: Request) -> Response:
    body = await request_parsing.parse_body(request, NewSandbox)
    for name, value in (body.model_extra or {}).items():
        if name in UNSUPPORTED and value and value != {"enabled": False}:
            raise BadRequest(f"this service has no sandboxes with {UNSUPPORTED[name]}", name)
    if body.template not in TEMPLATES:
        known = ", ".join(TEMPLATES)
        raise NotFound(f"there is no template {body.template[:64]!r}; use one of {known}", "templateID")
    wanted = build_model(
        SessionRequest,
        ttl_s=_check_timeout(body.timeout),
        idle_ttl_s=MAX_TTL_S,
        metadata=body.metadata,
        variables=body.variables,
    )
    key = request_parsing.read_idempotency_key(request)
    session = await open_session(get_calls(request), request, wanted, key)
    return encode_response(_render_access(request, session.id), 201)


@ROUTES.get("/sandboxes", "/v2/sandboxes")
async def list_page(request: Request) -> Response:
    """List open sandboxes, newest first, in pages. A page's token is the time and id of its last sandbox."""
    query = request.query_params
    states = set(filter(None, query.get("state", "").split(",")))
    is_wanted = query.get("template", TEMPLATE) in TEMPLATES and (not states or "running" in states)
    found = await asyncio.to_thread(get_calls(request).list_open) if is_wanted else []
    wanted = {unquote(name): unquote(value) for name, value in parse_qsl(query.get("metadata", ""))}
    after_s = _parse_time(query.get("startedAfter", ""))
    found = [each for each in found if each.created_at > after_s and wanted.items() <= each.metadata.items()]
    is_ascending = query.get("order") == "asc"
    found.sort(key=_build_token, reverse=not is_ascending)
    if token := query.get("nextToken", ""):
        found = [each for each in found if (_build_token(each) > token) == is_ascending and _build_token(each) != token]
    limit = min(MAX_PAGE, max(1, int(query["limit"]))) if query.get("limit", "").isdecimal() else MAX_PAGE
    response = encode_response([_render_info(session) for session in found[:limit]])
    if len(found) > limit:
        response.headers["x-next-token"] = _build_token(found[limit - 1])
    return response


@ROUTES.get("/sandboxes/{sandbox_id}")
async def get(request: Request) -> Response:
    session = await _describe(request)
    return encode_response(_render_info(session) | {"envdAccessToken": read_key(request.headers.raw).decode("latin-1")})


@ROUTES.delete("/sandboxes/{sandbox_id}")
async def kill(request: Request) -> Response:
    await call_session(get_calls(request), request.path_params["sandbox_id"], {"do": "close"})
    return Response(status_code=204)


@ROUTES.post("/sandboxes/{sandbox_id}/timeout")
async def set_timeout(request: Request) -> Response:
    body = await request_parsing.parse_body(request, Timeout)
    await _set_ttl(request, _check_timeout(body.timeout))
    return Response(status_code=204)


@ROUTES.post("/sandboxes/{sandbox_id}/connect", "/v2/sandboxes/{sandbox_id}/connect")
async def connect(request: Request) -> Response:
    """Return access to a sandbox, and extend its time if the timeout is longer than what is left."""
    body = await request_parsing.parse_body(request, Timeout)
    session = await _describe(request)
    if time.time() + _check_timeout(body.timeout) > session.expires_at:
        await _set_ttl(request, body.timeout)
    return encode_response(_render_access(request, session.id))


@ROUTES.post("/sandboxes/{sandbox_id}/fork")
async def fork(request: Request) -> Response:
    body = await request_parsing.parse_body(request, Fork)
    ttl_s, calls = _check_timeout(body.timeout), get_calls(request)
    forks = await fork_session(
        calls, request, request.path_params["sandbox_id"], build_model(ForkRequest, count=body.count)
    )
    for session_id in forks.ids:
        await call_session(calls, session_id, {"do": "set_ttl", "ttl_s": ttl_s})
    return encode_response([{"sandbox": _render_access(request, session_id)} for session_id in forks.ids], 201)


async def _describe(request: Request) -> SessionInfo:
    """Return the session of a request's path. Raises NotFound or SessionEnded."""
    answer = await call_session(get_calls(request), request.path_params["sandbox_id"], {"do": "describe"})
    return parse_stored(SessionInfo, answer["session"])


async def _set_ttl(request: Request, ttl_s: int) -> None:
    await call_session(get_calls(request), request.path_params["sandbox_id"], {"do": "set_ttl", "ttl_s": ttl_s})


def _check_timeout(timeout_s: int) -> int:
    if not 1 <= timeout_s <= MAX_TTL_S:
        raise BadRequest(f"must be 1 to {MAX_TTL_S} seconds, not {timeout_s}", "timeout")
    return timeout_s


def _build_token(session: SessionInfo) -> str:
    return f"{session.created_at:020.6f}-{session.id}"


def _render_access(request: Request, sandbox_id: str) -> dict[str, Any]:
    """Describe how to reach a sandbox. The tokens are the caller's own key, so that its rights apply to every call."""
    key = read_key(request.headers.raw).decode("latin-1")
    return {
        "templateID": TEMPLATE,
        "sandboxID": sandbox_id,
        "clientID": "sandbox",
        "envdVersion": DAEMON_VERSION,
        "envdAccessToken": key,
        "trafficAccessToken": key,
    }


def _render_info(session: SessionInfo) -> dict[str, Any]:
    return {
        "templateID": TEMPLATE,
        "sandboxID": session.id,
        "clientID": "sandbox",
        "startedAt": _format_time(session.created_at),
        "endAt": _format_time(session.expires_at),
        "envdVersion": DAEMON_VERSION,
        "cpuCount": 1,
        "memoryMB": session.limits.memory_mb,
        "diskSizeMB": session.limits.disk_mb,
        "state": "running",
        "metadata": session.metadata,
    }


def _parse_time(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp() if text else 0.0
    except ValueError:
        raise BadRequest("must be a time as in RFC 3339", "startedAfter") from None


def _format_time(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat().replace("+00:00", "Z")
