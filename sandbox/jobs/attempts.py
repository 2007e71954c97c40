"""Work in a box that may fail: tried again in a new one, a few times."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from sandbox.box.box import Box
from sandbox.box.slot import Slot
from sandbox.errors import BoxOutOfMemory, InfrastructureError
from sandbox.languages import Language

logger = logging.getLogger(__name__)

TRIES = 3
Answer = TypeVar("Answer")


def in_some_box(slot: Slot, language: Language, work: Callable[[Box], Answer]) -> Answer:
    """Do `work` in a box; where the box fails, in a new one, `TRIES` times in all. Raises InfrastructureError."""
    for left in reversed(range(TRIES)):
        try:
            with slot.lend(language.image) as box:
                return work(box)
        except InfrastructureError as error:
            logger.warning("box failed, %d tries left: %s", left, error, extra={"image": language.image})
            # A program that takes all memory of two boxes has shown whose doing that is.
            if not left or (isinstance(error, BoxOutOfMemory) and left < TRIES - 1):
                raise
            time.sleep(0.1 * (TRIES - left - 1))
    raise AssertionError("unreachable")
