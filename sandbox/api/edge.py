"""Where every request passes: it gets its id, and a failure that nobody expected gets logged and answered."""

from __future__ import annotations

import logging
import re
from uuid import uuid4

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.api.problems import describe

log = logging.getLogger(__name__)

HEADER = b"x-request-id"

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
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"].append((HEADER, request_id))
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            return  # nobody is left to answer
        except Exception as error:
            log.exception("request %s failed", request_id.decode())
            if started:
                raise
            await describe(error).response()(scope, receive, send_with_id)


def _request_id(scope: Scope) -> bytes:
    """The client's own id where it sent a good one, so that its log and ours can be read side by side."""
    for name, value in scope["headers"]:
        if name == HEADER and _GOOD.fullmatch(value):
            return bytes(value)
    return uuid4().hex.encode()
