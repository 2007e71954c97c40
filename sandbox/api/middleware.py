"""Middleware for every request: assigns its id, writes its log line, and responds to unexpected failures."""

from __future__ import annotations

import logging
import re
from time import perf_counter

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.api.problems import describe_error
from sandbox.request_context import CURRENT_REQUEST_IDS, LOG_FIELDS, RequestIds, generate_id

log = logging.getLogger(__name__)

REQUEST_ID_HEADER = b"x-request-id"
CALLER_ID_SCOPE_KEY = "sandbox.key"  # set by `ApiKeyMiddleware`: the id of the caller's key
UNLOGGED_PATH_PREFIXES = (
    "/health",
    "/metrics",
    "/live",
    "/web",
    "/favicon.ico",
)  # polled every few seconds, and unrelated to submissions

_VALID_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")


class RequestIdMiddleware:
    """ASGI middleware. Starlette's BaseHTTPMiddleware would cost a task and two streams per request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _choose_request_id(scope)
        began = perf_counter()
        status = 0
        ids_token = CURRENT_REQUEST_IDS.set(RequestIds(request_id=request_id.decode()))
        fields_token = LOG_FIELDS.set({"request": request_id.decode()})

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((REQUEST_ID_HEADER, request_id))
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            return  # there is no one to respond to
        except Exception as error:
            log.exception("request %s failed", request_id.decode())
            if status:
                raise
            await describe_error(error).to_response()(scope, receive, send_with_id)
        finally:
            _log_request(scope, status, perf_counter() - began)
            LOG_FIELDS.reset(fields_token)
            CURRENT_REQUEST_IDS.reset(ids_token)


def _log_request(scope: Scope, status: int, took_s: float) -> None:
    if scope["path"].startswith(UNLOGGED_PATH_PREFIXES):
        return
    fields = {"method": scope["method"], "path": scope["path"], "status": status, "took_s": round(took_s, 6)}
    if CALLER_ID_SCOPE_KEY in scope:
        fields["key"] = scope[CALLER_ID_SCOPE_KEY]
    log.info("request finished" if status else "client disconnected", extra=fields)


def _choose_request_id(scope: Scope) -> bytes:
    """Return the client's own id if it sent a valid one, so that its log lines can be matched with the server's."""
    for name, value in scope["headers"]:
        if name == REQUEST_ID_HEADER and _VALID_REQUEST_ID.fullmatch(value):
            return bytes(value)
    return generate_id().encode()
