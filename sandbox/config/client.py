"""Settings of clients."""

from __future__ import annotations

from pydantic import Field

from sandbox.config.queue import Settings


class ClientSettings(Settings):
    """Settings of a client, and of the reward functions that use one."""

    url: str = Field("http://127.0.0.1:8080", description="URL of the service")
    api_key: str = Field("", repr=False, description="API key that the client sends; empty: none")
    run: str = Field("", description="training run, shown on the page, to which trainers' rewards belong; empty: none")
