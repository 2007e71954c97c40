"""Workers only take the jobs for which their interpreter has the packages, and report what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.config import GpuSettings
from sandbox.errors import InfrastructureError
from sandbox.gpu.required_packages import find_missing_by_lane, select_working_lanes
from sandbox.queue.gpu_jobs import LANES, SERVING_LANE, TRAINING_LANE


def build_settings(home: Path, llm_url: str = "") -> GpuSettings:
    return GpuSettings(home=home, gpu_python=sys.executable, llm_module="no_such_engine.server", llm_url=llm_url)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose contents the interpreter can import."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def test_a_lane_says_what_its_jobs_would_miss(packages: Path) -> None:
    (packages / "torch").mkdir()
    assert find_missing_by_lane(build_settings(packages)) == {
        SERVING_LANE: f"{sys.executable} has no no_such_engine",
        TRAINING_LANE: f"{sys.executable} has no trl or verl",
    }


def test_one_of_two_trainers_is_enough_and_a_service_elsewhere_needs_nothing(packages: Path) -> None:
    for name in ("torch", "verl"):
        (packages / name).mkdir()
    assert find_missing_by_lane(build_settings(packages, llm_url="http://127.0.0.1:1/v1")) == {}


def test_what_works_is_kept_and_a_worker_without_work_is_an_error() -> None:
    assert select_working_lanes(LANES, {TRAINING_LANE: "no trl"}) == (SERVING_LANE,)
    with pytest.raises(InfrastructureError, match=r"lanes gpu-train cannot run any job: no trl\. Run pip install"):
        select_working_lanes([TRAINING_LANE], {TRAINING_LANE: "no trl"})


def test_an_interpreter_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match=r"interpreter does not run: .*/nowhere/python"):
        find_missing_by_lane(GpuSettings(home=tmp_path, gpu_python="/nowhere/python"))


def test_the_command_ends_at_once_where_no_job_could_be_done(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "SANDBOX_HOME": str(tmp_path),
        "SANDBOX_GPU_PYTHON": sys.executable,
        "SANDBOX_LLM_MODULE": "no_such_engine.server",
    }
    command = [sys.executable, "-m", "sandbox", "gpu-worker", "--gpus", "0"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "a worker for the lanes gpu, gpu-train cannot run any job" in ended.stderr
    assert "no_such_engine" in ended.stderr
