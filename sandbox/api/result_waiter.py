"""Wait for the results of a submission until they are complete, time runs out, or the client disconnects.

A thread of the service sets the results. A result wakes the event loop only if no wake-up is already scheduled, so a
batch of thousands of items causes only a few wake-ups.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from functools import partial
from types import TracebackType

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

from sandbox.api.dependencies import ApiContext
from sandbox.errors import CannotRun, SandboxError
from sandbox.service import Ticket

# Most requests are done before this, and save the task that watches the connection.
WATCH_AFTER_S = 0.2

OnResults = Callable[[Mapping[int, bytes | SandboxError]], object]


class ResultWaiter(AsyncIterator[list[int]]):
    """Iterates over the indices of finished results, yielding all that are available at a time.

    Raises ClientDisconnect when the client disconnects, and HTTPException 504 when the time is up. Leaving the context
    before the last result abandons the rest, unless `keep` is set because a client may come back for it.
    """

    def __init__(
        self, request: Request, context: ApiContext, ticket: Ticket, keep: bool, limit_s: float | None = None
    ) -> None:
        self._request = request
        self._context = context
        self._ticket = ticket
        self._keep = keep
        self._limit_s = context.settings.request_timeout_s if limit_s is None else limit_s
        self._loop = asyncio.get_running_loop()
        self._wake_future: asyncio.Future[None] | None = None
        self._done: deque[int] = deque()
        self._wake_scheduled = False
        self._remaining = len(ticket.results)
        self._failure: Exception | None = None
        self._disconnect_watcher: asyncio.Task[None] | None = None

    def __enter__(self) -> ResultWaiter:
        for index, future in enumerate(self._ticket.results):
            future.add_done_callback(partial(self._mark_done, index))
        self._timer = self._loop.call_later(WATCH_AFTER_S, self._start_disconnect_watcher)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._disconnect_watcher is not None:
            self._disconnect_watcher.cancel()
        if self._remaining and not self._keep:
            # Not awaited, because it may wait for Redis and the client has disconnected.
            self._loop.run_in_executor(None, self._context.service.abandon, self._ticket)

    async def __anext__(self) -> list[int]:
        while True:
            # Reset before checking for results, so that a result that arrives after the check schedules a wake-up.
            self._wake_scheduled = False
            if self._done:
                return self._take_done()
            if not self._remaining:
                raise StopAsyncIteration
            if self._failure is not None:
                raise self._failure
            self._wake_future = self._loop.create_future()
            await self._wake_future

    async def collect_results(self) -> list[bytes]:
        """Return all results in order. Raises the error of the first one that failed."""
        results: list[bytes] = []
        for result in await self.collect_results_and_errors():
            if isinstance(result, SandboxError):
                raise result
            results.append(result)
        return results

    async def collect_results_and_errors(self, on_results: OnResults | None = None) -> list[bytes | SandboxError]:
        """Return all results in order, with errors in place of results. Raises CannotRun if no item could run."""
        async for indices in self:
            if on_results is not None:
                on_results({index: _get_result_or_error(self._ticket.results[index]) for index in indices})
        results = [_get_result_or_error(future) for future in self._ticket.results]
        if any(isinstance(result, CannotRun) for result in results):
            return _replace_unrunnable(results)
        return results

    def _take_done(self) -> list[int]:
        indices = [self._done.popleft() for _ in range(len(self._done))]
        self._remaining -= len(indices)
        return indices

    def _mark_done(self, index: int, _: object) -> None:
        """Record a finished result. Runs in the thread that set it."""
        self._done.append(index)
        if not self._wake_scheduled and not self._loop.is_closed():
            self._wake_scheduled = True
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if self._wake_future is not None and not self._wake_future.done():
            self._wake_future.set_result(None)

    def _fail(self, failure: Exception) -> None:
        self._failure = failure
        self._wake()

    def _start_disconnect_watcher(self) -> None:
        self._disconnect_watcher = self._loop.create_task(self._wait_for_disconnect())
        left_s = max(0.0, self._limit_s - WATCH_AFTER_S)
        self._timer = self._loop.call_later(left_s, self._time_out)

    def _time_out(self) -> None:
        advice = f"no result within {self._limit_s:g} s; send Prefer: respond-async, and fetch the result from /jobs"
        self._fail(HTTPException(504, advice))

    async def _wait_for_disconnect(self) -> None:
        await wait_for_disconnect(self._request)
        self._fail(ClientDisconnect())


async def wait_for_disconnect(request: Request) -> None:
    """Wait until the client disconnects. The request's body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _replace_unrunnable(results: list[bytes | SandboxError]) -> list[bytes | SandboxError]:
    """Replace each CannotRun error with the item's internal_error result, if other items of the batch ran.

    Raises CannotRun if the client should repeat the request: no item ran, or an item has no such result.
    """
    replaced: list[bytes | SandboxError] = []
    for result in results:
        if isinstance(result, CannotRun):
            if not result.result or all(isinstance(each, CannotRun) for each in results):
                raise result
            result = result.result
        replaced.append(result)
    return replaced


def _get_result_or_error(future: Future[bytes]) -> bytes | SandboxError:
    try:
        return future.result()
    except SandboxError as error:
        return error
