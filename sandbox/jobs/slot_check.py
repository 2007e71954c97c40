"""Whether a slot can run programs: a known program proves it, and boxes that do not start are tried again.

A worker takes nothing before its slot has judged one real program, and nothing while the slot has no box and cannot
start one. It keeps trying meanwhile, so it works again as soon as boxes start.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from sandbox.box.slot import BoxWait, Slot
from sandbox.errors import CannotRun, InfrastructureError
from sandbox.jobs.perform import verify
from sandbox.runner.contract import Verdict
from sandbox.schema import TestCase, VerifyRequest

logger = logging.getLogger(__name__)

PROOF_IMAGE = "python"
PROOF = VerifyRequest(language="python", code="print(6 * 7)\n", tests=[TestCase(expected="42\n")])
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 1.0
TRY_WHILE_SERVING_S = 2.0  # a slot that still has boxes of other images runs their programs in between
LOG_EVERY_S = 30.0
Proof = Callable[[Slot], None]


def prove(slot: Slot) -> None:
    """Judge a program whose verdict is known. Raises InfrastructureError or CannotRun with what failed."""
    slot.warm(PROOF_IMAGE)
    result = verify("proof", PROOF, slot, 0.0)
    if result.verdict is not Verdict.ACCEPTED:
        message = next((test.message for test in result.tests if test.message), "")
        raise InfrastructureError(
            f"the program print(6 * 7) was judged {result.verdict}: {message or 'no reason given'}"
        )


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a check calls: `on_wait` when the slot stops serving, `on_ready` when it can run programs again."""

    on_wait: Callable[[], None]
    on_ready: Callable[[], None]


class SlotCheck:
    """`ready` and `prove_again` are the worker thread's to call; the rest may be called from any thread."""

    def __init__(self, slot: Slot, proof: Proof | None, recovery: Recovery) -> None:
        self._slot = slot
        self._proof = proof
        self._recovery = recovery
        self._unproven = None if proof is None else BoxWait(PROOF_IMAGE, time.time())
        self._next_try_at = 0.0
        self._pause_s = FIRST_PAUSE_S
        self._logged_at = float("-inf")
        self._well = False

    def prove_again(self, why: str) -> None:
        """Boxes break time after time: see whether the known program runs, to tell whose fault it is.

        Raises CannotRun when it does not. Then the slot takes no programs until it does.
        """
        if self._proof is None:
            return
        self._unproven = BoxWait(PROOF_IMAGE, time.time(), why)
        self._try()
        if self._unproven is not None:
            raise CannotRun(f"no program runs in the boxes of this slot: {self._unproven.why}")

    def serves(self) -> bool:
        """Whether there is anything the slot can run now."""
        return self._unproven is None and (self._slot.waiting is None or bool(self._slot.places()))

    def waiting(self) -> dict[str, Any] | None:
        """What goes out with the heartbeat: which box is missing, since when and why; None when none is."""
        waits = [wait for wait in (self._unproven, self._slot.waiting) if wait is not None]
        if not waits:
            return None
        first = min(waits, key=lambda wait: wait.since)
        why = first.why or next((wait.why for wait in waits if wait.why), "")
        return {**asdict(first), "why": why, "serves": self.serves() and not self._slot.starting}

    def ready(self) -> bool:
        """Try again whatever does not start; return whether the worker may take programs. May pause."""
        if self._well and self._unproven is None and self._slot.waiting is None:
            return True
        if time.monotonic() >= self._next_try_at:
            self._try()
        if not self.serves():
            time.sleep(self._pause_s)
            return False
        if not self._well:
            self._well, self._pause_s, self._logged_at = True, FIRST_PAUSE_S, float("-inf")
            self._recovery.on_ready()
        return True

    def _try(self) -> None:
        for place in self._slot.waits:
            try:
                self._slot.retry(place)
            except InfrastructureError as error:
                self._failed(error)
        if self._unproven is None or self._proof is None:
            return
        try:
            self._proof(self._slot)
        except (InfrastructureError, CannotRun) as error:
            self._unproven = replace(self._unproven, why=str(error))
            self._failed(error)
        else:
            self._unproven = None

    def _failed(self, error: Exception) -> None:
        serves = self.serves()
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        self._next_try_at = time.monotonic() + (TRY_WHILE_SERVING_S if serves else 0.0)
        if time.monotonic() - self._logged_at > LOG_EVERY_S:
            self._logged_at = time.monotonic()
            logger.error("waiting for a box: %s", error)
        if not serves:
            self._well = False
            self._recovery.on_wait()
