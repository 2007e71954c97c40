"""The one client of OpenAI-compatible servers: the `openai` package, with retries and a translation of its errors.

The package itself does not retry: its back-off is at most 8 seconds, it ignores a Retry-After above one minute, and it
cannot restart a local server between two attempts. `openai` is imported only by processes that request completions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from sandbox.errors import BadRequest, InfrastructureError
from sandbox.llm.retry import TRANSIENT_STATUSES, compute_pause_s

FIRST_PAUSE_S = 0.5
CONNECT_TIMEOUT_S = 10.0
EXCERPT_CHARS = 500


class ModelFailed(InfrastructureError):
    """The model server failed on every attempt, or its response is unusable."""


class RequestRejected(BadRequest):
    """The model server rejected the request, and would reject it again. `text` is the whole response."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"the model server rejected the request: {status}: {text[:EXCERPT_CHARS]}")
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True)
class Choice:
    """One completion of a prompt. `reasoning` is the text that the server separated from the answer."""

    text: str
    reasoning: str
    finish_reason: str


@dataclass(frozen=True, slots=True)
class ModelResponse:
    """All completions of one prompt, in order, and the server's token counts, which are 0 if it sends none."""

    choices: list[Choice]
    prompt_tokens: int
    completion_tokens: int


class ModelClient:
    """Keeps connections to any number of servers. Close it after use.

    Raises BadRequest if the package `openai` is not installed.
    """

    def __init__(
        self,
        *,
        key: str = "",
        attempts: int,
        timeout_s: float,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        trust_env: bool = True,
    ) -> None:
        try:
            import openai
        except ImportError:
            raise BadRequest("a model server needs the package openai: run pip install openai") from None
        self._attempts = attempts
        self._headers = {} if key else {"Authorization": openai.Omit()}
        limits = type(openai.DEFAULT_CONNECTION_LIMITS)(max_connections=None, max_keepalive_connections=None)
        timeout = openai.Timeout(timeout_s, connect=connect_timeout_s)
        self._openai = openai.AsyncOpenAI(
            api_key=key or "none",  # the package requires one
            base_url="http://unset",
            timeout=timeout,
            max_retries=0,
            # A redirect could send prompts to another server, so it is an error.
            http_client=openai.DefaultAsyncHttpxClient(
                timeout=timeout, limits=limits, trust_env=trust_env, follow_redirects=False
            ),
        )

    async def __aenter__(self) -> ModelClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._openai.close()

    async def complete(
        self, url: str, body: dict[str, Any], find_url: Callable[[], Awaitable[str]] | None = None
    ) -> ModelResponse:
        """Return the completions of a chat, if the body has `messages`, or of a text, if it has `prompt`.

        `url` ends in /v1. Before each retry, `find_url` returns the URL to use from then on. Raises RequestRejected and
        ModelFailed.
        """
        import openai

        failure = ""
        for attempt in range(self._attempts):
            retry_after = ""
            try:
                return parse_response(await self._request(url, body))
            except openai.APIStatusError as error:
                status, text = error.status_code, error.response.text
                failure = f"it answered {status}: {text[:EXCERPT_CHARS]}"
                if status not in TRANSIENT_STATUSES:
                    raise (RequestRejected(status, text) if status < 500 else ModelFailed(failure)) from None
                retry_after = error.response.headers.get("retry-after", "")
            except openai.APIConnectionError as error:
                cause = error.__cause__ or error
                failure = f"it did not answer: {type(cause).__name__}: {cause}"
            except ValueError as error:
                raise ModelFailed(f"the response of the model server at {url} is not JSON: {error}") from None
            if attempt + 1 < self._attempts:
                await asyncio.sleep(compute_pause_s(attempt, FIRST_PAUSE_S, retry_after))
                url = url if find_url is None else await find_url()
        raise ModelFailed(f"the model server at {url} failed {self._attempts} times; {failure}")

    async def _request(self, url: str, body: dict[str, Any]) -> object:
        server = self._openai.with_options(base_url=url)
        response: object
        if "messages" in body:
            response = await server.chat.completions.create(**body, extra_headers=self._headers)
        else:
            response = await server.completions.create(**body, extra_headers=self._headers)
        return response


def parse_response(response: Any) -> ModelResponse:
    """Return the completions. The package does not validate responses. Raises ModelFailed for another shape."""
    try:
        choices = sorted(response.choices, key=lambda choice: choice.index or 0)
        if not choices:
            raise ValueError
        usage = response.usage
        return ModelResponse(
            [_parse_choice(choice) for choice in choices],
            (usage and usage.prompt_tokens) or 0,
            (usage and usage.completion_tokens) or 0,
        )
    except (AttributeError, TypeError, ValueError):
        raise ModelFailed(f"unexpected response from the model server: {str(response)[:EXCERPT_CHARS]}") from None


def _parse_choice(choice: Any) -> Choice:
    message = getattr(choice, "message", None)
    text = choice.text if message is None else message.content
    return Choice(text or "", getattr(message, "reasoning_content", None) or "", choice.finish_reason or "")
