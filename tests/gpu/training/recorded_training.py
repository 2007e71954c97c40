"""A training module for tests: it writes down the process that ran it, and ends with an error if it is told to."""

from __future__ import annotations

import os
from pathlib import Path

from sandbox.gpu.job_dir import JobDir


def main(job_dir: JobDir) -> None:
    names = ("CUDA_VISIBLE_DEVICES", "MASTER_PORT")
    environment = {name: os.environ.get(name) for name in names}
    job_dir.write_result({"process": os.getpid(), "directory": str(Path.cwd()), "environment": environment})
    if (job_dir.path / "fail").exists():
        raise RuntimeError("no memory is left")
