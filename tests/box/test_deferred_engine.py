"""An engine is created when the first box is needed, and creation is retried until it succeeds."""

from __future__ import annotations

import pytest

from sandbox.box.deferred_engine import DeferredEngine
from sandbox.box.engine import BoxHandle, Engine
from sandbox.errors import BoxError, EngineUnavailable


class StubEngine:
    """Starts nothing, and has no compiler."""

    def start(self, image: str) -> BoxHandle:
        raise BoxError(f"started {image}")

    def lacks_image(self, image: str) -> bool:
        return False

    def lacks(self, tool: str) -> bool:
        return tool == "g++"

    def list_missing_isolation(self) -> list[str]:
        return ["a layer"]

    def close(self) -> None:
        return


def test_the_engine_is_created_once_and_as_soon_as_possible() -> None:
    made: list[StubEngine] = []
    answers = False

    def make() -> Engine:
        if not answers:
            raise EngineUnavailable("no engine answers")
        made.append(StubEngine())
        return made[-1]

    engine = DeferredEngine(make)
    engine.close()
    for _ in range(2):
        with pytest.raises(EngineUnavailable, match="no engine answers"):
            engine.start("python")
    assert not engine.lacks("g++")  # the engine is the problem, not the compiler
    answers = True
    for _ in range(2):
        with pytest.raises(BoxError, match="started python"):
            engine.start("python")
    assert engine.lacks("g++")
    assert engine.list_missing_isolation() == ["a layer"]
    assert len(made) == 1
