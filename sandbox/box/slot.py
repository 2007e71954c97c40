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
from sandbox.box.stop import StopSignal
from sandbox.box.watch import UNWATCHED, BoxWatch
from sandbox.errors import BoxError, Cancelled, EngineUnavailable
from sandbox.languages import Language

logger = logging.getLogger(__name__)

NOT_INSTALLED = "is not on this machine"
WHY = {
    "broken": "its run was broken off",
    "run_count": "it reached its run count",
    "age": "it reached its age",
    "slot_closes": "its slot closes",
}


class Slot:
    """Boxes of one worker process, kept warm between programs.

    `tag` is what the boxes lent from now on are told of whose program they run. `stop` ends the current run from
    another thread: every use of a box then raises Cancelled until it is cleared. `starting` is the image of the box
    that is being started, empty when none is.
    """

    def __init__(self, engine: Engine, max_runs: int, max_age_s: float, watch: BoxWatch = UNWATCHED) -> None:
        self.watch = watch
        self.tag = ""
        self.stop = StopSignal()
        self.starting = ""
        self._engine = engine
        self._max_runs = max_runs
        self._max_age_s = max_age_s
        self._boxes: dict[str, Box] = {}

    def warm(self, image: str) -> None:
        """Have a box of that image ready. Raises EngineUnavailable or BoxError."""
        if image not in self._boxes:
            self._boxes[image] = self._started(image)

    def require(self, language: Language) -> None:
        """Raises EngineUnavailable where the boxes cannot run it, which is no program's fault."""
        for command in (language.compile_command, language.run_command):
            if command and not command[0].startswith("./") and self._engine.lacks(command[0]):
                raise EngineUnavailable(
                    f"{language.name}: {command[0]} {NOT_INSTALLED}; install it, or use Docker's engine"
                )

    def lend(self, image: str) -> AbstractContextManager[Box]:
        """A clean box of that image, for one program."""
        return self._lend(image, image)

    def lend_beside(self, image: str, role: str) -> AbstractContextManager[Box]:
        """Another one of that image, for what runs beside the program; `role` tells several such apart."""
        return self._lend(f"{image} {role}", image)

    @contextmanager
    def _lend(self, place: str, image: str) -> Iterator[Box]:
        began = time.monotonic()
        self.watch.used("box", place in self._boxes)
        if place not in self._boxes:
            self._boxes[place] = self._started(image)
        box = self._boxes[place]
        box.tag, box.stop = self.tag, self.stop
        self.watch.stage("box", began, time.monotonic())
        try:
            yield box
        except Cancelled:  # the supervisor has killed the program and answered, as for any other end
            self._discard_used_up(place, box)
            raise
        except BaseException:
            self._discard(place, "broken")
            raise
        self._discard_used_up(place, box)

    def _discard_used_up(self, place: str, box: Box) -> None:
        if box.runs >= self._max_runs:
            self._discard(place, "run_count")
        elif time.monotonic() - box.started_at >= self._max_age_s:
            self._discard(place, "age")

    def _started(self, image: str) -> Box:
        self.starting = image
        try:
            box = Box(self._engine.start(image), self.watch)
        finally:
            self.starting = ""
        self.watch.started(image)
        return box

    def places(self) -> list[str]:
        """The boxes that are up now, each by its image and its role beside the program's; read from any thread."""
        return sorted(self._boxes.copy())

    def close(self) -> None:
        for place in list(self._boxes):
            self._discard(place, "slot_closes")

    def _discard(self, place: str, reason: str) -> None:
        box = self._boxes.pop(place)
        self.watch.ended(place.partition(" ")[0], reason)
        logger.info("box destroyed: %s", WHY[reason], extra={"box": place, "runs": box.runs})
        try:
            box.close()
        except BoxError as error:
            logger.warning("a box could not be taken down: %s", error)
