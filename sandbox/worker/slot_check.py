"""Check whether a slot can run programs: run a self-test, and retry boxes that do not start.

A worker takes no batches until its slot has judged a real program, and none while the slot has no box and cannot start
one. The check keeps retrying, so the worker resumes as soon as boxes start.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from sandbox.box.environment import EnvironmentBusy
from sandbox.box.slot import BoxWait, Slot
from sandbox.errors import CannotRun, InfrastructureError
from sandbox.runner.contract import Verdict
from sandbox.schema import TestCase, VerifyRequest
from sandbox.worker.execute import verify

logger = logging.getLogger(__name__)

SELF_TEST_IMAGE = "python"
SELF_TEST = VerifyRequest(language="python", code="print(6 * 7)\n", tests=[TestCase(expected="42\n")])
FIRST_PAUSE_S = 0.1
MAX_PAUSE_S = 1.0
RETRY_WHILE_SERVING_S = 2.0  # a slot with boxes of other images runs their programs in between
LOG_EVERY_S = 30.0
SelfTest = Callable[[Slot], None]


def run_self_test(slot: Slot) -> None:
    """Judge a program whose verdict is known. Raises InfrastructureError or CannotRun with the reason of a failure."""
    slot.warm(SELF_TEST_IMAGE)
    result = verify("proof", SELF_TEST, slot, 0.0)
    if result.verdict is not Verdict.ACCEPTED:
        message = next((test.message for test in result.tests if test.message), "")
        raise InfrastructureError(
            f"the self-test print(6 * 7) was judged {result.verdict}: {message or 'no reason given'}"
        )


@dataclass(frozen=True, slots=True)
class SlotCallbacks:
    """Callbacks of a check: `on_wait` when the slot stops serving, `on_ready` when it can run programs again."""

    on_wait: Callable[[], None]
    on_ready: Callable[[], None]


class SlotCheck:
    """Checks one slot.

    Only the worker's main thread may call `ensure_ready` and `repeat_self_test`; the other methods are thread-safe.
    """

    def __init__(self, slot: Slot, self_test: SelfTest | None, callbacks: SlotCallbacks) -> None:
        self._slot = slot
        self._self_test = self_test
        self._callbacks = callbacks
        self._self_test_wait = None if self_test is None else BoxWait(SELF_TEST_IMAGE, time.time())
        self._next_try_at = 0.0
        self._pause_s = FIRST_PAUSE_S
        self._logged_at = float("-inf")
        self._is_healthy = False

    def repeat_self_test(self, reason: str) -> None:
        """Run the self-test after repeated box failures, to find out whether the program or the slot is at fault.

        Raises CannotRun if the self-test fails. The slot then takes no programs until it passes.
        """
        if self._self_test is None:
            return
        self._self_test_wait = BoxWait(SELF_TEST_IMAGE, time.time(), reason)
        self._retry_start()
        if self._self_test_wait is not None:
            raise CannotRun(f"no program runs in the boxes of this slot: {self._self_test_wait.why}")

    def can_serve(self) -> bool:
        """Return whether the slot can run any program now."""
        return self._self_test_wait is None and (self._slot.longest_wait is None or bool(self._slot.list_box_keys()))

    def describe_wait(self) -> dict[str, Any] | None:
        """Return which box is missing, since when, and why, for the heartbeat; return None if no box is missing."""
        waits = [wait for wait in (self._self_test_wait, self._slot.longest_wait) if wait is not None]
        if not waits:
            return None
        first = min(waits, key=lambda wait: wait.since)
        why = first.why or next((wait.why for wait in waits if wait.why), "")
        return {**asdict(first), "why": why, "serves": self.can_serve() and not self._slot.starting_image}

    def ensure_ready(self) -> bool:
        """Retry boxes that failed to start, and return whether the worker may take programs. May sleep."""
        if self._is_healthy and self._self_test_wait is None and self._slot.longest_wait is None:
            return True
        if time.monotonic() >= self._next_try_at:
            self._retry_start()
        if not self.can_serve():
            time.sleep(self._pause_s)
            return False
        if not self._is_healthy:
            self._is_healthy, self._pause_s, self._logged_at = True, FIRST_PAUSE_S, float("-inf")
            self._callbacks.on_ready()
        return True

    def _retry_start(self) -> None:
        for box_key in self._slot.waits:
            try:
                with suppress(EnvironmentBusy):  # nothing waits for this box any longer
                    self._slot.retry(box_key)
            except InfrastructureError as error:
                self._handle_failure(error)
        if self._self_test_wait is None or self._self_test is None:
            return
        try:
            self._self_test(self._slot)
        except (InfrastructureError, CannotRun) as error:
            self._self_test_wait = replace(self._self_test_wait, why=str(error))
            self._handle_failure(error)
        else:
            self._self_test_wait = None

    def _handle_failure(self, error: Exception) -> None:
        can_serve = self.can_serve()
        self._pause_s = min(2 * self._pause_s, MAX_PAUSE_S)
        self._next_try_at = time.monotonic() + (RETRY_WHILE_SERVING_S if can_serve else 0.0)
        if time.monotonic() - self._logged_at > LOG_EVERY_S:
            self._logged_at = time.monotonic()
            logger.error("waiting for a box: %s", error)
        if not can_serve:
            self._is_healthy = False
            self._callbacks.on_wait()
