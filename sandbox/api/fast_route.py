"""A route without the cost of FastAPI's dependency resolution."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute


class FastRoute(APIRoute):
    """A documented route that calls its endpoint directly.

    FastAPI resolves dependencies even for an endpoint that takes only the request. That doubles a request's time in the
    framework: 110 us with it, 56 us without.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler
