"""The connections of the client for asyncio: they send requests with retries, and read streams across interruptions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sized
from contextlib import aclosing
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from sandbox.client import protocol
from sandbox.client.async_batching import split_into_batches, stream_batches
from sandbox.client.congestion import AsyncGate
from sandbox.client.connection import ClientOptions, Progress, build_auth_headers, build_limits, build_timeout
from sandbox.client.deadline import Deadline
from sandbox.client.protocol import Answer, ApiCall, Result
from sandbox.client.quality_stream import QualityStream
from sandbox.client.retries import CONNECTION_ERRORS, RECONNECT_ERRORS
from sandbox.client.streams import BatchStream, ResumableStream
from sandbox.errors import Refused, SandboxError

if TYPE_CHECKING:
    from sandbox.schema.quality import QualityResult
    from sandbox.schema.quality_progress import QualityProgress

Part = TypeVar("Part")


class AsyncConnection:
    """An HTTP client for one service that adapts the number of requests in flight to its load."""

    def __init__(self, options: ClientOptions) -> None:
        self._retries = options.retries
        self.gate = AsyncGate()
        self.http = httpx.AsyncClient(
            base_url=options.url,
            headers=build_auth_headers(options.api_key),
            timeout=build_timeout(options.timeout_s),
            limits=build_limits(options.connections),
            transport=options.transport,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self.http.aclose()

    async def send(self, call: ApiCall[Answer], timeout_s: float | None = None) -> Answer:
        """Send a request, retry it after transient errors, and return the parsed answer.

        `timeout_s` limits the attempts and the pauses between them; None means the client's timeout for each attempt.
        """
        async with self.gate.reserve(call.item_count):
            answer = await self._send_with_retries(call, Deadline(call.path, timeout_s))
        self.gate.record_answer(call.item_count, protocol.find_longest_queue_time_s(answer))
        return answer

    async def send_quality(
        self,
        call: ApiCall[QualityResult],
        on_progress: Callable[[QualityProgress], object] | None,
        timeout_s: float | None = None,
    ) -> QualityResult:
        """Like `send`, and call `on_progress`, if given, while the programs are judged."""
        if on_progress is None:
            return await self.send(call, timeout_s)
        stream = QualityStream(call, Deadline(call.path, timeout_s))
        async for progress in self.read_stream(stream):
            on_progress(progress)
        assert stream.report is not None  # otherwise the stream has not ended
        return stream.report

    async def _send_with_retries(self, call: ApiCall[Answer], deadline: Deadline) -> Answer:
        for attempt in range(self._retries.attempts):
            timeout = deadline.build_timeout() or httpx.USE_CLIENT_DEFAULT
            try:
                response = await self.http.request(
                    call.method, call.path, content=call.body, headers=call.headers, timeout=timeout
                )
            except CONNECTION_ERRORS as error:
                failure: SandboxError = protocol.build_unreachable_error(error)
            except httpx.ReadTimeout as error:
                raise deadline.build_error(type(error).__name__) from error
            except httpx.HTTPError as error:
                raise protocol.build_unreachable_error(error) from error
            else:
                if not call.should_retry(response):
                    return call.parse_response(response)
                failure = protocol.build_error(response)
                self.gate.record_refusal()
            if attempt + 1 < self._retries.attempts:
                pause_s = self._retries.delay_s(attempt, getattr(failure, "retry_after_s", 0.0))
                if not deadline.allows_pause(pause_s):
                    raise deadline.build_error(failure) from failure
                await asyncio.sleep(pause_s)
        raise failure

    async def stream_results(
        self,
        kind: str,
        requests: Iterable[Any] | AsyncIterable[Any],
        result: type[Result],
        on_progress: Progress | None,
        key: str,
    ) -> AsyncIterator[tuple[int, Result]]:
        """Send the requests in batches as large as the window; each batch has its own idempotency key."""
        done, total = 0, len(requests) if isinstance(requests, Sized) else None
        encode = partial(protocol.encode_request, kind)
        numbers = count()
        batches = (
            BatchStream(kind, batch, result, f"{key}-{next(numbers)}" if key else "")
            async for batch in split_into_batches(requests, encode, lambda: self.gate.window.limit)
        )
        async with aclosing(stream_batches(self.gate, batches, self.read_stream)) as pairs:
            async for pair in pairs:
                done += 1
                if on_progress is not None:
                    on_progress(done, total)
                yield pair

    async def read_stream(self, stream: ResumableStream[Part]) -> AsyncIterator[Part]:
        """Yield the parts of a streamed response; when the connection breaks, reconnect and ask for the rest."""
        while not stream.ended:
            headers, body = stream.start_request()
            failure: Exception | None = None
            try:
                async with self.http.stream(stream.method, stream.path, content=body, headers=headers) as response:
                    if response.status_code != 200:
                        await response.aread()
                        raise protocol.build_error(response)
                    async for chunk in response.aiter_bytes():
                        for part in stream.parse_chunk(chunk):
                            yield part
            except RECONNECT_ERRORS as error:
                failure = error
                if isinstance(error, Refused):
                    self.gate.record_refusal()
            except httpx.HTTPError as error:
                raise protocol.build_unreachable_error(error) from error
            if not stream.ended:
                await asyncio.sleep(stream.attempts.count_failure(self._retries, failure))
