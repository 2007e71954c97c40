"""The connection from the MCP server to the service: whose API key a call uses, and how errors reach the model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import httpx
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver.exceptions import MCPServerError, ToolError

from sandbox.client import AsyncClient, Retries
from sandbox.errors import BadRequest, SandboxError

# A model waits for each answer, so an overload or an outage is reported to it after a few seconds.
RETRIES = Retries(attempts=3)
BEARER = "bearer "


# The key of the caller of the current request: empty if it sent none, None for the one in the settings.
_caller_key: ContextVar[str | None] = ContextVar("caller_key", default=None)


class ServiceConnection:
    """One pool of connections to the service, shared by all callers."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._transport = httpx.AsyncHTTPTransport()
        self._sessions: set[str] = set()

    @asynccontextmanager
    async def connect(self, error_type: type[MCPServerError] = ToolError) -> AsyncIterator[AsyncClient]:
        """Yield a client with the caller's key. Errors of the service are raised as `error_type`, with their text."""
        try:
            yield self._build_client(_caller_key.get())
        except SandboxError as error:
            raise error_type(_describe(error)) from error

    def remember(self, *session_ids: str) -> None:
        """Remember open sessions, which `close` closes. Over HTTP, clients come and go, and nothing is remembered."""
        if _caller_key.get() is None:
            self._sessions.update(session_ids)

    def forget(self, session_id: str) -> None:
        self._sessions.discard(session_id)

    async def close(self) -> None:
        """Close the remembered sessions and all connections."""
        client = self._build_client(None)
        closing = [client.attach_session(session_id).close() for session_id in self._sessions]
        # If the service is unavailable, the sessions end after their idle time.
        for failure in await asyncio.gather(*closing, return_exceptions=True):
            if isinstance(failure, BaseException) and not isinstance(failure, SandboxError):
                raise failure
        await self._transport.aclose()

    def _build_client(self, api_key: str | None) -> AsyncClient:
        """Build a client on the shared pool. It holds no connection of its own, so it is not closed."""
        return AsyncClient(self._url, api_key=api_key, retries=RETRIES, transport=self._transport)


async def identify_caller(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Handle a request with the API key in the caller's `Authorization` header.

    Over stdio, there are no headers, and calls use `SANDBOX_API_KEY`. Over HTTP, calls never use the server's own key,
    because everyone who reaches the server could then use it.
    """
    headers = getattr(ctx.request, "headers", None)
    if headers is None:
        return await call_next(ctx)
    header = headers.get("authorization", "")
    token = _caller_key.set(header[len(BEARER) :].strip() if header.lower().startswith(BEARER) else "")
    try:
        return await call_next(ctx)
    finally:
        _caller_key.reset(token)


def _describe(error: SandboxError) -> str:
    field = error.field if isinstance(error, BadRequest) else ""
    return f"{type(error).__name__}: {field + ': ' if field else ''}{error}"
