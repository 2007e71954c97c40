"""The interface for observing boxes: when they start, run and end, and how long each step takes."""

from __future__ import annotations

from typing import Literal, Protocol

Phase = Literal["box", "compile", "run"]
Cache = Literal["box", "interpreter"]


class BoxObserver(Protocol):
    """Receives events from a slot and its boxes. Its methods must be fast and must not raise."""

    def record_phase(self, phase: Phase, began: float, ended: float, sent: int = 0, received: int = 0) -> None:
        """Record one phase: a wait for a box, a compilation or a run.

        `began` and `ended` are `time.monotonic` values; `sent` and `received` count bytes.
        """

    def record_cache_use(self, cache: Cache, hit: bool) -> None:
        """Record a lookup in a cache. `hit` is False if the object has to be created."""

    def record_box_started(self, image: str) -> None:
        """Record that a box has started."""

    def record_box_ended(self, image: str, reason: str) -> None:
        """Record that a box has ended. The reason is a key of `slot.DISCARD_REASONS`."""

    def record_failure(self, reason: str, will_retry: bool) -> None:
        """Record that a run failed because of the service, not the program, and whether it will be retried."""


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
