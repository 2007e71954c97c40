"""A pool of boxes for sessions. Boxes are started in advance and reused.

The interpreter of a Python session with default limits is started in advance, too. A used box that is proven clean
serves another session, under uids that no earlier session had. A box that is broken, or has served its maximum number
of sessions, is destroyed. Calls to the engine block, so they run in threads. Only a few run at a time, because starting
a container takes a large fraction of a second of CPU time.

After many sessions at once, there are more boxes than spares. They stay for a while, because a pool that destroyed
them at once would start a container for each new session. Those that nobody needed for an interval are destroyed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Coroutine, Mapping
from typing import Any, Protocol

from sandbox.box.engine import BoxHandle
from sandbox.errors import EngineUnavailable, InfrastructureError, SandboxError
from sandbox.session_host.cpu_priority import CpuPriority
from sandbox.session_host.session_box import STANDARD_IMAGE, SessionBox

logger = logging.getLogger(__name__)

PAUSE_AFTER_FAILURE_S = 1.0
MAX_PARALLEL_STARTS = 2
STOPPED = "its host was stopped"
SURPLUS_INTERVAL_S = 30.0


class SessionEngine(Protocol):
    """The part of a box engine that starts session boxes."""

    def start(self, image: str, session: bool) -> BoxHandle: ...

    def close(self) -> None: ...


class BoxPool:
    """Keeps `spares` boxes ready. Not thread-safe: use it in one event loop.

    `options`, if given, are those of the branch that is opened in advance in each box.
    """

    def __init__(
        self,
        engine: SessionEngine,
        spares: int,
        max_uses: int,
        options: Mapping[str, Any] | None = None,
        priority: CpuPriority | None = None,
    ) -> None:
        self._engine = engine
        self._priority = priority or CpuPriority()
        self._options = options
        self._spares = spares
        self._max_uses = max_uses
        self._ready: deque[SessionBox] = deque()
        self._waiters: deque[asyncio.Future[SessionBox]] = deque()
        self._starting = 0
        self._returning = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._least_ready = 0  # in this interval: so many boxes were never needed
        self._interval_ends_at = 0.0

    @property
    def warm(self) -> int:
        return len(self._ready)

    def fill(self) -> None:
        """Start the boxes that are missing."""
        wanted = self._spares + len(self._waiters) - len(self._ready) - self._starting - self._returning
        for _ in range(min(wanted, MAX_PARALLEL_STARTS - self._starting)):
            self._starting += 1
            self._run(self._start_one())

    async def take(self) -> SessionBox:
        """Return a ready box, or wait for the next one. Raises InfrastructureError, also once the pool is closing."""
        if self._closed:
            raise EngineUnavailable(STOPPED)
        while self._ready:
            box = self._ready.popleft()
            self._least_ready = min(self._least_ready, len(self._ready))
            if not box.is_broken:
                self.fill()
                return box
            self._run(self._destroy(box))
        waiter: asyncio.Future[SessionBox] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self.fill()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            elif waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._offer(waiter.result())
            raise

    async def start_other(self, image: str) -> SessionBox:
        """Start a box of the image of an environment. It serves only one session. Raises InfrastructureError."""
        if self._closed:
            raise EngineUnavailable(STOPPED)
        return await self._start(image)

    def put_back(self, box: SessionBox, clean: bool) -> None:
        """Return a box to the pool. It is reused if it is clean and not worn out."""
        box.uses += 1
        if (
            not clean
            or box.image != STANDARD_IMAGE
            or box.is_broken
            or self._closed
            or box.uses >= self._max_uses
            or (not self._spares and not self._waiters)
        ):
            self._run(self._destroy(box))
        else:
            self._returning += 1
            self._run(self._offer_again(box))

    def shrink(self) -> None:
        """Destroy the boxes beyond the spares that were ready during a whole interval. Call this from time to time."""
        if self._closed or time.monotonic() < self._interval_ends_at:
            return
        for _ in range(self._least_ready - self._spares):
            self._run(self._destroy(self._ready.popleft()))
        self._least_ready, self._interval_ends_at = len(self._ready), time.monotonic() + SURPLUS_INTERVAL_S

    def stop(self) -> None:
        """Give out no more boxes. Those who wait for one get EngineUnavailable."""
        self._closed = True
        self._fail_waiters(EngineUnavailable(STOPPED))

    async def close(self) -> None:
        """Destroy all boxes that no session uses, and close the engine."""
        self.stop()
        while self._ready:
            self._run(self._destroy(self._ready.popleft()))
        while self._tasks:  # a box that is starting is destroyed afterwards
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._priority.close()
        await asyncio.to_thread(self._engine.close)

    def _offer(self, box: SessionBox) -> None:
        if self._closed:
            self._run(self._destroy(box))
            return
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(box)
                return
        self._ready.append(box)

    async def _offer_again(self, box: SessionBox) -> None:
        try:
            await self._prepare(box)
        except SandboxError as error:
            logger.warning("a used session box cannot be reused: %s", error)
            self._run(self._destroy(box))
        else:
            self._offer(box)
        finally:
            self._returning -= 1

    async def _prepare(self, box: SessionBox) -> None:
        if self._options is not None:
            await box.prepare(self._options)

    async def _start(self, image: str) -> SessionBox:
        with self._priority.starting():
            return await self._start_box(image)

    async def _start_box(self, image: str) -> SessionBox:
        handle = await asyncio.to_thread(self._engine.start, image, True)
        box = SessionBox(handle, image=image)
        self._priority.add(box)
        try:
            await box.connect()
            await self._prepare(box)
        except Exception:
            self._priority.remove(box)
            box.disconnect()
            await asyncio.to_thread(handle.destroy)
            raise
        return box

    async def _start_one(self) -> None:
        try:
            self._offer(await self._start(STANDARD_IMAGE))
        except InfrastructureError as error:
            logger.warning("a session box did not start: %s", error)
            self._fail_waiters(error)
            await asyncio.sleep(PAUSE_AFTER_FAILURE_S)
        except Exception as error:  # the process boundary: those who wait must get an answer
            logger.exception("a session box did not start")
            self._fail_waiters(EngineUnavailable(repr(error)))
            await asyncio.sleep(PAUSE_AFTER_FAILURE_S)
        finally:
            self._starting -= 1
            if not self._closed:
                self.fill()

    def _fail_waiters(self, error: InfrastructureError) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(EngineUnavailable(str(error)))

    async def _destroy(self, box: SessionBox) -> None:
        self._priority.remove(box)
        try:
            box.disconnect()
            await asyncio.to_thread(box.handle.destroy)
        except (InfrastructureError, OSError) as error:
            logger.warning("a session box was not removed: %s", error)
        finally:
            if not self._closed:
                self.fill()

    def _run(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
