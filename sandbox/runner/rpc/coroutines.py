"""Run coroutines of the other side from this process.

A coroutine of the program runs in an event loop of the program's process. This loop advances only on request: each step
runs everything that is ready and then answers. Neither side needs an extra thread, and the tasks of both sides take
turns. Between two steps, the requester's own loop runs until the other loop has work again.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from sandbox.runner.rpc.proxies import Proxy, ProxyPeer

MAX_PAUSE_S = 0.05
POLL_S = 0.001
CANCELLED = -1  # returned in place of a pause


def wrap_remote_coroutine(peer: ProxyPeer, proxy: Proxy) -> Any:
    """Wrap a coroutine of the other side in a local one, which works anywhere a coroutine is accepted."""

    async def run() -> Any:
        return await RemoteTask(peer, proxy)

    return run()


class RemoteTask:
    """An awaitable that runs a coroutine as a task on the other side until it is done."""

    def __init__(self, peer: ProxyPeer, proxy: Proxy) -> None:
        self._peer, self._proxy = peer, proxy

    def __await__(self) -> Generator[Any, None, Any]:
        import asyncio  # only needed if a test or a program has coroutines

        task = self._peer.operate("task", self._proxy)
        try:
            while True:
                pause = self._peer.operate("step", task)
                if pause is None:
                    return self._peer.operate("outcome", task)
                if pause == CANCELLED:
                    raise asyncio.CancelledError
                yield from asyncio.sleep(min(float(pause), MAX_PAUSE_S)).__await__()
        except (asyncio.CancelledError, GeneratorExit):
            self._peer.operate("cancel", task)
            raise


class AsyncIteratorProxy(Proxy):
    """A proxy for an asynchronous generator or iterator."""

    __slots__ = ()

    def __aiter__(self) -> Any:
        return self

    def __anext__(self) -> Any:
        return wrap_remote_coroutine(self._peer, self._peer.operate("anext", self))

    def asend(self, value: Any) -> Any:
        return self._peer.operate("method", self, "asend", value)

    def athrow(self, *raised: Any) -> Any:
        return self._peer.operate("method", self, "athrow", *raised)

    def aclose(self) -> Any:
        return self._peer.operate("method", self, "aclose")


class TaskLoop:
    """The event loop on the side that owns the coroutines.

    It is created for the first coroutine and numbers its tasks.
    """

    def __init__(self) -> None:
        self._loop: Any = None
        self._tasks: dict[int, Any] = {}

    def start_task(self, awaitable: Any) -> int:
        """Create a task for an awaitable and return the task's number.

        The task belongs to the running event loop if there is one.
        """
        import asyncio

        loop = asyncio._get_running_loop()
        if loop is None:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                asyncio.set_event_loop(self._loop)
            loop = self._loop
        number = len(self._tasks)
        while number in self._tasks:
            number += 1
        self._tasks[number] = loop.create_task(_await(awaitable))
        return number

    def run_step(self, number: int) -> float | None:
        """Run everything that is ready.

        Return None if the task is done, or the number of seconds until there is more to do.
        """
        import asyncio

        task = self._tasks[number]
        runs_already = asyncio._get_running_loop() is not None
        if not task.done() and not runs_already:
            self._loop.call_soon(self._loop.stop)
            self._loop.run_forever()
        if task.done():
            return CANCELLED if task.cancelled() else None
        if runs_already:
            return POLL_S
        if self._loop._ready:
            return 0.0
        waiting = [timer.when() for timer in self._loop._scheduled if not timer.cancelled()]
        return max(0.0, min(waiting) - self._loop.time()) if waiting else POLL_S

    def take_result(self, number: int) -> Any:
        """Return the result of a finished task, or raise its exception."""
        return self._tasks.pop(number).result()

    def cancel_task(self, number: int) -> None:
        self._tasks[number].cancel()
        self.run_step(number)


async def _await(awaitable: Any) -> Any:
    return await awaitable
