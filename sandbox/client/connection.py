"""What both clients open their connections with, and what their streams outlive."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from sandbox.client.protocol import CONNECTION_ERRORS
from sandbox.errors import QueueUnavailable, Refused

DEFAULT_URL = "http://127.0.0.1:8080"

Progress = Callable[[int, int | None], object]
"""Called with the number of results so far, and of all, None where that is not known."""

# A stream that meets one of these asks again for what is missing.
RECONNECT_ERRORS = (Refused, QueueUnavailable, *CONNECTION_ERRORS)


def build_auth_headers(api_key: str | None) -> dict[str, str]:
    if api_key is None:
        # Imported here: reading settings brings a package along that no call needs.
        from sandbox.config import ClientSettings

        api_key = ClientSettings().api_key
    return {"Authorization": f"Bearer {api_key}"} if api_key else {}


def build_timeout(timeout_s: float) -> httpx.Timeout:
    return httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0), pool=None)


def build_limits(connections: int) -> httpx.Limits:
    return httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
