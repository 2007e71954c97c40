"""Request completions of many prompts from an OpenAI-compatible server, and yield each prompt once it is finished."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Container, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.errors import BadRequest
from sandbox.gpu.serving.engine import Engine, StageCallback
from sandbox.llm.model_client import ModelClient, RequestRejected
from sandbox.schema.gpu import Message, Sampling

TIMEOUT_S = 3_600.0
ATTEMPTS = 8

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

    def __init__(
        self, engine: Engine, requests_per_server: int, api_key: str = "", on_stage: StageCallback | None = None
    ) -> None:
        self._engine = engine
        self._on_stage = on_stage
        self._requests_per_server = requests_per_server
        self._api_key = api_key

    async def warm_up(self, model: str) -> list[str]:
        """Wait until the model is served, and return the URLs that serve it. Raises EngineUnavailable."""
        return await asyncio.to_thread(self._engine.serve, model, self._on_stage)

    async def generate(
        self, model: str, prompts: Sequence[Prompt], sampling: Sampling, skip: Container[int] = ()
    ) -> AsyncGenerator[CompletionGroup, None]:
        """Yield completion groups in the order in which they finish, except for the prompts in `skip`.

        Raises EngineUnavailable, BadRequest and InfrastructureError.
        """
        urls = await asyncio.to_thread(self._engine.serve, model)
        room = asyncio.Semaphore(self._requests_per_server * len(urls))
        async with ModelClient(
            key=self._api_key, attempts=ATTEMPTS, timeout_s=TIMEOUT_S, connect_timeout_s=TIMEOUT_S, trust_env=False
        ) as client:
            tasks = [
                asyncio.create_task(self._request_group(client, room, urls, index, model, prompt, sampling))
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
        client: ModelClient,
        room: asyncio.Semaphore,
        urls: list[str],
        index: int,
        model: str,
        prompt: Prompt,
        sampling: Sampling,
    ) -> CompletionGroup:
        async def find_url() -> str:
            """Return the URL to use for the next attempt. Restarts servers that are not healthy."""
            urls = await asyncio.to_thread(self._engine.serve, model)
            return urls[index % len(urls)]

        name = self._engine.get_served_name(model)
        try:
            async with room:
                response = await client.complete(
                    urls[index % len(urls)], build_request(name, prompt, sampling), find_url
                )
        except RequestRejected as error:
            raise BadRequest(str(error), "model" if error.status == 404 else f"prompts.{index}") from None
        return CompletionGroup(
            prompt_index=index,
            texts=[choice.text for choice in response.choices],
            finish_reasons=[choice.finish_reason for choice in response.choices],
            tokens=response.completion_tokens,
            prompt_tokens=response.prompt_tokens,
            finished_at=time.monotonic(),
        )


def build_request(model: str, prompt: Prompt, sampling: Sampling) -> dict[str, Any]:
    """Return the body of the request for one prompt."""
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
        return {**body, "prompt": prompt}
    return {**body, "messages": [message.model_dump() for message in prompt]}
