"""Boxes started beforehand, for the isolation level `fresh`: each is lent once and then destroyed.

Theory of operation. A container takes hundreds of milliseconds to start and as long to remove; neither need be waited
for. One thread does both, and nothing else uses the engine: it starts first what somebody waits for, then what is
missing of the few that are to be ready of each image asked for so far, and takes down what came back in between.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections import deque
from collections.abc import Callable

from sandbox.box.engine import Engine, Walls
from sandbox.errors import BoxError, InfrastructureError

logger = logging.getLogger(__name__)

PAUSE_AFTER_FAILURE_S = 1.0
CLOSE_PATIENCE_S = 60.0


class Pool:
    """An `Engine` before another one. `start` by one thread at a time."""

    def __init__(self, engine: Engine, ready: int) -> None:
        self._engine = engine
        self._ready = ready
        self._boxes: dict[str, deque[Walls]] = {}
        self._used: deque[Walls] = deque()
        self._awaited = ""
        self._failure: InfrastructureError | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="pool", daemon=True)
        self._thread.start()

    def start(self, image: str) -> Walls:
        """One that is ready, or the next. Raises EngineUnavailable or BoxError."""
        with self._changed:
            boxes = self._boxes.setdefault(image, deque())
            self._awaited, self._failure = image, None
            self._changed.notify_all()
            self._changed.wait_for(lambda: boxes or self._failure is not None or self._closed)
            self._awaited = ""
            if boxes:
                walls = boxes.popleft()
                self._changed.notify_all()  # there is one too few now
                return LentWalls(walls, self._give_back)
            raise self._why_none()

    def _why_none(self) -> InfrastructureError:
        return BoxError("the pool is closed") if self._failure is None else self._failure

    def lacks(self, tool: str) -> bool:
        return self._engine.lacks(tool)

    def lacks_image(self, image: str) -> bool:
        return self._engine.lacks_image(image)

    def missing_walls(self) -> list[str]:
        return self._engine.missing_walls()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(CLOSE_PATIENCE_S)
        self._engine.close()

    def _give_back(self, walls: Walls) -> None:
        with self._changed:
            self._used.append(walls)
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._used or self._wanted())
                if self._closed:
                    break
                image = self._wanted()
                used = self._used.popleft() if self._used and not (image and image == self._awaited) else None
            if used is not None:
                _destroy(used)
            elif image:
                self._start_one(image)
        for walls in (*self._used, *(walls for boxes in self._boxes.values() for walls in boxes)):
            _destroy(walls)

    def _wanted(self) -> str:
        """The image of which a box is to be started next; empty when there are enough."""
        if self._awaited and not self._boxes[self._awaited]:
            return self._awaited
        return next((image for image, boxes in self._boxes.items() if len(boxes) < self._ready), "")

    def _start_one(self, image: str) -> None:
        try:
            walls = self._engine.start(image)
        except InfrastructureError as error:
            logger.warning("no box could be made ready: %s", error, extra={"image": image})
            with self._changed:
                self._failure = error
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._closed or self._awaited, PAUSE_AFTER_FAILURE_S)
            return
        with self._changed:
            self._boxes[image].append(walls)
            self._changed.notify_all()


class LentWalls:
    """A box of the pool; taken down by the pool's thread."""

    def __init__(self, walls: Walls, give_back: Callable[[Walls], None]) -> None:
        self._walls = walls
        self._give_back: Callable[[Walls], None] | None = give_back

    @property
    def connection(self) -> socket.socket:
        return self._walls.connection

    def limit_memory(self, memory_mb: int) -> None:
        self._walls.limit_memory(memory_mb)

    def measure_own_memory(self) -> None:
        self._walls.measure_own_memory()

    def begin_run(self) -> None:
        self._walls.begin_run()

    def peak_memory_mb(self) -> float | None:
        return self._walls.peak_memory_mb()

    def ran_out_of_memory(self) -> bool:
        return self._walls.ran_out_of_memory()

    def destroy(self) -> None:
        """Ends the box's processes now, by closing what they live on; what is left of it goes soon."""
        if self._give_back is not None:
            self._walls.connection.close()
            self._give_back(self._walls)
            self._give_back = None


def _destroy(walls: Walls) -> None:
    try:
        walls.destroy()
    except BoxError as error:
        logger.warning("a box could not be taken down: %s", error)
