"""A slot: the warm boxes of one worker process, one per image. A slot runs one program at a time.

Lending a box is a context manager. A box is destroyed if its use raised BoxError, or if it has reached its maximum age
or run count. A slot belongs to one worker process, so nothing here locks.
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
from sandbox.box.environment import EnvironmentBusy, get_base
from sandbox.box.observer import NULL_BOX_OBSERVER, BoxObserver
from sandbox.box.stop_signal import StopSignal
from sandbox.errors import BoxError, Cancelled, EngineUnavailable, EnvironmentFailed, InfrastructureError
from sandbox.languages import Language

logger = logging.getLogger(__name__)

DISCARD_REASONS = {
    "broken": "its run was aborted",
    "run_count": "it reached its maximum number of runs",
    "age": "it reached its maximum age",
    "retired": "its kernel still has state of its last program",
    "slot_closes": "its slot closes",
    "environment_unused": "its environment was not used for a while",
}
MAX_ENVIRONMENTS = 4  # whose boxes a slot keeps warm
ENVIRONMENT_IDLE_S = 600.0  # an image can be removed from the host only if no box uses it


@dataclass(frozen=True, slots=True)
class BoxWait:
    """A box that a slot is waiting for. `since` is in seconds since the epoch; `why` is the most recent failure.

    `only_image` is True if the engine works and only this image is missing.
    """

    image: str
    since: float
    why: str = ""
    only_image: bool = False


class Slot:
    """The boxes of one worker process, kept warm between programs.

    `tag` identifies the current item to each box that the slot lends. `stop_signal` ends the current run from another
    thread: every use of a box then raises Cancelled until it is cleared. `starting_image` is the image of the box that
    is starting, or empty. `failed_box_key` is the key of the box that most recently failed to start. `repeated_failure`
    is the reason why boxes failed repeatedly while running one program. Callers reset both of these.

    While `environment` is the image of an environment, the slot lends its boxes instead of those of its base image.
    `environment_failure` is the reason why there is no such image; lending then raises EnvironmentFailed. If the image
    was removed meanwhile, lending raises EnvironmentBusy. `image_time_s` is how long the current item waited for the
    image.
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
        self.environment = ""
        self.environment_failure = ""
        self.image_time_s = 0.0
        self._environment_used_at: dict[str, float] = {}
        self._engine = engine
        self._max_runs = max_runs
        self._max_age_s = max_age_s
        self._boxes: dict[str, Box] = {}
        self._waits: dict[str, BoxWait] = {}
        self._missing_isolation: set[str] = set()

    def warm(self, image: str) -> None:
        """Make sure that a box of the image is ready. Raises EngineUnavailable or BoxError."""
        if image not in self._boxes:
            self._boxes[image] = self._start_box(image, image)

    @property
    def longest_wait(self) -> BoxWait | None:
        """The box that has been missing the longest, or None. May be read from any thread."""
        return min(self.waits.values(), key=lambda wait: wait.since, default=None) if self._waits else None

    @property
    def waits(self) -> dict[str, BoxWait]:
        """The boxes that the slot is waiting for, by key. May be read from any thread."""
        return self._waits.copy()

    def retry(self, box_key: str) -> None:
        """Try again to start a missing box. Raises EngineUnavailable or BoxError."""
        if box_key in self._waits:
            self._boxes[box_key] = self._start_box(box_key, self._waits[box_key].image)

    def list_missing_isolation(self) -> list[str]:
        """Describe the isolation layers that are missing from the boxes started so far."""
        return [*self._engine.list_missing_isolation(), *sorted(self._missing_isolation)]

    def require_language(self, language: Language) -> None:
        """Raise EngineUnavailable if the boxes cannot run the language: the machine is at fault, not the program."""
        if command := self._find_missing_command(language):
            raise EngineUnavailable(
                f"{language.name}: {command} is not on this machine; install it, or use the Docker engine"
            )

    def find_missing_languages(self) -> list[str]:
        """Return the names of the languages that this slot's boxes cannot run. Raises EngineUnavailable."""
        table = languages.load_languages().values()
        images = {image for image in {each.image for each in table} if self._engine.lacks_image(image)}
        return [each.name for each in table if each.image in images or self._find_missing_command(each)]

    def _find_missing_command(self, language: Language) -> str:
        """Return the first command of a language that the boxes lack, or an empty string."""
        for command in (language.compile_command, language.run_command):
            if command and not command[0].startswith("./") and self._engine.lacks(command[0]):
                return command[0]
        return ""

    def lend(self, image: str) -> AbstractContextManager[Box]:
        """Lend a clean box of the image for one program."""
        image = self._select_image(image)
        return self._lend(image, image)

    def lend_secondary(self, image: str, role: str) -> AbstractContextManager[Box]:
        """Lend another box of the image, for a process that runs alongside the program.

        `role` distinguishes several such boxes of the same image.
        """
        image = self._select_image(image)
        return self._lend(f"{image} {role}", image)

    def leave_environment(self) -> None:
        """Lend boxes of the standard images again."""
        self.environment = self.environment_failure = ""
        self.image_time_s = 0.0

    def close_idle_environments(self) -> None:
        """Destroy the boxes of environments that no program has used for a while."""
        if self._environment_used_at:
            oldest = time.monotonic() - ENVIRONMENT_IDLE_S
            for image in [image for image, used_at in self._environment_used_at.items() if used_at < oldest]:
                self._forget_environment(image)

    def _select_image(self, image: str) -> str:
        if self.environment_failure:
            raise EnvironmentFailed(self.environment_failure)
        if not self.environment or get_base(self.environment) != image:
            return image
        if self.environment not in self._environment_used_at and len(self._environment_used_at) >= MAX_ENVIRONMENTS:
            self._forget_environment(min(self._environment_used_at, key=self._environment_used_at.__getitem__))
        self._environment_used_at[self.environment] = time.monotonic()
        return self.environment

    def _forget_environment(self, image: str) -> None:
        del self._environment_used_at[image]
        for box_key in [box_key for box_key in self._boxes if box_key.partition(" ")[0] == image]:
            self._discard(box_key, "environment_unused")

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
        except Cancelled:  # the supervisor has killed the program and answered, as after any other run
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
        except EnvironmentFailed as error:  # the image was removed: the program runs when it has been built again
            del self._waits[box_key]
            raise EnvironmentBusy from error
        except InfrastructureError as error:
            only_image = isinstance(error, EngineUnavailable)
            self._waits[box_key] = replace(wait, why=str(error), only_image=only_image)
            self.failed_box_key = box_key
            raise
        finally:
            self.starting_image = ""
        del self._waits[box_key]
        self._missing_isolation.update(box.missing_isolation)
        self.observer.record_box_started(get_base(image))
        return box

    def list_box_keys(self) -> list[str]:
        """Return the keys of the current boxes. A key is an image, followed by a role for a secondary box.

        May be called from any thread.
        """
        return sorted(self._boxes.copy())

    def close(self) -> None:
        for box_key in list(self._boxes):
            self._discard(box_key, "slot_closes")

    def _discard(self, box_key: str, reason: str) -> None:
        box = self._boxes.pop(box_key)
        self.observer.record_box_ended(get_base(box_key.partition(" ")[0]), reason)
        logger.info("box destroyed: %s", DISCARD_REASONS[reason], extra={"box": box_key, "runs": box.runs})
        try:
            box.close()
        except BoxError as error:
            logger.warning("could not destroy a box: %s", error)
