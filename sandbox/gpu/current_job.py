"""The running job as seen by the code that executes it: its request, its directory, and methods to report progress."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.config import GpuSettings
from sandbox.errors import Cancelled
from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.observer import NULL_GPU_OBSERVER, GpuObserver
from sandbox.queue.gpu_claims import GpuClaims
from sandbox.schema.gpu import Progress


@dataclass(frozen=True, slots=True)
class CurrentJob:
    """The job that a worker runs. `stop_requested` is set once it is cancelled or given to another worker."""

    id: str
    worker: str
    gpus: Sequence[int]
    settings: GpuSettings
    claims: GpuClaims
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
        self.claims.report(self.id, self.worker, progress)

    def report_stage(self, stage: str) -> None:
        """Report what the job waits for. Raises Cancelled if this worker should stop the job."""
        self.raise_if_stopped()
        self.report_progress(Progress(message=stage))

    def publish_events(self, event: str, data: Sequence[bytes]) -> None:
        self.claims.append_events(self.id, self.worker, event, data)

    def read_events(self) -> list[bytes]:
        """Return all events of this job, including those of earlier workers."""
        return self.claims.read_events(self.id)

    def raise_if_stopped(self) -> None:
        """Raise Cancelled if this worker should stop the job."""
        if self.stop_requested.is_set():
            raise Cancelled("the job was cancelled, or given to another worker")
