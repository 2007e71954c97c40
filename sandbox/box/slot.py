"""A slot: the one place of a worker where programs run, with a warm box per image.

Lending is a context manager. A box whose use raised BoxError is destroyed; so is one that reached its age or run
count. One program at a time: a slot belongs to one worker process, so nothing here locks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from sandbox.box.box import Box
from sandbox.box.engine import Engine
from sandbox.errors import BoxError

logger = logging.getLogger(__name__)


class Slot:
    """Boxes of one worker process, kept warm between programs."""

    def __init__(self, engine: Engine, max_runs: int, max_age_s: float) -> None:
        self._engine = engine
        self._max_runs = max_runs
        self._max_age_s = max_age_s
        self._boxes: dict[str, Box] = {}

    def warm(self, image: str) -> None:
        """Have a box of that image ready. Raises EngineUnavailable or BoxError."""
        if image not in self._boxes:
            self._boxes[image] = Box(self._engine.start(image))

    def lend(self, image: str) -> AbstractContextManager[Box]:
        """A clean box of that image, for one program."""
        return self._lend(image, image)

    def lend_beside(self, image: str, role: str) -> AbstractContextManager[Box]:
        """Another one of that image, for what runs beside the program; `role` tells several such apart."""
        return self._lend(f"{image} {role}", image)

    @contextmanager
    def _lend(self, place: str, image: str) -> Iterator[Box]:
        if place not in self._boxes:
            self._boxes[place] = Box(self._engine.start(image))
        box = self._boxes[place]
        try:
            yield box
        except BaseException:
            self._discard(place, "its run was broken off")
            raise
        if box.runs >= self._max_runs:
            self._discard(place, "it reached its run count")
        elif time.monotonic() - box.started_at >= self._max_age_s:
            self._discard(place, "it reached its age")

    def close(self) -> None:
        for place in list(self._boxes):
            self._discard(place, "its slot closes")

    def _discard(self, place: str, reason: str) -> None:
        box = self._boxes.pop(place)
        logger.info("box destroyed: %s", reason, extra={"box": place, "runs": box.runs})
        try:
            box.close()
        except BoxError as error:
            logger.warning("a box could not be taken down: %s", error)
