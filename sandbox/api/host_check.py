"""Check the Host header before anything else, so that web pages cannot reach a service that needs no key.

In a DNS rebinding attack, a web page makes its own host name resolve to 127.0.0.1. Its requests then reach a service on
loopback as if they came from the same site, and the browser lets the page read the responses. Only the Host header
reveals the attack.
"""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.api.problems import describe_error
from sandbox.config import ApiSettings, is_loopback

ANY_HOST = "*"


def resolve_allowed_hosts(settings: ApiSettings) -> frozenset[str] | None:
    """Return the host names to accept in addition to loopback names, or None to accept any."""
    names = frozenset(settings.allowed_hosts.replace(",", " ").lower().split())
    if ANY_HOST in names or (not names and (settings.api_keys or not is_loopback(settings.host))):
        return None
    return names | {settings.host.lower()}


class HostCheckMiddleware:
    """ASGI middleware that responds 421 to unknown hosts, and 400 if there is not exactly one Host header."""

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"} and (refusal := self._check_host(scope)) is not None:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            await describe_error(refusal).to_response()(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check_host(self, scope: Scope) -> HTTPException | None:
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if not hosts and scope["http_version"] == "1.0":  # browsers never send this, but health checks do
            return None
        if len(hosts) != 1:
            return HTTPException(400, "send exactly one Host header")
        name = _parse_host(hosts[0])
        if name in self._names or is_loopback(name):
            return None
        return HTTPException(421, "the Host header names an unknown host; add it to SANDBOX_ALLOWED_HOSTS")


def _parse_host(host: str) -> str:
    """Return the name or address in a Host header, without port, brackets and final dot; empty if it is malformed."""
    if host.startswith("["):
        name, bracket, port = host[1:].partition("]")
        return name.lower() if bracket and _is_port(port) else ""
    name, colon, port = host.partition(":")
    return name.lower().removesuffix(".") if _is_port(colon + port) else ""


def _is_port(text: str) -> bool:
    return not text or (text[0] == ":" and (not text[1:] or text[1:].isdecimal()))
