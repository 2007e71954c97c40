"""The shortest way to the routes that have to be fast: by their path, past the framework's search and its wrappers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.api.fast_route import FastRoute
from sandbox.api.problems import describe_error
from sandbox.errors import SandboxError


class FastRouteMiddleware:
    """ASGI middleware, the innermost; what is not in `routes` goes on as before.

    Between the last middleware and its endpoint a request spent a third of the event loop's time on it.
    """

    def __init__(self, app: ASGIApp, routes: Mapping[str, FastRoute]) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if route is None or scope.get("root_path"):
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        try:
            response = await route.endpoint(Request(scope, receive, send))
        except (SandboxError, RequestValidationError, HTTPException) as error:
            response = describe_error(error).to_response()
        await response(scope, receive, send)


def find_fast_routes(routes: Iterable[BaseRoute]) -> dict[str, FastRoute]:
    """The lean ones for POST by path: of several with one path the first, which is the one the search would find."""
    found: dict[str, BaseRoute] = {}
    for route in routes:
        if "POST" in (getattr(route, "methods", None) or ()):
            found.setdefault(getattr(route, "path", ""), route)
    return {path: route for path, route in found.items() if isinstance(route, FastRoute) and "{" not in path}
