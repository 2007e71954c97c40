"""The additional warm interpreters of a box, each with some large modules already imported."""

from __future__ import annotations

from sandbox.box.connection import Connection
from sandbox.box.memory_limit import MemoryLimit
from sandbox.box.observer import BoxObserver
from sandbox.runner import messages
from sandbox.runner.enums import MAX_EXTRA_ZYGOTES, Mode
from sandbox.runner.messages import WarmRequest


class WarmInterpreters:
    """Tracks the warm interpreters in a box. Both sides evict the least recently used one, so they always agree."""

    def __init__(self, connection: Connection, memory_limit: MemoryLimit, observer: BoxObserver) -> None:
        self._connection = connection
        self._memory_limit = memory_limit
        self._observer = observer
        self._warmed: list[tuple[str, ...]] = []

    def warm(self, modules: tuple[str, ...], mode: Mode) -> tuple[str, ...]:
        """Make sure that the box has an interpreter with `modules` already imported. The box keeps it for later runs.

        Return the modules of the interpreter that a run in this mode uses. Raises BoxError.
        """
        if not modules or mode is Mode.EXEC:
            return ()
        self._observer.record_cache_use("interpreter", modules in self._warmed)
        if modules in self._warmed:
            self._warmed.remove(modules)
            self._warmed.append(modules)
            return modules
        self._memory_limit.raise_for_warming()
        self._connection.request(WarmRequest(modules)._asdict(), messages.WARMED)
        self._warmed.append(modules)
        del self._warmed[:-MAX_EXTRA_ZYGOTES]
        self._memory_limit.count_interpreter()
        return modules

    def find(self, modules: tuple[str, ...], mode: Mode) -> tuple[str, ...]:
        """Return the modules of the interpreter that a run in this mode uses. Unlike `warm`, this never starts one."""
        return modules if modules in self._warmed and mode is not Mode.EXEC else ()
