"""The process that runs verl: its progress, its results, and that verl never outlives it."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.training import train_verl
from sandbox.gpu.training.train_verl import (
    HIDE_TRL_OVERRIDES,
    NO_FLASH_ATTENTION_OVERRIDES,
    MetricsFollower,
    adopt_checkpoint_model,
    build_progress,
    read_latest_step,
    select_unset,
)
from sandbox.gpu.training.verl_config import METRICS_FILE, OVERRIDES_FILE
from tests import virtualenvs

# Lines from verl 0.9.1, with the names that are read and one that is not.
BEFORE = {"step": 0, "data": {"val-core/sandbox/acc/mean@1": 0.25, "val-aux/sandbox/reward/mean@1": 1.0}}
FIRST = {
    "step": 1,
    "data": {
        "actor/pg_loss": -0.012,
        "critic/score/mean": 0.41,
        "perf/throughput": 812.5,
        "perf/time_per_step": 2.5,
        "timing_s/step": 2.5,
        "timing_s/gen": 2.0,
        "actor/grad_norm": None,
    },
}
LAST = {"step": 2, "data": {**FIRST["data"], "val-core/sandbox/acc/mean@1": 0.75}}  # type: ignore[dict-item]
# A replacement for verl: it reports steps, writes a checkpoint, and keeps running on request.
FAKE_VERL_SCRIPT = f"""
import json, os, sys, time
from pathlib import Path

folder = Path.cwd()
(folder / "pid").write_text(str(os.getpid()))
made = folder / "checkpoints" / "global_step_2" / "actor" / "huggingface"
made.mkdir(parents=True)
(made / "model.safetensors").touch()
(folder / "checkpoints" / "latest_checkpointed_iteration.txt").write_text("2")
(folder / "{METRICS_FILE}").write_text("".join(json.dumps(line) + "\\n" for line in {[BEFORE, FIRST, LAST]!r}))
time.sleep(60 if "stay" in sys.argv else 0)
"""
USE_FAKE_VERL = """
import sys
from pathlib import Path
from sandbox.gpu.training import train_verl
train_verl.VERL_MODULE = 'stand_in'
"""


@pytest.fixture
def job_dir(tmp_path: Path) -> JobDir:
    job_dir = JobDir(tmp_path / "job")
    request = {"model": "m", "backend": "verl", "steps": 2, "tasks": [{"prompt": "p", "tests": [{"expected": "1"}]}]}
    job_dir.write_order({"request": request, "model": "m", "url": ""})
    (job_dir.path / OVERRIDES_FILE).write_text("[]")
    (job_dir.path / "stand_in.py").write_text(FAKE_VERL_SCRIPT)
    return job_dir


def start_training(job_dir: JobDir, *overrides: str) -> subprocess.Popen[bytes]:
    (job_dir.path / OVERRIDES_FILE).write_text(json.dumps(overrides))
    script = USE_FAKE_VERL + "sys.exit(train_verl.main(train_verl.JobDir(Path.cwd())))"
    return subprocess.Popen([sys.executable, "-c", script], cwd=job_dir.path, env=virtualenvs.build_environment())


def wait_until_gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_a_step_in_verls_metrics_is_progress() -> None:
    progress = build_progress(1, FIRST["data"], 7)  # type: ignore[arg-type]
    assert (progress.step, progress.total, progress.loss, progress.reward) == (1, 7, -0.012, 0.41)
    assert (progress.tokens_per_s, progress.eta_s, progress.pass_rate) == (812.5, 15.0, None)


def test_metrics_are_told_once_and_in_whole_lines(job_dir: JobDir) -> None:
    path = job_dir.path / METRICS_FILE
    path.write_text("what an earlier try left")
    metrics = MetricsFollower(job_dir, 2)
    assert not path.exists()
    metrics.report_new()
    first, last = (json.dumps(line) + "\n" for line in (BEFORE, FIRST))
    path.write_text(first + last[:20])
    metrics.report_new()
    with path.open("a") as file:
        file.write(last[20:])
    metrics.report_new()
    lines, _ = job_dir.read_progress(0)
    assert [(line["step"], line.get("pass_rate"), line["message"]) for line in lines] == [
        (0, 0.25, "held out"),
        (1, None, ""),
    ]
    assert lines[1]["more"] == {"step_s": 2.5, "generate_s": 2.0}


def test_a_job_ends_with_a_model_and_what_was_held_out(job_dir: JobDir) -> None:
    assert start_training(job_dir).wait(60) == 0
    result: dict[str, Any] = job_dir.read_result() or {}
    assert (result["held_out_before"], result["held_out_after"]) == (0.25, 0.75)
    assert (result["steps"], result["resumed_from"], result["model"]) == (2, 0, "job:job")
    assert (job_dir.model / "model.safetensors").exists()


def test_a_model_that_is_not_on_this_disk_is_not_promised(job_dir: JobDir) -> None:
    assert read_latest_step(job_dir) == 0
    assert not adopt_checkpoint_model(job_dir)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_verl_ends_with_the_process_that_runs_it(job_dir: JobDir, how: signal.Signals) -> None:
    process = start_training(job_dir, "stay")
    while not (job_dir.path / "progress.jsonl").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(how)
    assert process.wait(10) != 0
    assert wait_until_gone(int((job_dir.path / "pid").read_text()))
    assert job_dir.read_result() is None


def test_without_flash_attention_verl_is_told_of_another_one() -> None:
    assert select_unset([], NO_FLASH_ATTENTION_OVERRIDES) == [
        "+actor_rollout_ref.model.override_config.attn_implementation=sdpa",
        "actor_rollout_ref.model.use_remove_padding=False",
    ]
    chosen = ["++actor_rollout_ref.model.override_config.attn_implementation=eager"]
    assert select_unset(chosen, NO_FLASH_ATTENTION_OVERRIDES) == ["actor_rollout_ref.model.use_remove_padding=False"]
    assert train_verl.VERL_MODULE == "verl.trainer.main_ppo"


def test_verl_finds_no_trl_of_a_version_that_it_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    utilities = ModuleType("verl.utils.import_utils")
    for name, module in {"verl": ModuleType("verl"), "verl.utils": ModuleType("verl.utils")}.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, utilities.__name__, utilities)
    (module_name,) = HIDE_TRL_OVERRIDES.values()
    monkeypatch.delitem(sys.modules, module_name, raising=False)
    importlib.import_module(module_name)
    assert utilities.is_trl_available() is False
