"""Engines that forward to a real one, for tests that make the start of a box fail."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.box.engine import BoxHandle, Engine
from sandbox.errors import EngineUnavailable, InfrastructureError


@dataclass
class WrappedEngine:
    """Forwards to a real engine, and counts the starts."""

    engine: Engine
    starts: int = field(default=0, init=False)

    def start(self, image: str) -> BoxHandle:
        self.starts += 1
        return self.engine.start(image)

    def lacks_image(self, image: str) -> bool:
        return self.engine.lacks_image(image)

    def lacks(self, tool: str) -> bool:
        return self.engine.lacks(tool)

    def list_missing_isolation(self) -> list[str]:
        return self.engine.list_missing_isolation()

    def close(self) -> None:
        self.engine.close()


@dataclass
class FailingEngine(WrappedEngine):
    """Raises the given errors instead of starting boxes of these images."""

    failures: dict[str, InfrastructureError] = field(default_factory=dict)

    def start(self, image: str) -> BoxHandle:
        if image in self.failures:
            self.starts += 1
            raise self.failures[image]
        return super().start(image)


@dataclass
class LateEngine(WrappedEngine):
    """Fails to start the first few boxes."""

    failing_starts: int = 1
    error: InfrastructureError = field(default_factory=lambda: EngineUnavailable("not now"))

    def start(self, image: str) -> BoxHandle:
        if self.starts < self.failing_starts:
            self.starts += 1
            raise self.error
        return super().start(image)
