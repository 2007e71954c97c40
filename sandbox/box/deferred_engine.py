"""An engine that is created when the first box is needed, so a worker can wait for it and report that it waits."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from sandbox.box.engine import BoxHandle, Engine
from sandbox.errors import EngineUnavailable


class DeferredEngine:
    """An `Engine` that wraps the one returned by `make`, which is called again until it succeeds."""

    def __init__(self, make: Callable[[], Engine]) -> None:
        self._make = make
        self._engine: Engine | None = None

    def start(self, image: str) -> BoxHandle:
        return self._require_engine().start(image)

    def lacks(self, tool: str) -> bool:
        """Return False without an engine: then no box starts, and that error is reported instead."""
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
        """Return the engine. Raises EngineUnavailable."""
        if self._engine is None:
            self._engine = self._make()
        return self._engine
