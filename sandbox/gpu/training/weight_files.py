"""The directory through which a training passes its weights to the worker's warm server: in memory if they fit."""

from __future__ import annotations

import shutil
from pathlib import Path

from sandbox.gpu.job_dir import JobDir

MEMORY = Path("/dev/shm")
FREE_SHARE = 0.5


def prepare_weights_dir(job_dir: JobDir, size_bytes: int) -> Path:
    """Create and return an empty directory for weights of this size."""
    fits = MEMORY.is_dir() and size_bytes <= FREE_SHARE * shutil.disk_usage(MEMORY).free
    directory = _list_weights_dirs(job_dir)[0 if fits else 1]
    directory.mkdir(exist_ok=True)
    return directory


def remove_weights_dirs(job_dir: JobDir) -> None:
    for directory in _list_weights_dirs(job_dir):
        shutil.rmtree(directory, ignore_errors=True)


def _list_weights_dirs(job_dir: JobDir) -> tuple[Path, Path]:
    return MEMORY / f"sandbox-weights-{job_dir.path.name}", job_dir.path / "weights"
