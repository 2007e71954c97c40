"""A route without the cost of the framework's dependency solving."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute


class FastRoute(APIRoute):
    """A documented route whose endpoint is called at once.

    FastAPI's dependency solving finds nothing to do for an endpoint that takes the request alone, and its search costs
    as much as all the rest of a request's way through the framework: 110 us with it, 56 us without.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler
