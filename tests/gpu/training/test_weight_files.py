"""Weights on their way to the server are in memory if they fit, and nothing stays behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.training import weight_files
from sandbox.gpu.training.weight_files import prepare_weights_dir, remove_weights_dirs


def test_weights_that_do_not_fit_into_memory_go_to_the_job_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, job = tmp_path / "shm", JobDir(tmp_path / "job-1")
    memory.mkdir()
    job.path.mkdir()
    monkeypatch.setattr(weight_files, "MEMORY", memory)
    free = shutil.disk_usage(memory).free
    small, large = prepare_weights_dir(job, 1_000), prepare_weights_dir(job, free)
    assert (small, large) == (memory / "sandbox-weights-job-1", job.path / "weights")
    assert prepare_weights_dir(job, 1_000) == small, "every step writes to the same place"
    (small / "model.safetensors").write_bytes(b"weights")
    remove_weights_dirs(job)
    assert not list(memory.iterdir())
    assert not large.exists()
    monkeypatch.setattr(weight_files, "MEMORY", tmp_path / "none")
    assert prepare_weights_dir(job, 1_000) == large
