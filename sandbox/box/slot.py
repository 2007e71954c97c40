"""A slot: the one place of a worker where programs run, with a warm box per image.

Lending is a context manager. A box whose use raised BoxError is destroyed; so is one that reached its age or run
count. One program at a time: a slot belongs to one worker process, so nothing here locks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

from sandbox import languages
from sandbox.box.box import Box
from sandbox.box.engine import Engine
from sandbox.box.observer import NULL_BOX_OBSERVER, BoxObserver
from sandbox.box.stop_signal import StopSignal
from sandbox.errors import BoxError, Cancelled, EngineUnavailable, InfrastructureError
from sandbox.languages import Language

logger = logging.getLogger(__name__)

DISCARD_REASONS = {
    "broken": "its run was broken off",
    "run_count": "it reached its run count",
    "age": "it reached its age",
    "retired": "its kernel keeps state of its last program",
    "slot_closes": "its slot closes",
}


@dataclass(frozen=True, slots=True)
class BoxWait:
    """A box that a slot needs and does not have. `since` is in seconds since the epoch; `why` is the last failure.

    `only_image` says that the engine works and lacks this image.
    """

    image: str
    since: float
    why: str = ""
    only_image: bool = False


class Slot:
    """Boxes of one worker process, kept warm between programs.

    `tag` is what the boxes lent from now on are told of whose program they run. `stop` ends the current run from
    another thread: every use of a box then raises Cancelled until it is cleared. `starting` is the image of the box
    that is being started, empty when none is. `missing` is the place of the box that failed to start last, `doubtful`
    why boxes that had started failed a program time after time; both are reset by whoever asks.
    """

    def __init__(
        self, engine: Engine, max_runs: int, max_age_s: float, observer: BoxObserver = NULL_BOX_OBSERVER
    ) -> None:
        self.observer = observer
        self.tag = ""
        self.stop_signal = StopSignal()
        self.starting_image = ""
        self.repeated_failure = ""
        self.failed_box_key = ""
        self._engine = engine
        self._max_runs = max_runs
        self._max_age_s = max_age_s
        self._boxes: dict[str, Box] = {}
        self._waits: dict[str, BoxWait] = {}
        self._missing_isolation: set[str] = set()

    def warm(self, image: str) -> None:
        """Have a box of that image ready. Raises EngineUnavailable or BoxError."""
        if image not in self._boxes:
            self._boxes[image] = self._start_box(image, image)

    @property
    def longest_wait(self) -> BoxWait | None:
        """The box that has been missing for the longest time; None when none is. Read from any thread."""
        return min(self.waits.values(), key=lambda wait: wait.since, default=None) if self._waits else None

    @property
    def waits(self) -> dict[str, BoxWait]:
        """The boxes that are missing, by place."""
        return self._waits.copy()

    def retry(self, box_key: str) -> None:
        """Try once more to start a box that is missing. Raises EngineUnavailable or BoxError."""
        if box_key in self._waits:
            self._boxes[box_key] = self._start_box(box_key, self._waits[box_key].image)

    def list_missing_isolation(self) -> list[str]:
        """What the kernel of its boxes cannot keep out, in words, as far as boxes have started."""
        return [*self._engine.list_missing_isolation(), *sorted(self._missing_isolation)]

    def require_language(self, language: Language) -> None:
        """Raises EngineUnavailable where the boxes cannot run it, which is no program's fault."""
        if command := self._find_missing_command(language):
            raise EngineUnavailable(
                f"{language.name}: {command} is not on this machine; install it, or use Docker's engine"
            )

    def find_missing_languages(self) -> list[str]:
        """The languages that its boxes cannot run. Raises EngineUnavailable."""
        table = languages.load_languages().values()
        images = {image for image in {each.image for each in table} if self._engine.lacks_image(image)}
        return [each.name for each in table if each.image in images or self._find_missing_command(each)]

    def _find_missing_command(self, language: Language) -> str:
        """The first command of a language that the boxes are without; empty where there is none."""
        for command in (language.compile_command, language.run_command):
            if command and not command[0].startswith("./") and self._engine.lacks(command[0]):
                return command[0]
        return ""

    def lend(self, image: str) -> AbstractContextManager[Box]:
        """A clean box of that image, for one program."""
        return self._lend(image, image)

    def lend_secondary(self, image: str, role: str) -> AbstractContextManager[Box]:
        """Another one of that image, for what runs beside the program; `role` tells several such apart."""
        return self._lend(f"{image} {role}", image)

    @contextmanager
    def _lend(self, box_key: str, image: str) -> Iterator[Box]:
        began = time.monotonic()
        self.observer.record_cache_use("box", box_key in self._boxes)
        if box_key not in self._boxes:
            self._boxes[box_key] = self._start_box(box_key, image)
        box = self._boxes[box_key]
        box.tag, box.stop_signal = self.tag, self.stop_signal
        self.observer.record_phase("box", began, time.monotonic())
        try:
            yield box
        except Cancelled:  # the supervisor has killed the program and answered, as for any other end
            self._discard_if_used_up(box_key, box)
            raise
        except BaseException:
            self._discard(box_key, "broken")
            raise
        self._discard_if_used_up(box_key, box)

    def _discard_if_used_up(self, box_key: str, box: Box) -> None:
        if box.should_retire:
            self._discard(box_key, "retired")
        elif box.runs >= self._max_runs:
            self._discard(box_key, "run_count")
        elif time.monotonic() - box.started_at >= self._max_age_s:
            self._discard(box_key, "age")

    def _start_box(self, box_key: str, image: str) -> Box:
        wait = self._waits.setdefault(box_key, BoxWait(image, time.time()))
        self.starting_image = image
        try:
            box = Box(self._engine.start(image), self.observer)
        except InfrastructureError as error:
            only_image = isinstance(error, EngineUnavailable)
            self._waits[box_key] = replace(wait, why=str(error), only_image=only_image)
            self.failed_box_key = box_key
            raise
        finally:
            self.starting_image = ""
        del self._waits[box_key]
        self._missing_isolation.update(box.missing_isolation)
        self.observer.record_box_started(image)
        return box

    def list_box_keys(self) -> list[str]:
        """The boxes that are up now, each by its image and its role beside the program's; read from any thread."""
        return sorted(self._boxes.copy())

    def close(self) -> None:
        for box_key in list(self._boxes):
            self._discard(box_key, "slot_closes")

    def _discard(self, box_key: str, reason: str) -> None:
        box = self._boxes.pop(box_key)
        self.observer.record_box_ended(box_key.partition(" ")[0], reason)
        logger.info("box destroyed: %s", DISCARD_REASONS[reason], extra={"box": box_key, "runs": box.runs})
        try:
            box.close()
        except BoxError as error:
            logger.warning("a box could not be taken down: %s", error)
