"""Any OpenAI-compatible model: chats with bounded concurrency, retries, a seed for each call, and what they cost."""

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
# vLLM, OpenAI ("context_length_exceeded") and llama.cpp refuse in such words what their model has no room for.
CONTEXT_EXCEEDED = re.compile(r"context.?length|context.?size|context.?window", re.IGNORECASE)

Parsed = TypeVar("Parsed")


class ModelFailed(InfrastructureError):
    """The model's service does not answer, after retries. Run the stage again: it goes on where it was."""


@dataclass
class Usage:
    """What was asked for one line of output; `too_long` counts the calls that the model has no room for."""

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
    """`tokens` is the service's count, else the number of words; `whole` is False where the limit cut it off."""

    text: str
    tokens: int
    complete: bool


class Unparsable(Exception):
    """A completion is not what the prompt asked for; it is drawn again with another seed."""


class PromptTooLong(Exception):
    """A prompt, with the completion's `max_tokens`, is more than the model's context: its line fails, and no other."""


class ChatModel:
    """One model of one service; close it."""

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
        """The calls for one line of output: their seeds are drawn from the run's seed and `key`."""
        return PromptSession(self, "/".join(map(str, (self._seed, *key))))

    async def chat(self, prompt: str, seed: int) -> tuple[Completion, dict[str, Any]]:
        """One completion, and the service's own count of tokens. Raises TooLong, ModelFailed and BadRequest."""
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
                f"the model's service answers in another shape: {str(payload)[:ERROR_EXCERPT_CHARS]}"
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
                raise BadRequest(f"the model's service refuses: {failure}")
        raise ModelFailed(f"the model's service at {self._http.base_url} fails, {ATTEMPTS} times: {failure}")

    def _decode_json(self, response: httpx.Response) -> dict[str, Any]:
        try:
            payload: dict[str, Any] = response.json()
        except json.JSONDecodeError:
            raise ModelFailed(f"the model's service answers no JSON: {response.text[:ERROR_EXCERPT_CHARS]}") from None
        return payload


@dataclass
class PromptSession:
    """The calls for one line: their seeds follow from its key, so a resumed run asks the same again."""

    model: ChatModel
    key: str
    usage: Usage = field(default_factory=Usage)

    async def ask(self, prompt: str) -> Completion:
        """Raises TooLong."""
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
        """The first completion that `parse` takes; None where `attempts` are Unparsable, or the prompt is too long."""
        for _ in range(attempts):
            try:
                return parse((await self.ask(prompt)).text)
            except Unparsable:
                continue
            except PromptTooLong:
                break
        return None


def parse_json_object(text: str) -> dict[str, Any]:
    """The JSON object in a completion, whatever is said around it. Raises Unparsable."""
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
    """The texts of a list, stripped and not empty; whatever else is in it is left out."""
    entries = value if isinstance(value, list) else []
    return [entry.strip() for entry in entries if isinstance(entry, str) and entry.strip()][:at_most]
