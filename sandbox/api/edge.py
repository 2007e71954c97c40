"""Where every request passes: it gets its id and its line in the log, and a failure that nobody expected an answer."""

from __future__ import annotations

import logging
import re
from time import perf_counter

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.api.problems import describe
from sandbox.ids import new_id
from sandbox.origin import LOGGED, ORIGIN, Origin

log = logging.getLogger(__name__)

HEADER = b"x-request-id"
KEY = "sandbox.key"  # where the guard leaves the id of the caller's key
QUIET = ("/health", "/metrics", "/live", "/web", "/favicon.ico")  # asked for every few seconds, and nobody's submission

_GOOD = re.compile(rb"[\x21-\x7e]{1,128}")


class Edge:
    """ASGI middleware. Not Starlette's BaseHTTPMiddleware: that one costs a task and two streams a request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        began = perf_counter()
        status = 0
        origin = ORIGIN.set(Origin(request=request_id.decode()))
        logged = LOGGED.set({"request": request_id.decode()})

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((HEADER, request_id))
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            return  # nobody is left to answer
        except Exception as error:
            log.exception("request %s failed", request_id.decode())
            if status:
                raise
            await describe(error).response()(scope, receive, send_with_id)
        finally:
            _log_answer(scope, status, perf_counter() - began)
            LOGGED.reset(logged)
            ORIGIN.reset(origin)


def _log_answer(scope: Scope, status: int, took_s: float) -> None:
    if scope["path"].startswith(QUIET):
        return
    told = {"method": scope["method"], "path": scope["path"], "status": status, "took_s": round(took_s, 6)}
    if KEY in scope:
        told["key"] = scope[KEY]
    log.info("answered" if status else "client gone", extra=told)


def _request_id(scope: Scope) -> bytes:
    """The client's own id where it sent a good one, so that its log and ours can be read side by side."""
    for name, value in scope["headers"]:
        if name == HEADER and _GOOD.fullmatch(value):
            return bytes(value)
    return new_id().encode()
