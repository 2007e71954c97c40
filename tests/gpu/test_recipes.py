"""What is handed over to verl: X-Coder's published settings, our reward, the job's own fields, and data it can read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.config import GpuSettings
from sandbox.gpu.families import make
from sandbox.gpu.folder import JobFolder
from sandbox.gpu.recipes import verl_command
from sandbox.gpu.train_verl import progress_of
from sandbox.schema.gpu import GrpoRequest
from tests import environments
from tests.conftest import unavailable


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    folder = JobFolder(tmp_path / "job")
    tasks = [task.rl_task() for task in make(3, 0)]
    request = GrpoRequest(model="m", tasks=tasks, backend="verl", steps=7, prompts_per_step=4, seed=1)
    folder.write_order(
        {"request": request.model_dump(mode="json", exclude_unset=True), "model": "m", "url": "http://api"}
    )
    verl_command(folder, request, GpuSettings(home=tmp_path, ray_address="auto"), 2)
    return folder


def test_the_overrides_are_x_coders_with_the_jobs_own_over_them(folder: JobFolder) -> None:
    told = dict(line.split("=", 1) for line in (folder.path / "overrides.txt").read_text().splitlines())
    assert told["algorithm.adv_estimator"] == "grpo"
    assert told["actor_rollout_ref.actor.clip_ratio_high"] == "0.28"
    assert told["actor_rollout_ref.actor.optim.lr"] == "4e-07"
    assert (told["actor_rollout_ref.rollout.n"], told["actor_rollout_ref.rollout.temperature"]) == ("8", "1.0")
    assert told["actor_rollout_ref.actor.use_kl_loss"] == "False"
    assert told["custom_reward_function.path"] == "pkg://sandbox.rewards.verl_reward"
    assert (told["trainer.total_training_steps"], told["trainer.n_gpus_per_node"]) == ("7", "2")
    assert told["+ray_kwargs.ray_init.address"] == "auto"


def test_how_to_judge_goes_with_it(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / "judged")
    limits, checker = {"cpu_time_s": 0.5, "memory_mb": 64}, {"type": "regex", "search": True}
    tasks = [task.rl_task() for task in make(1, 0)]
    request = GrpoRequest.model_validate(
        {"model": "m", "tasks": tasks, "backend": "verl", "language": "cpp", "limits": limits, "checker": checker}
    )
    folder.write_order({"request": {}, "model": "m", "url": "http://127.0.0.1:8080"})
    verl_command(folder, request, GpuSettings(home=tmp_path), 1)
    told = dict(line.split("=", 1) for line in (folder.path / "overrides.txt").read_text().splitlines())
    given = "+custom_reward_function.reward_kwargs."
    assert told[given + "language"] == '"cpp"'
    assert told[given + "limits"] == "{cpu_time_s:0.5,memory_mb:64}"
    assert told[given + "checker"].startswith('{type:"regex"')


def test_the_data_has_the_columns_that_verl_reads(folder: JobFolder) -> None:
    rows = [json.loads(line) for line in (folder.path / "train.jsonl").read_text().splitlines()]
    assert len(rows) == 3
    assert rows[0]["prompt"][0]["role"] == "user"
    assert json.loads(rows[0]["reward_model"]["ground_truth"])[0]["expected"]


def test_a_step_in_verls_log_is_progress_and_other_lines_are_not() -> None:
    line = "step:3 - actor/pg_loss:-0.012 - critic/score/mean:np.float64(0.41) - perf/throughput:812.5"
    progress = progress_of(line, 7)
    assert progress is not None
    assert (progress.step, progress.total, progress.loss, progress.reward) == (3, 7, -0.012, 0.41)
    assert progress_of("Training Progress: 3/7", 7) is None


@pytest.mark.frameworks
def test_verl_knows_every_name_in_the_overrides(folder: JobFolder) -> None:
    """Against verl's own configuration as it ships it: a name with a plus is new there, any other is not."""
    try:
        environments.interpreter(environments.VERL)
    except environments.CannotInstall as error:
        unavailable(str(error))
    shipped = next(environments.VERL.folder.glob("lib/*/site-packages/verl/trainer/config/_generated_ppo_trainer.yaml"))
    config = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    names = [line.partition("=")[0] for line in (folder.path / "overrides.txt").read_text().splitlines()]
    assert [name for name in names if _is_in(config, name.removeprefix("+")) is name.startswith("+")] == []


def _is_in(config: Any, name: str) -> bool:
    for part in name.split("."):
        if not isinstance(config, dict) or part not in config:
            return False
        config = config[part]
    return True
