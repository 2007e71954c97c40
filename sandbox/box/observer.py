"""The observer interface of boxes: when they start, run and end, and how long that takes."""

from __future__ import annotations

from typing import Literal, Protocol

Phase = Literal["box", "compile", "run"]
Cache = Literal["box", "interpreter"]


class BoxObserver(Protocol):
    """Receives events from a slot and its boxes. Its methods must be fast and must not raise."""

    def record_phase(self, phase: Phase, began: float, ended: float, sent: int = 0, received: int = 0) -> None:
        """Record a wait for a box, a compilation or a run: its `time.monotonic` times, bytes sent and received."""

    def record_cache_use(self, cache: Cache, hit: bool) -> None:
        """Record whether something was found ready or has to be created."""

    def record_box_started(self, image: str) -> None:
        """Record that a box has started."""

    def record_box_ended(self, image: str, reason: str) -> None:
        """Record that a box has ended. The reason is a key of `slot.DISCARD_REASONS`."""

    def record_failure(self, reason: str, will_retry: bool) -> None:
        """Record that the service failed a run, and whether it will retry."""


class NullBoxObserver:
    """An observer that ignores all events."""

    def record_phase(self, phase: Phase, began: float, ended: float, sent: int = 0, received: int = 0) -> None:
        return

    def record_cache_use(self, cache: Cache, hit: bool) -> None:
        return

    def record_box_started(self, image: str) -> None:
        return

    def record_box_ended(self, image: str, reason: str) -> None:
        return

    def record_failure(self, reason: str, will_retry: bool) -> None:
        return


NULL_BOX_OBSERVER = NullBoxObserver()
