"""A GPU worker in a separate process, with the real queue and service, and a scripted server in place of a model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.api.app import create_app
from sandbox.client import Client
from sandbox.config import ApiSettings
from sandbox.schema.gpu import GpuJob
from sandbox.service import Service
from tests.api.threaded_server import serve_in_thread
from tests.child_processes import stop_processes
from tests.redis_server import RedisServer
from tests.virtualenvs import ROOT

TIMEOUT_S = 60.0


@dataclass
class GpuHost:
    """A host without GPUs: its folder, its workers, and a client of the service."""

    directory: Path
    client: Client
    environment: dict[str, str]
    workers: list[subprocess.Popen[bytes]]

    def write_script(self, **fields: Any) -> None:
        """Set the answers of the scripted server from its next start on."""
        (self.directory / "script.json").write_text(json.dumps(fields), encoding="utf-8")

    def start_worker(self, **settings: str) -> subprocess.Popen[bytes]:
        """Start a worker, which takes jobs as soon as it is up."""
        with (self.directory / "worker.log").open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "sandbox", "gpu-worker-share", "--share", "0"],
                env={**self.environment, **settings},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.workers.append(worker)
        return worker

    def wait_until_ended(self, job_id: str, patience_s: float = TIMEOUT_S) -> GpuJob:
        job = self.client.wait(job_id, patience_s)
        assert isinstance(job, GpuJob)
        return job

    def wait_until(self, job_id: str, holds: Callable[[GpuJob], object], patience_s: float = TIMEOUT_S) -> GpuJob:
        """Return the job as soon as the condition holds."""
        deadline = time.monotonic() + patience_s
        while True:
            job = self.client.job(job_id)
            assert isinstance(job, GpuJob)
            if holds(job):
                return job
            assert time.monotonic() < deadline, f"{job}\n{self.read_log()}"
            time.sleep(0.05)

    def read_log(self) -> str:
        return (self.directory / "worker.log").read_text(errors="replace")[-4_000:]

    def stop_workers(self) -> None:
        stop_processes(self.workers, 30)


@pytest.fixture(scope="module")
def url(live_service: Service) -> Iterator[str]:
    """The service over HTTP, as needed by a worker's child processes."""
    with serve_in_thread(create_app(ApiSettings(), live_service)) as url:
        yield url


@pytest.fixture
def host(url: str, redis_server: RedisServer, tmp_path: Path) -> Iterator[GpuHost]:
    with run_gpu_host(url, redis_server.build_url(), tmp_path) as host:
        yield host


@contextmanager
def run_gpu_host(url: str, redis_url: str, directory: Path) -> Iterator[GpuHost]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SANDBOX_HOME": str(directory),
        "SANDBOX_REDIS_URL": redis_url,
        "SANDBOX_URL": url,
        "SANDBOX_GPUS": "",
        "SANDBOX_GPU_FOLDER": str(directory / "pool"),
        "SANDBOX_GPU_LEASE_S": "2",
        "SANDBOX_LLM_MODULE": "tests.gpu.scripted_server",
        "SANDBOX_LLM_OPTIONS": f"--script {directory / 'script.json'}",
        "SANDBOX_LLM_START_PATIENCE_S": "40",
    }
    with Client(url) as client:
        host = GpuHost(directory, client, environment, [])
        try:
            yield host
        finally:
            host.stop_workers()
