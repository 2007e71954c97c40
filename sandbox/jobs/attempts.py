"""Work in a box that may fail: tried again in a new one, a few times."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from sandbox.box.box import Box
from sandbox.box.slot import Slot
from sandbox.errors import BoxError, BoxOutOfMemory, EngineUnavailable, InfrastructureError
from sandbox.languages import Language

logger = logging.getLogger(__name__)

TRIES = 3
# An engine that was killed is started again by the machine's init, and takes seconds to look over its containers.
ENGINE_PATIENCE_S = 30.0
LONGEST_PAUSE_S = 1.0
Answer = TypeVar("Answer")


def in_some_box(slot: Slot, language: Language, work: Callable[[Box], Answer]) -> Answer:
    """Do `work` in a box; where the box fails, in a new one, `TRIES` times in all.

    Raises InfrastructureError, and Cancelled when the slot is told to stop.
    """
    slot.require(language)
    for left in reversed(range(TRIES)):
        try:
            with slot.lend(language.image) as box:
                return work(box)
        except InfrastructureError as error:
            logger.warning("box failed, %d tries left: %s", left, error, extra={"image": language.image})
            # A program that takes all memory of two boxes has shown whose doing that is.
            again = bool(left) and not (isinstance(error, BoxOutOfMemory) and left < TRIES - 1)
            slot.watch.failed(type(error).__name__, again)
            if not again:
                raise
            time.sleep(0.1 * (TRIES - left - 1))
            _await_box(slot, language.image)
    raise AssertionError("unreachable")


def _await_box(slot: Slot, image: str) -> None:
    """Until a box can be started again, and no longer than our patience: an engine that is away is not the program's
    doing, and the tries are for what may be. Whatever is wrong then, the next try tells."""
    deadline, pause_s = time.monotonic() + ENGINE_PATIENCE_S, 0.1
    while True:
        slot.stop.check()
        try:
            return slot.warm(image)
        except EngineUnavailable:
            return None
        except BoxError as error:
            if time.monotonic() > deadline:
                return None
            logger.warning("no box starts, waiting for the engine: %s", error, extra={"image": image})
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
