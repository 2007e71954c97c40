"""What a GPU worker tells whoever watches it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sandbox.schema.gpu import Progress


class GpuWatch(Protocol):
    """What it does must be quick and must not raise."""

    def began(self, kind: str) -> None:
        """A job of that kind runs."""

    def ended(self, kind: str, status: str) -> None:
        """It does not any more: `finished`, `cancelled`, `failed`, or `again` where it was queued once more."""

    def reported(self, kind: str, progress: Progress) -> None:
        """How far it is."""

    def took(self, seconds: Mapping[str, Any]) -> None:
        """Seconds of some training steps: `step_s`, and in it `generate_s` and `verdict_s`."""

    def servers(self, texts: Sequence[str]) -> None:
        """What each generation server that runs now says at its /metrics."""


class Unwatched:
    """Tells nobody."""

    def began(self, kind: str) -> None:
        return

    def ended(self, kind: str, status: str) -> None:
        return

    def reported(self, kind: str, progress: Progress) -> None:
        return

    def took(self, seconds: Mapping[str, Any]) -> None:
        return

    def servers(self, texts: Sequence[str]) -> None:
        return


UNWATCHED = Unwatched()
