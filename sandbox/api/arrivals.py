"""Waiting for a ticket's results, as long as somebody waits for them.

Results are set by the service's own thread. Each wakes the event loop only when the loop does not know yet that there
is something to fetch, so a batch of thousands costs a few wake-ups.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import Future
from functools import partial
from types import TracebackType

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

from sandbox.api.door import Context
from sandbox.errors import CannotRun, SandboxError
from sandbox.service import Ticket

# Nearly every request is answered before this, and is spared the task that watches its connection.
UNWATCHED_S = 0.2


class Arrivals(AsyncIterator[list[int]]):
    """Iterates over the indices of results as they are done, all that are there at a time.

    Raises ClientDisconnect when the client goes and HTTPException 504 when its time is up. Whoever leaves the context
    before the last result came abandons the rest, unless `keep`: then somebody may come back for it.
    """

    def __init__(
        self, request: Request, context: Context, ticket: Ticket, keep: bool, limit_s: float | None = None
    ) -> None:
        self._request = request
        self._context = context
        self._ticket = ticket
        self._keep = keep
        self._limit_s = context.settings.request_timeout_s if limit_s is None else limit_s
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._done: deque[int] = deque()
        self._told = False
        self._left = len(ticket.results)
        self._end: Exception | None = None
        self._watcher: asyncio.Task[None] | None = None

    def __enter__(self) -> Arrivals:
        for index, future in enumerate(self._ticket.results):
            future.add_done_callback(partial(self._result_done, index))
        self._timer = self._loop.call_later(UNWATCHED_S, self._start_watching)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        if self._left and not self._keep:
            # Not awaited: it may wait for Redis, and the one who asked is gone.
            self._loop.run_in_executor(None, self._context.service.abandon, self._ticket)

    async def __anext__(self) -> list[int]:
        while True:
            # Taken back before looking, so that a result that comes after the look wakes us.
            self._told = False
            if self._done:
                return self._take()
            if not self._left:
                raise StopAsyncIteration
            if self._end is not None:
                raise self._end
            self._waiter = self._loop.create_future()
            await self._waiter

    async def all(self) -> list[bytes]:
        """Every result in order; raises the first failed one's error."""
        results: list[bytes] = []
        for result in await self.settled():
            if isinstance(result, SandboxError):
                raise result
            results.append(result)
        return results

    async def settled(self) -> list[bytes | SandboxError]:
        """Every result in order, or the error that stands in its place. Raises CannotRun where no item could run."""
        async for _ in self:
            pass
        results = [_settled(future) for future in self._ticket.results]
        if any(isinstance(result, CannotRun) for result in results):
            return _without_those_that_could_not_run(results)
        return results

    def _take(self) -> list[int]:
        indices = [self._done.popleft() for _ in range(len(self._done))]
        self._left -= len(indices)
        return indices

    def _result_done(self, index: int, _: object) -> None:
        """Called in whichever thread sets the result."""
        self._done.append(index)
        if not self._told and not self._loop.is_closed():
            self._told = True
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _finish(self, end: Exception) -> None:
        self._end = end
        self._wake()

    def _start_watching(self) -> None:
        self._watcher = self._loop.create_task(self._watch())
        left_s = max(0.0, self._limit_s - UNWATCHED_S)
        self._timer = self._loop.call_later(left_s, self._finish_late)

    def _finish_late(self) -> None:
        advice = f"no result within {self._limit_s:g} s; send Prefer: respond-async and fetch it from /jobs"
        self._finish(HTTPException(504, advice))

    async def _watch(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self._finish(ClientDisconnect())


def _without_those_that_could_not_run(results: list[bytes | SandboxError]) -> list[bytes | SandboxError]:
    """A batch of which some items ran has a result for the others too, if their worker made one: internal_error.

    Raises CannotRun where it is better to repeat the request: nothing ran, or nobody can run anything.
    """
    replaced: list[bytes | SandboxError] = []
    for result in results:
        if isinstance(result, CannotRun):
            if not result.result or all(isinstance(each, CannotRun) for each in results):
                raise result
            result = result.result
        replaced.append(result)
    return replaced


def _settled(future: Future[bytes]) -> bytes | SandboxError:
    try:
        return future.result()
    except SandboxError as error:
        return error
