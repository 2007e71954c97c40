"""The metrics of HTTP requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any

from sandbox.telemetry import definitions
from sandbox.telemetry.registry import MetricsRegistry

# Any other method that a client sends must not create a new series.
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Message, Receive, Send], Awaitable[None]]


class MetricsMiddleware:
    """ASGI middleware that counts and times requests by route template instead of path."""

    def __init__(self, app: AsgiApp, registry: MetricsRegistry) -> None:
        self._app = app
        self._registry = registry
        self._in_flight = registry.gauge(definitions.HTTP_IN_FLIGHT)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0
        received = 0
        sent = 0

        async def receive_and_count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def send_and_count(message: Message) -> None:
            nonlocal status, sent
            status = message.get("status", status)
            sent += len(message.get("body", b""))
            await send(message)

        start = perf_counter()
        self._in_flight.inc()
        try:
            await self._app(scope, receive_and_count, send_and_count)
        finally:
            self._in_flight.dec()
            self._record(scope, status, perf_counter() - start, received, sent)

    def _record(self, scope: Message, status: int, duration_s: float, received: int, sent: int) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._registry.counter(definitions.HTTP_REQUESTS, method, route, str(status or "client_gone")).inc()
        self._registry.histogram(definitions.HTTP_DURATION, route).observe(duration_s)
        if received:
            self._registry.histogram(definitions.HTTP_REQUEST_BODY, route).observe(received)
        self._registry.histogram(definitions.HTTP_RESPONSE_BODY, route).observe(sent)
