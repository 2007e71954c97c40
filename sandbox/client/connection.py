"""The settings of the connections of both clients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import httpx

from sandbox.client.retries import Retries

if TYPE_CHECKING:
    from sandbox.config import ClientSettings

DEFAULT_URL = "http://127.0.0.1:8080"

Progress = Callable[[int, int | None], object]
"""Called with the number of results so far and the total, which is None if it is unknown."""


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """The arguments of a client, from which a pickled client makes its connections anew."""

    url: str
    api_key: str | None = field(repr=False)
    timeout_s: float
    connections: int
    retries: Retries
    transport: Any

    def list_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of the client's constructor."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def format_url(self) -> str:
        """Return the URL without a password."""
        return repr(httpx.URL(self.url)).removeprefix("URL(").removesuffix(")")


def resolve_url(url: str | None) -> str:
    """Return the URL, or else that of the settings (SANDBOX_URL)."""
    return url or _read_settings().url or DEFAULT_URL


def build_auth_headers(api_key: str | None) -> dict[str, str]:
    key = _read_settings().api_key if api_key is None else api_key
    return {"Authorization": f"Bearer {key}"} if key else {}


def _read_settings() -> ClientSettings:
    # Imported here because reading the settings loads a package that nothing else in the client needs.
    from sandbox.config import ClientSettings

    return ClientSettings()


def build_timeout(timeout_s: float) -> httpx.Timeout:
    return httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0), pool=None)


def build_limits(connections: int) -> httpx.Limits:
    return httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
