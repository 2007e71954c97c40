"""What a GPU worker tells whoever watches it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sandbox.schema.gpu import Progress


class GpuObserver(Protocol):
    """What it does must be quick and must not raise."""

    def record_start(self, kind: str) -> None:
        """A job of that kind runs."""

    def record_end(self, kind: str, status: str) -> None:
        """It does not any more: `finished`, `cancelled`, `failed`, or `again` where it was queued once more."""

    def record_progress(self, kind: str, progress: Progress) -> None:
        """How far it is."""

    def record_step_times(self, seconds: Mapping[str, Any]) -> None:
        """Seconds of some training steps: `step_s`, and in it `generate_s` and `verdict_s`."""

    def record_server_metrics(self, texts: Sequence[str]) -> None:
        """What each generation server that runs now says at its /metrics."""


class NullGpuObserver:
    """Tells nobody."""

    def record_start(self, kind: str) -> None:
        return

    def record_end(self, kind: str, status: str) -> None:
        return

    def record_progress(self, kind: str, progress: Progress) -> None:
        return

    def record_step_times(self, seconds: Mapping[str, Any]) -> None:
        return

    def record_server_metrics(self, texts: Sequence[str]) -> None:
        return


NULL_GPU_OBSERVER = NullGpuObserver()
