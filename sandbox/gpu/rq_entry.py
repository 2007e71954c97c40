"""The function that RQ imports by name to run a GPU job."""

from __future__ import annotations

from typing import Protocol


class GpuJobRunner(Protocol):
    def run_gpu_job(self, job_id: str) -> None: ...


class _CurrentWorker:
    """The worker of this process, set once at its start."""

    runner: GpuJobRunner | None = None


current_worker = _CurrentWorker()


def run_job(job_id: str) -> None:
    """Run a GPU job."""
    if current_worker.runner is None:
        raise RuntimeError("GPU jobs run in a GPU worker (`sandbox gpu-worker`), not in a plain RQ worker")
    current_worker.runner.run_gpu_job(job_id)
