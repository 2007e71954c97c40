"""The settings of the connections of both clients."""

from __future__ import annotations

from collections.abc import Callable

import httpx

DEFAULT_URL = "http://127.0.0.1:8080"

Progress = Callable[[int, int | None], object]
"""Called with the number of results so far and the total, which is None if it is unknown."""


def build_auth_headers(api_key: str | None) -> dict[str, str]:
    if api_key is None:
        # Imported here because reading the settings loads a package that nothing else in the client needs.
        from sandbox.config import ClientSettings

        api_key = ClientSettings().api_key
    return {"Authorization": f"Bearer {api_key}"} if api_key else {}


def build_timeout(timeout_s: float) -> httpx.Timeout:
    return httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0), pool=None)


def build_limits(connections: int) -> httpx.Limits:
    return httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
