"""A training starts in the process that has finished its imports, with its own environment, directory and log."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.gpu.child_environment import build_environment
from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.subprocesses import SubprocessStarter
from sandbox.gpu.training.spare_trainer import LOG_NAME, SpareTrainer
from tests.virtualenvs import ROOT

MODULE = "tests.gpu.training.recorded_training"


@pytest.fixture
def starter(monkeypatch: pytest.MonkeyPatch) -> Iterator[SubprocessStarter]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    starter = SubprocessStarter()
    yield starter
    starter.close()


def _make_spare(starter: SubprocessStarter, folder: Path, modules: list[str], python: str = "") -> SpareTrainer:
    return SpareTrainer(python or sys.executable, modules, [0], starter, folder / "pool")


def _make_job(folder: Path, name: str) -> JobDir:
    job = JobDir(folder / name)
    job.path.mkdir()
    return job


def test_a_training_runs_in_the_spare_process_and_the_next_one_in_its_successor(
    starter: SubprocessStarter, tmp_path: Path
) -> None:
    spare = _make_spare(starter, tmp_path, [MODULE])
    assert spare.take(MODULE, [0], {}, _make_job(tmp_path, "too early")) is None
    spare.prepare()
    results = []
    for name, port in (("first", "1111"), ("second", "2222")):
        job = _make_job(tmp_path, name)
        process = spare.take(MODULE, [0], {"MASTER_PORT": port}, job)
        assert process is not None
        assert process.wait(30) == 0, (tmp_path / "pool" / LOG_NAME).read_text()
        result = job.read_result()
        assert result is not None
        assert result["process"] == process.pid
        assert result["environment"] == {"CUDA_VISIBLE_DEVICES": "0", "MASTER_PORT": port}
        assert result["directory"] == str(job.path)
        results.append(result)
    assert results[0]["process"] != results[1]["process"]
    spare.stop()
    assert not list((tmp_path / "pool").glob("spare-*.json"))


def test_the_order_does_not_repeat_the_environment_of_the_worker(
    starter: SubprocessStarter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDBOX_LLM_KEY", "secret")
    spare = _make_spare(starter, tmp_path, [MODULE])
    spare.prepare()
    assert spare._spare.process is not None
    spare._spare.process.send_signal(signal.SIGSTOP)
    environment = {**build_environment([0]), "MASTER_PORT": "1111"}
    process = spare.take(MODULE, [0], environment, _make_job(tmp_path, "job"))
    assert process is not None
    [order] = (tmp_path / "pool").glob("spare-*.json")
    assert json.loads(order.read_bytes())["environment"] == {"MASTER_PORT": "1111"}
    process.send_signal(signal.SIGCONT)
    assert process.wait(30) == 0
    spare.stop()


def test_an_error_of_the_training_is_in_its_log(starter: SubprocessStarter, tmp_path: Path) -> None:
    spare = _make_spare(starter, tmp_path, [MODULE])
    spare.prepare()
    job = _make_job(tmp_path, "job")
    (job.path / "fail").touch()
    process = spare.take(MODULE, [0], {}, job)
    assert process is not None
    assert process.wait(30) == 1
    assert "RuntimeError: no memory is left" in job.log.read_text(encoding="utf-8")
    spare.stop()


def test_other_gpus_a_dead_process_and_a_worker_without_training_have_no_spare(
    starter: SubprocessStarter, tmp_path: Path
) -> None:
    spare = _make_spare(starter, tmp_path, ["no_such_module"])
    spare.prepare()
    job = _make_job(tmp_path, "job")
    assert spare.take(MODULE, [0, 1], {}, job) is None
    assert spare._spare.process is not None
    spare._spare.process.wait(30)
    assert spare.take(MODULE, [0], {}, job) is None
    assert "no_such_module" in (tmp_path / "pool" / LOG_NAME).read_text(encoding="utf-8")
    none = SpareTrainer("", [MODULE], [0], starter, tmp_path / "pool")
    none.prepare()
    assert none.take(MODULE, [0], {}, job) is None
    none.stop()
