"""Chat with any OpenAI-compatible model: limited concurrency, retries, a seed per call, and token counts."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeVar

import httpx

from sandbox.errors import BadRequest, InfrastructureError
from sandbox.llm.retry import TRANSIENT_STATUSES, compute_pause_s

ATTEMPTS = 6
FIRST_DELAY_S = 0.5
REQUEST_TIMEOUT_S = 600.0
SEED_LIMIT = 1 << 31
ERROR_EXCERPT_CHARS = 300
# The words in which vLLM, OpenAI ("context_length_exceeded") and llama.cpp reject prompts that are too long.
CONTEXT_EXCEEDED = re.compile(r"context.?length|context.?size|context.?window", re.IGNORECASE)

Parsed = TypeVar("Parsed")


class ModelFailed(InfrastructureError):
    """The model server failed on every attempt. Run the stage again: it continues where it stopped."""


@dataclass
class Usage:
    """The calls and tokens behind one line of output; `too_long` counts the calls that exceeded the context."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    too_long: int = 0

    def to_record(self) -> dict[str, int]:
        record = {
            "calls": self.calls,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
        }
        return record | ({"too_long": self.too_long} if self.too_long else {})


@dataclass(frozen=True)
class Completion:
    """A model's answer. `tokens` is the server's count or the number of words; `complete` is False if cut off."""

    text: str
    tokens: int
    complete: bool


class Unparsable(Exception):
    """The completion does not have the requested form. It is requested again with another seed."""


class PromptTooLong(Exception):
    """The prompt and `max_tokens` exceed the model's context. Only this line of output fails."""


class ChatModel:
    """A client for one model of one server; close it after use."""

    def __init__(
        self,
        url: str,
        name: str,
        *,
        key: str = "",
        seed: int = 0,
        temperature: float = 0.8,
        max_tokens: int = 4_096,
        concurrency: int = 16,
    ) -> None:
        self._name = name
        self._seed = seed
        self._sampling = {"temperature": temperature, "max_tokens": max_tokens}
        self._semaphore = asyncio.Semaphore(concurrency)
        self.concurrency = concurrency
        self._http = httpx.AsyncClient(
            base_url=url.rstrip("/"),
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(REQUEST_TIMEOUT_S, connect=10.0),
            limits=httpx.Limits(max_connections=concurrency),
        )

    async def __aenter__(self) -> ChatModel:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.aclose()

    def start_session(self, *key: object) -> PromptSession:
        """Start the calls for one line of output. Their seeds are derived from the run's seed and `key`."""
        return PromptSession(self, "/".join(map(str, (self._seed, *key))))

    async def chat(self, prompt: str, seed: int) -> tuple[Completion, dict[str, Any]]:
        """Return a completion and the server's token counts. Raises PromptTooLong, ModelFailed and BadRequest."""
        body = {
            "model": self._name,
            "messages": [{"role": "user", "content": prompt}],
            "seed": seed,
            **self._sampling,
        }
        async with self._semaphore:
            payload = await self._post(body)
        try:
            choice = payload["choices"][0]
            text = choice["message"]["content"] or ""
            thoughts = choice["message"].get("reasoning_content") or ""
        except (KeyError, IndexError, TypeError, AttributeError):
            raise ModelFailed(
                f"unexpected response from the model server: {str(payload)[:ERROR_EXCERPT_CHARS]}"
            ) from None
        if thoughts:
            text = f"<think>\n{thoughts}\n</think>\n{text}"
        usage = payload.get("usage") or {}
        tokens = usage.get("completion_tokens") or len(text.split())
        return Completion(text, tokens, choice.get("finish_reason") != "length"), usage

    async def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        failure = ""
        response: httpx.Response | None = None
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(compute_pause_s(attempt - 1, FIRST_DELAY_S, response))
            response = None
            try:
                response = await self._http.post("/chat/completions", json=body)
            except httpx.HTTPError as error:
                failure = f"{type(error).__name__}: {error}"
                continue
            if response.status_code == 200:
                return self._decode_json(response)
            failure = f"{response.status_code}: {response.text[:ERROR_EXCERPT_CHARS]}"
            if response.status_code == 400 and CONTEXT_EXCEEDED.search(response.text):
                raise PromptTooLong(failure)
            if response.status_code not in TRANSIENT_STATUSES:
                raise BadRequest(f"the model server rejected the request: {failure}")
        raise ModelFailed(f"the model server at {self._http.base_url} failed {ATTEMPTS} times: {failure}")

    def _decode_json(self, response: httpx.Response) -> dict[str, Any]:
        try:
            payload: dict[str, Any] = response.json()
        except json.JSONDecodeError:
            raise ModelFailed(
                f"the response of the model server is not JSON: {response.text[:ERROR_EXCERPT_CHARS]}"
            ) from None
        return payload


@dataclass
class PromptSession:
    """The calls for one line of output. Their seeds depend only on its key, so a resumed run repeats them."""

    model: ChatModel
    key: str
    usage: Usage = field(default_factory=Usage)

    async def ask(self, prompt: str) -> Completion:
        """Return a completion. Raises PromptTooLong."""
        digest = hashlib.sha256(f"{self.key}/{self.usage.calls}".encode()).digest()
        self.usage.calls += 1
        try:
            completion, usage = await self.model.chat(prompt, int.from_bytes(digest[:8], "big") % SEED_LIMIT)
        except PromptTooLong:
            self.usage.too_long += 1
            raise
        self.usage.prompt_tokens += usage.get("prompt_tokens") or len(prompt.split())
        self.usage.completion_tokens += completion.tokens
        return completion

    async def ask_until_parsed(self, prompt: str, parse: Callable[[str], Parsed], attempts: int = 3) -> Parsed | None:
        """Return the first completion that `parse` accepts, or None after `attempts`, or if the prompt is too long."""
        for _ in range(attempts):
            try:
                return parse((await self.ask(prompt)).text)
            except Unparsable:
                continue
            except PromptTooLong:
                break
        return None


def parse_json_object(text: str) -> dict[str, Any]:
    """Return the JSON object in a completion, ignoring the text around it. Raises Unparsable."""
    answer = text.rpartition("</think>")[2]
    start = answer.find("{")
    while start >= 0:
        try:
            value, _ = json.JSONDecoder().raw_decode(answer, start)
        except (ValueError, RecursionError):
            start = answer.find("{", start + 1)
            continue
        if isinstance(value, dict):
            return value
        break
    raise Unparsable


def clean_strings(value: Any, at_most: int) -> list[str]:
    """Return the non-empty strings of a list, stripped. Ignores all other entries."""
    entries = value if isinstance(value, list) else []
    return [entry.strip() for entry in entries if isinstance(entry, str) and entry.strip()][:at_most]
