"""One job as those who do it see it: its request, its folder, and the ways to tell how it goes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.config import GpuSettings
from sandbox.errors import Cancelled
from sandbox.gpu.folder import JobFolder
from sandbox.gpu.watch import UNWATCHED, GpuWatch
from sandbox.jobs.gpu_jobs import GpuJobs
from sandbox.schema.gpu import Progress


@dataclass(frozen=True, slots=True)
class CurrentJob:
    """`unwanted` is set when the job was cancelled, or given to another worker."""

    id: str
    worker: str
    gpus: Sequence[int]
    settings: GpuSettings
    jobs: GpuJobs
    unwanted: threading.Event
    kind: str = ""
    watch: GpuWatch = UNWATCHED

    @property
    def folder(self) -> JobFolder:
        return JobFolder(self.root / "jobs" / self.id)

    @property
    def root(self) -> Path:
        return self.settings.folder

    def report(self, progress: Progress) -> None:
        self.watch.reported(self.kind, progress)
        self.jobs.report(self.id, self.worker, progress)

    def tell(self, event: str, data: Sequence[bytes]) -> None:
        self.jobs.tell(self.id, self.worker, event, data)

    def events(self) -> list[bytes]:
        """All that was told of this job, by whichever worker."""
        return self.jobs.events(self.id, 0)

    def stop_if_unwanted(self) -> None:
        """Raises Cancelled."""
        if self.unwanted.is_set():
            raise Cancelled("the job was cancelled, or given to another worker")
