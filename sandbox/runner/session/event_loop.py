"""The event loop of a REPL: created for the first cell that awaits, kept for later ones, and replaced after a fork."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any


class KeptEventLoop:
    """Runs the coroutines of cells. Tasks that a cell leaves behind continue while a later cell awaits."""

    def __init__(self) -> None:
        self._loop: Any = None

    def run(self, coroutine: Any) -> Any:
        """Run a coroutine to completion and return its result, or raise its exception. An interrupt cancels it."""
        import asyncio  # costs 5 MB, so only programs that await pay for it

        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        task = self._loop.create_task(coroutine)
        try:
            return self._loop.run_until_complete(task)
        except BaseException:
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    self._loop.run_until_complete(task)
            raise

    def abandon(self) -> None:
        """Discard the loop in a forked child. Its epoll descriptor would otherwise control the parent's loop.

        This closes the child's descriptors but never runs the loop's own `close`.
        """
        asyncio: Any = sys.modules.get("asyncio")
        if asyncio is None or self._loop is None:
            return
        with suppress(Exception):
            self._loop._selector.close()
            self._loop._ssock.close()
            self._loop._csock.close()
        self._loop._closed = True
        self._loop = None
        asyncio.set_event_loop(None)
