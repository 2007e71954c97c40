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

MAX_TRIES = 3
# An engine that was killed is started again by the machine's init, and takes seconds to look over its containers.
ENGINE_TIMEOUT_S = 30.0
MAX_PAUSE_S = 1.0
Answer = TypeVar("Answer")


def run_with_retries(slot: Slot, language: Language, use_box: Callable[[Box], Answer]) -> Answer:
    """Do `work` in a box; where the box fails, in a new one, `TRIES` times in all.

    Raises InfrastructureError, CannotRun when no box starts for longer than our patience, and Cancelled when the slot
    is told to stop.
    """
    slot.require_language(language)
    tries_left = MAX_TRIES
    while True:
        slot.failed_box_key = ""
        try:
            with slot.lend(language.image) as box:
                return use_box(box)
        except InfrastructureError as error:
            if slot.failed_box_key:
                slot.observer.record_failure(type(error).__name__, True)
                _wait_for_box(slot, slot.failed_box_key)
                continue
            tries_left -= 1
            logger.warning("box failed, %d tries left: %s", tries_left, error, extra={"image": language.image})
            took_all_memory = isinstance(error, BoxOutOfMemory)
            # A program that takes all memory of two boxes has shown whose doing that is.
            will_retry = bool(tries_left) and not (took_all_memory and tries_left < MAX_TRIES - 1)
            slot.observer.record_failure(type(error).__name__, will_retry)
            if not will_retry:
                slot.repeated_failure = "" if took_all_memory else str(error)
                raise
            time.sleep(0.1 * (MAX_TRIES - tries_left - 1))


def _wait_for_box(slot: Slot, box_key: str) -> None:
    """Wait until the box that is missing starts. Raises CannotRun when our patience with the engine is over.

    Patience counts from the first failure to start that box, so the programs behind do not wait anew. An image that is
    missing does not come by waiting.
    """
    pause_s = 0.1
    while (wait := slot.waits.get(box_key)) is not None:
        slot.stop_signal.raise_if_set()
        if wait.only_image or time.time() - wait.since > ENGINE_TIMEOUT_S:
            raise CannotRun(f"no {wait.image} box starts: {wait.why}")
        logger.warning("no box starts, waiting for the engine: %s", wait.why, extra={"image": wait.image})
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, MAX_PAUSE_S)
        with suppress(InfrastructureError):
            slot.retry(box_key)
