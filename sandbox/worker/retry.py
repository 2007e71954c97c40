"""Retry work in a new box when a box fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from sandbox.box.box import Box
from sandbox.box.slot import Slot
from sandbox.errors import BoxOutOfMemory, CannotRun, EnvironmentFailed, InfrastructureError
from sandbox.languages import Language

logger = logging.getLogger(__name__)

MAX_TRIES = 3
# If the engine was killed, init restarts it, and it takes seconds to check its containers.
ENGINE_TIMEOUT_S = 30.0
MAX_PAUSE_S = 1.0
Answer = TypeVar("Answer")


def run_with_retries(slot: Slot, language: Language, use_box: Callable[[Box], Answer]) -> Answer:
    """Call `use_box` with a box. If the box fails, retry with a new one, up to `MAX_TRIES` tries in total.

    Raises InfrastructureError, CannotRun if no box starts within `ENGINE_TIMEOUT_S`, or Cancelled if the slot stops.
    """
    slot.require_language(language)
    tries_left = MAX_TRIES
    while True:
        slot.failed_box_key = ""
        try:
            with slot.lend(language.image) as box:
                return use_box(box)
        except EnvironmentFailed:
            raise
        except InfrastructureError as error:
            if slot.failed_box_key:
                slot.observer.record_failure(type(error).__name__, True)
                _wait_for_box(slot, slot.failed_box_key)
                continue
            tries_left -= 1
            logger.warning("box failed, %d tries left: %s", tries_left, error, extra={"image": language.image})
            took_all_memory = isinstance(error, BoxOutOfMemory)
            # If a program uses up the memory of two boxes, the program is the cause.
            will_retry = bool(tries_left) and not (took_all_memory and tries_left < MAX_TRIES - 1)
            slot.observer.record_failure(type(error).__name__, will_retry)
            if not will_retry:
                slot.repeated_failure = "" if took_all_memory else str(error)
                raise
            time.sleep(0.1 * (MAX_TRIES - tries_left - 1))


def _wait_for_box(slot: Slot, box_key: str) -> None:
    """Wait until a box of this kind starts. Raises CannotRun after `ENGINE_TIMEOUT_S`.

    The timeout counts from the first failure to start the box, so later programs do not wait for the full time again.
    A missing image raises CannotRun immediately, because waiting does not help.
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
