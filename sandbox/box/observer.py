"""What boxes tell whoever watches them: when they start, run and end, and what that took."""

from __future__ import annotations

from typing import Literal, Protocol

Phase = Literal["box", "compile", "run"]
Cache = Literal["box", "interpreter"]


class BoxObserver(Protocol):
    """Told by a slot and its boxes. What it does must be quick and must not raise."""

    def record_phase(self, phase: Phase, began: float, ended: float, sent: int = 0, received: int = 0) -> None:
        """A box was waited for, compiled, or ran; between times of `time.monotonic`, with bytes into it and out."""

    def record_cache_use(self, cache: Cache, hit: bool) -> None:
        """Something was found ready, or has to be made now."""

    def record_box_started(self, image: str) -> None:
        """There is one box more."""

    def record_box_ended(self, image: str, reason: str) -> None:
        """There is one box less: `age`, `run_count`, `broken` or `slot_closes`."""

    def record_failure(self, reason: str, will_retry: bool) -> None:
        """Our machinery failed a run, which is tried `again` or not."""


class NullBoxObserver:
    """Tells nobody."""

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
