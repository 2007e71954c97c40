"""The interface of engines that generate, and a remote OpenAI-compatible service as one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import httpx

from sandbox.errors import BadRequest, InfrastructureError

METRICS_TIMEOUT_S = 2.0

StageCallback = Callable[[str], None]


class EngineUnavailable(InfrastructureError):
    """Nothing serves the model: a local server did not start, or a remote one does not answer."""


class Engine(Protocol):
    """Serves models. Thread-safe."""

    def prepare(self) -> None:
        """Do ahead what a start needs without a model, if anything. Does not wait for it."""

    def serve(self, model: str, on_stage: StageCallback | None = None) -> list[str]:
        """Return base URLs that serve `model`. Raises EngineUnavailable, and BadRequest for an unknown model.

        `on_stage` is called every few seconds with the stage of a start.
        """

    def get_served_name(self, model: str) -> str:
        """Return the name under which the servers know `model`."""

    def lend(self, model: str, on_stage: StageCallback | None = None) -> str:
        """Return the URL of a server with these weights; the caller may load others into it. Raises like `serve`."""

    def release_gpus(self) -> None:
        """Free the GPUs' memory, as far as warm servers can."""

    def stop(self) -> None:
        """Free the GPUs."""

    def list_server_urls(self) -> list[str]:
        """Return the URLs of the running servers, which have /metrics. Does not wait for one that is starting."""

    def take_phases(self) -> list[dict[str, Any]]:
        """Return the starts and loads since the last call, with `phase`, `took_s` and the seconds of its parts."""


class RemoteEngine:
    """A model server that someone else operates."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def prepare(self) -> None:
        """Do nothing: the server runs already."""

    def serve(self, model: str, on_stage: StageCallback | None = None) -> list[str]:
        return [self._url]

    def get_served_name(self, model: str) -> str:
        return model

    def lend(self, model: str, on_stage: StageCallback | None = None) -> str:
        raise BadRequest("rollouts: `engine` needs a server of this worker, but SANDBOX_LLM_URL is set", "rollouts")

    def release_gpus(self) -> None:
        """Do nothing: the GPUs belong to the remote server."""

    def stop(self) -> None:
        """Do nothing: the server belongs to someone else."""

    def list_server_urls(self) -> list[str]:
        return [self._url.removesuffix("/v1")]

    def take_phases(self) -> list[dict[str, Any]]:
        return []


def fetch_metrics(engine: Engine) -> list[str]:
    """Return the /metrics response of each running server, leaving out servers that do not answer."""
    texts = []
    for url in engine.list_server_urls():
        try:
            answer = httpx.get(f"{url}/metrics", timeout=METRICS_TIMEOUT_S, trust_env=False)
        except httpx.HTTPError:
            continue
        if answer.status_code == 200:
            texts.append(answer.text)
    return texts
