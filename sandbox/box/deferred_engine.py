"""An engine that is created when the first box is needed. A worker can thus start without it, wait, and report this."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from sandbox.box.engine import BoxHandle, Engine
from sandbox.errors import EngineUnavailable


class DeferredEngine:
    """An `Engine` that creates the real one by calling `make`, and calls it again on next use if that failed."""

    def __init__(self, make: Callable[[], Engine]) -> None:
        self._make = make
        self._engine: Engine | None = None

    def start(self, image: str) -> BoxHandle:
        return self._require_engine().start(image)

    def lacks(self, tool: str) -> bool:
        """Return whether boxes lack a command.

        Return False if there is no engine. No box can start in this case, and that error is reported instead.
        """
        with suppress(EngineUnavailable):
            return self._require_engine().lacks(tool)
        return False

    def lacks_image(self, image: str) -> bool:
        return self._require_engine().lacks_image(image)

    def list_missing_isolation(self) -> list[str]:
        return self._require_engine().list_missing_isolation()

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()

    def _require_engine(self) -> Engine:
        """Return the engine, creating it if necessary. Raises EngineUnavailable."""
        if self._engine is None:
            self._engine = self._make()
        return self._engine
