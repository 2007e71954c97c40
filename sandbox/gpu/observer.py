"""The interface through which a GPU worker reports what it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.schema.gpu import Progress


class GpuObserver:
    """Receives the events of a GPU worker. A subclass overrides the methods that it needs.

    Methods must be quick and must not raise.
    """

    def record_start(self, kind: str) -> None:
        """Record that a job of this kind started."""

    def record_end(self, kind: str, status: str) -> None:
        """Record how a job ended: `finished`, `cancelled`, `failed`, or `again` if it was requeued."""

    def record_progress(self, kind: str, progress: Progress) -> None:
        """Record a job's progress."""

    def record_step_times(self, seconds: Mapping[str, Any]) -> None:
        """Record mean times of training steps in seconds: `step_s`, which includes `generate_s` and `verdict_s`."""

    def record_server_metrics(self, texts: Sequence[str]) -> None:
        """Record the /metrics response of each running generation server."""


NULL_GPU_OBSERVER = GpuObserver()
