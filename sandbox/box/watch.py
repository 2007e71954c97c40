"""What boxes tell whoever watches them: when they start, run and end, and what that took."""

from __future__ import annotations

from typing import Literal, Protocol

Stage = Literal["box", "compile", "run"]
Cache = Literal["box", "interpreter"]


class BoxWatch(Protocol):
    """Told by a slot and its boxes. What it does must be quick and must not raise."""

    def stage(self, stage: Stage, began: float, ended: float, sent: int = 0, received: int = 0) -> None:
        """A box was waited for, compiled, or ran; between times of `time.monotonic`, with bytes into it and out."""

    def used(self, cache: Cache, hit: bool) -> None:
        """Something was found ready, or has to be made now."""

    def started(self, image: str) -> None:
        """There is one box more."""

    def ended(self, image: str, reason: str) -> None:
        """There is one box less: `age`, `run_count`, `broken` or `slot_closes`."""

    def failed(self, reason: str, again: bool) -> None:
        """Our machinery failed a run, which is tried `again` or not."""


class Unwatched:
    """Tells nobody."""

    def stage(self, stage: Stage, began: float, ended: float, sent: int = 0, received: int = 0) -> None:
        return

    def used(self, cache: Cache, hit: bool) -> None:
        return

    def started(self, image: str) -> None:
        return

    def ended(self, image: str, reason: str) -> None:
        return

    def failed(self, reason: str, again: bool) -> None:
        return


UNWATCHED = Unwatched()
