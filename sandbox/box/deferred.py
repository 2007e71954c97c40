"""An engine that is made when the first box is needed, so that a worker can wait for it and say so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from sandbox.box.engine import Engine, Walls
from sandbox.errors import EngineUnavailable


class DeferredEngine:
    """An `Engine` before the one that `make` returns; `make` is called again until it succeeds."""

    def __init__(self, make: Callable[[], Engine]) -> None:
        self._make = make
        self._engine: Engine | None = None

    def start(self, image: str) -> Walls:
        return self._made().start(image)

    def lacks(self, tool: str) -> bool:
        """False without an engine: then no box starts either, and that is what is wrong."""
        with suppress(EngineUnavailable):
            return self._made().lacks(tool)
        return False

    def lacks_image(self, image: str) -> bool:
        return self._made().lacks_image(image)

    def missing_walls(self) -> list[str]:
        return self._made().missing_walls()

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()

    def _made(self) -> Engine:
        """Raises EngineUnavailable."""
        if self._engine is None:
            self._engine = self._make()
        return self._engine
