"""What all parts of E2B's dialect share. A sandbox is a session, and its timeout is the session's `ttl_s`.

The SDK calls three services: the control plane (`e2b_sandboxes`), the daemon in a sandbox (`e2b_files`,
`e2b_processes`), and the code interpreter (`e2b_interpreter`). Here one URL serves all of them: their paths differ, and
the last two name the sandbox in a header. What a session cannot do gets a 501 that says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from posixpath import normpath
from typing import Any

from fastapi import Request, Response
from starlette.exceptions import HTTPException

from sandbox.api.dependencies import get_context
from sandbox.api.dialects.dialect import encode_response
from sandbox.api.problems import ProblemResponse
from sandbox.api.session_client import call_session
from sandbox.errors import BadRequest, NotFound, SessionEnded
from sandbox.queue.session_answers import Answer
from sandbox.queue.session_calls import SessionCalls

HOME = "/home/user"
USERS = {"", "user"}
STATUSES = {410: 404, 422: 400}  # an ended sandbox does not exist, and the SDK expects 400 for what is invalid
RPC_CODES = {
    400: "invalid_argument",
    401: "unauthenticated",
    403: "permission_denied",
    404: "not_found",
    409: "already_exists",
    413: "resource_exhausted",
    429: "resource_exhausted",
    501: "unimplemented",
    502: "unavailable",
    503: "unavailable",
}


def render_error(problem: ProblemResponse) -> Response:
    """Render an error of the control plane, `/files` or the code interpreter."""
    status = _map_status(problem)
    return _render(problem, status, status)


def render_rpc_error(problem: ProblemResponse) -> Response:
    """Render an error of a Connect service."""
    status = _map_status(problem)
    return _render(problem, status, RPC_CODES.get(status, "internal"))


def _map_status(problem: ProblemResponse) -> int:
    return STATUSES.get(problem.problem.status, problem.problem.status)


def _render(problem: ProblemResponse, status: int, code: int | str) -> Response:
    response = encode_response({"code": code, "message": problem.problem.detail or problem.problem.title}, status)
    response.headers.update(problem.headers)
    return response


def get_calls(request: Request) -> SessionCalls:
    return get_context(request).sessions


def read_sandbox_id(request: Request) -> str:
    """Return the sandbox that a request to the daemon or the code interpreter is for. Raises BadRequest."""
    sandbox_id = request.headers.get("e2b-sandbox-id", "")
    if not (sandbox_id.isascii() and sandbox_id.isalnum() and len(sandbox_id) <= 64):
        raise BadRequest("send the sandbox's id in the header E2b-Sandbox-Id", "header.E2b-Sandbox-Id")
    return sandbox_id


def describe_gone(sandbox_id: str, reason: object) -> str:
    """Return the message of a missing sandbox. The SDK looks for its first words."""
    return f"The sandbox {sandbox_id} was not found: {reason}"


async def call_sandbox(request: Request, fields: Mapping[str, Any]) -> Answer:
    """Send a call to the sandbox of a request. Raises HTTPException 502, as E2B's proxy answers, if it is gone."""
    calls, sandbox_id = get_calls(request), read_sandbox_id(request)
    try:
        return await call_session(calls, sandbox_id, fields)
    except SessionEnded as error:
        raise HTTPException(502, describe_gone(sandbox_id, error)) from error
    except NotFound:  # of the sandbox, or of something in it
        try:
            await asyncio.to_thread(calls.get, sandbox_id)
        except NotFound as error:
            raise HTTPException(502, describe_gone(sandbox_id, error)) from error
        raise


def to_session_path(path: str) -> str:
    """Return a path relative to the session's work directory, which E2B calls /home/user. Raises BadRequest."""
    if path == "~" or path.startswith("~/"):
        path = HOME + path[1:]
    path = normpath(f"{HOME}/{path}" if not path.startswith("/") else path)
    if path != HOME and not path.startswith(HOME + "/"):
        raise BadRequest(
            f"the files of a sandbox are below {HOME}, and {path[:200]} is not; use a command for it", "path"
        )
    return path[len(HOME) + 1 :]


def to_sandbox_path(path: str) -> str:
    return f"{HOME}/{path}" if path else HOME


def check_user(name: str) -> None:
    """Raise BadRequest unless `name` is the one user of a sandbox."""
    if name not in USERS:
        raise BadRequest(
            f"a sandbox has one user, `user`, and everything runs as that user, not as {name[:64]!r}", "user"
        )
