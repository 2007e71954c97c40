"""Work in a box that may fail: tried again in a new one, a few times."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from sandbox.box.box import Box
from sandbox.box.slot import Slot
from sandbox.errors import BoxOutOfMemory, CannotRun, InfrastructureError
from sandbox.languages import Language

logger = logging.getLogger(__name__)

TRIES = 3
# An engine that was killed is started again by the machine's init, and takes seconds to look over its containers.
ENGINE_PATIENCE_S = 30.0
LONGEST_PAUSE_S = 1.0
Answer = TypeVar("Answer")


def in_some_box(slot: Slot, language: Language, work: Callable[[Box], Answer]) -> Answer:
    """Do `work` in a box; where the box fails, in a new one, `TRIES` times in all.

    Raises InfrastructureError, CannotRun when no box starts for longer than our patience, and Cancelled when the slot
    is told to stop.
    """
    slot.require(language)
    left = TRIES
    while True:
        slot.missing = ""
        try:
            with slot.lend(language.image) as box:
                return work(box)
        except InfrastructureError as error:
            if slot.missing:
                slot.watch.failed(type(error).__name__, True)
                _await_box(slot, slot.missing)
                continue
            left -= 1
            logger.warning("box failed, %d tries left: %s", left, error, extra={"image": language.image})
            took_all_memory = isinstance(error, BoxOutOfMemory)
            # A program that takes all memory of two boxes has shown whose doing that is.
            again = bool(left) and not (took_all_memory and left < TRIES - 1)
            slot.watch.failed(type(error).__name__, again)
            if not again:
                slot.doubtful = "" if took_all_memory else str(error)
                raise
            time.sleep(0.1 * (TRIES - left - 1))


def _await_box(slot: Slot, place: str) -> None:
    """Wait until the box that is missing starts. Raises CannotRun when our patience with the engine is over.

    Patience counts from the first failure to start that box, so the programs behind do not wait anew. An image that is
    missing does not come by waiting.
    """
    pause_s = 0.1
    while (wait := slot.waits.get(place)) is not None:
        slot.stop.check()
        if wait.only_image or time.time() - wait.since > ENGINE_PATIENCE_S:
            raise CannotRun(f"no {wait.image} box starts: {wait.why}")
        logger.warning("no box starts, waiting for the engine: %s", wait.why, extra={"image": wait.image})
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        with suppress(InfrastructureError):
            slot.retry(place)
