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

from sandbox.llm.model_client import ModelClient, RequestRejected

ATTEMPTS = 6
REQUEST_TIMEOUT_S = 600.0
SEED_LIMIT = 1 << 31
# The words in which vLLM, OpenAI ("context_length_exceeded") and llama.cpp reject prompts that are too long.
CONTEXT_EXCEEDED = re.compile(r"context.?length|context.?size|context.?window", re.IGNORECASE)

Parsed = TypeVar("Parsed")


@dataclass
class Usage:
    """The calls and tokens spent on one line of output. `too_long` counts the calls that exceeded the context."""

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
    """A model's answer. Tokens are the server's counts or numbers of words; `complete` is False if cut off."""

    text: str
    tokens: int
    complete: bool
    prompt_tokens: int = 0


class Unparsable(Exception):
    """The completion does not have the requested form. It is requested again with another seed."""


class PromptTooLong(Exception):
    """The prompt and `max_tokens` exceed the model's context. Only the output line for this prompt fails."""


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
        self._url = url.rstrip("/")
        self._client = ModelClient(key=key, attempts=ATTEMPTS, timeout_s=REQUEST_TIMEOUT_S)

    async def __aenter__(self) -> ChatModel:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, traceback)

    def start_session(self, *key: object) -> PromptSession:
        """Start the calls for one line of output. Their seeds are derived from the run's seed and `key`."""
        return PromptSession(self, "/".join(map(str, (self._seed, *key))))

    async def chat(self, prompt: str, seed: int) -> Completion:
        """Return a completion. Raises PromptTooLong, ModelFailed and BadRequest."""
        body = {
            "model": self._name,
            "messages": [{"role": "user", "content": prompt}],
            "seed": seed,
            **self._sampling,
        }
        try:
            async with self._semaphore:
                response = await self._client.complete(self._url, body)
        except RequestRejected as error:
            if error.status == 400 and CONTEXT_EXCEEDED.search(error.text):
                raise PromptTooLong(str(error)) from None
            raise
        choice = response.choices[0]
        text = f"<think>\n{choice.reasoning}\n</think>\n{choice.text}" if choice.reasoning else choice.text
        return Completion(
            text,
            response.completion_tokens or len(text.split()),
            choice.finish_reason != "length",
            response.prompt_tokens or len(prompt.split()),
        )


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
            completion = await self.model.chat(prompt, int.from_bytes(digest[:8], "big") % SEED_LIMIT)
        except PromptTooLong:
            self.usage.too_long += 1
            raise
        self.usage.prompt_tokens += completion.prompt_tokens
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
