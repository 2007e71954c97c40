"""One job as those who do it see it: its request, its folder, and the ways to tell how it goes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.config import GpuSettings
from sandbox.errors import Cancelled
from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.observer import NULL_GPU_OBSERVER, GpuObserver
from sandbox.queue.gpu_jobs import GpuJobs
from sandbox.schema.gpu import Progress


@dataclass(frozen=True, slots=True)
class CurrentJob:
    """`unwanted` is set when the job was cancelled, or given to another worker."""

    id: str
    worker: str
    gpus: Sequence[int]
    settings: GpuSettings
    jobs: GpuJobs
    stop_requested: threading.Event
    kind: str = ""
    observer: GpuObserver = NULL_GPU_OBSERVER

    @property
    def directory(self) -> JobDir:
        return JobDir(self.root / "jobs" / self.id)

    @property
    def root(self) -> Path:
        return self.settings.effective_gpu_folder

    def report_progress(self, progress: Progress) -> None:
        self.observer.record_progress(self.kind, progress)
        self.jobs.report(self.id, self.worker, progress)

    def publish_events(self, event: str, data: Sequence[bytes]) -> None:
        self.jobs.append_events(self.id, self.worker, event, data)

    def read_events(self) -> list[bytes]:
        """All that was told of this job, by whichever worker."""
        return self.jobs.read_events(self.id, 0)

    def raise_if_stopped(self) -> None:
        """Raises Cancelled."""
        if self.stop_requested.is_set():
            raise Cancelled("the job was cancelled, or given to another worker")
