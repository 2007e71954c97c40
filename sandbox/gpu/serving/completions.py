"""Request completions of many prompts from an OpenAI-compatible server, and yield each prompt's as they finish."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Container, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from sandbox.errors import BadRequest, InfrastructureError
from sandbox.gpu.serving.engine import Engine
from sandbox.llm.retry import TRANSIENT_STATUSES, compute_pause_s
from sandbox.schema.gpu import Message, Sampling

TIMEOUT_S = 3_600.0
ATTEMPTS = 8
FIRST_PAUSE_S = 0.5
MAX_SHOWN_CHARS = 500

Prompt = str | list[Message]


@dataclass(frozen=True, slots=True)
class CompletionGroup:
    """All completions of one prompt. `finished_at` is when the last token arrived (time.monotonic)."""

    prompt_index: int
    texts: list[str]
    finish_reasons: list[str]
    tokens: int
    prompt_tokens: int
    finished_at: float


class CompletionClient:
    """Distributes requests over the servers of an engine, with a limit on concurrent requests per server."""

    def __init__(self, engine: Engine, requests_per_server: int, api_key: str = "") -> None:
        self._engine = engine
        self._requests_per_server = requests_per_server
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    async def warm_up(self, model: str) -> list[str]:
        """Wait until the model is served, so that later calls need not, and return its URLs. Raises
        EngineUnavailable.
        """
        return await asyncio.to_thread(self._engine.serve, model)

    async def generate(
        self, model: str, prompts: Sequence[Prompt], sampling: Sampling, skip: Container[int] = ()
    ) -> AsyncGenerator[CompletionGroup, None]:
        """Yield completion groups in the order in which they finish, except for the prompts in `skip`.

        Raises EngineUnavailable, BadRequest and InfrastructureError.
        """
        urls = await asyncio.to_thread(self._engine.serve, model)
        room = asyncio.Semaphore(self._requests_per_server * len(urls))
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx.AsyncClient(timeout=TIMEOUT_S, limits=limits, headers=self._headers, trust_env=False) as http:
            tasks = [
                asyncio.create_task(self._request_group(http, room, urls, index, model, prompt, sampling))
                for index, prompt in enumerate(prompts)
                if index not in skip
            ]
            try:
                for ready in asyncio.as_completed(tasks):
                    yield await ready
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _request_group(
        self,
        http: httpx.AsyncClient,
        room: asyncio.Semaphore,
        urls: list[str],
        index: int,
        model: str,
        prompt: Prompt,
        sampling: Sampling,
    ) -> CompletionGroup:
        path, body = build_request(model, prompt, sampling)
        async with room:
            for attempt in range(ATTEMPTS):
                response: httpx.Response | None = None
                try:
                    response = await http.post(urls[index % len(urls)] + path, json=body)
                    failure = f"answered {response.status_code}: {response.text[:MAX_SHOWN_CHARS]}"
                except httpx.TransportError as error:
                    failure = f"did not answer: {type(error).__name__}: {error}"
                if response is not None and response.status_code not in TRANSIENT_STATUSES:
                    return _parse_group(index, response)
                if attempt + 1 < ATTEMPTS:
                    await asyncio.sleep(compute_pause_s(attempt, FIRST_PAUSE_S, response))
                    # Returns at once if the servers are healthy, and restarts one that is not.
                    urls = await asyncio.to_thread(self._engine.serve, model)
        raise InfrastructureError(f"the model server failed {ATTEMPTS} times; it {failure}")


def build_request(model: str, prompt: Prompt, sampling: Sampling) -> tuple[str, dict[str, Any]]:
    """Return the path and body of the request for one prompt."""
    body: dict[str, Any] = {
        "model": model,
        "n": sampling.n,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
    }
    if sampling.stop:
        body["stop"] = sampling.stop
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if isinstance(prompt, str):
        return "/completions", {**body, "prompt": prompt}
    return "/chat/completions", {**body, "messages": [message.model_dump() for message in prompt]}


def _parse_group(index: int, response: httpx.Response) -> CompletionGroup:
    if response.status_code >= 500:
        raise InfrastructureError(
            f"the model server answered {response.status_code}: {response.text[:MAX_SHOWN_CHARS]}"
        )
    if response.status_code == 404:
        raise BadRequest(
            f"model: the model server does not serve this model (404): {response.text[:MAX_SHOWN_CHARS]}", "model"
        )
    if response.status_code != 200:
        words = f"the model server rejected the prompt ({response.status_code}): {response.text[:MAX_SHOWN_CHARS]}"
        raise BadRequest(words, f"prompts.{index}")
    try:
        payload = response.json()
        choices = sorted(payload["choices"], key=lambda choice: choice.get("index", 0))
        texts = [_read_text(choice) for choice in choices]
        usage = payload.get("usage") or {}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InfrastructureError(
            f"unexpected response from the model server: {response.text[:MAX_SHOWN_CHARS]}"
        ) from None
    return CompletionGroup(
        prompt_index=index,
        texts=texts,
        finish_reasons=[choice.get("finish_reason") or "" for choice in choices],
        tokens=usage.get("completion_tokens") or 0,
        prompt_tokens=usage.get("prompt_tokens") or 0,
        finished_at=time.monotonic(),
    )


def _read_text(choice: dict[str, Any]) -> str:
    text = choice["message"]["content"] if "message" in choice else choice["text"]
    return text or ""
