"""A shortcut to the routes that must be fast: a lookup by path that skips the framework's router and wrappers."""

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
    """The innermost ASGI middleware. Requests for paths outside `routes` take the normal way.

    Without it, a request spends a third of its event loop time between the last middleware and its endpoint.
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
    """Return the fast POST routes by path. If several routes share a path, the first wins, as in the router."""
    found: dict[str, BaseRoute] = {}
    for route in routes:
        if "POST" in (getattr(route, "methods", None) or ()):
            found.setdefault(getattr(route, "path", ""), route)
    return {path: route for path, route in found.items() if isinstance(route, FastRoute) and "{" not in path}
