"""The configuration for verl: X-Coder's published settings, the service's reward, the job's fields, readable data."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sandbox.config import GpuSettings
from sandbox.errors import BadRequest
from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.training.toy_tasks import generate_tasks
from sandbox.gpu.training.verl_config import OVERRIDES_FILE, format_hydra_value, prepare_verl_command
from sandbox.schema.gpu import GrpoRequest
from tests import virtualenvs
from tests.conftest import require_python

REWARD_FUNCTION_KEY = "reward.custom_reward_function"
# The settings of the page on a 7B model.
LARGE_MODEL_SETTINGS = {
    "data.max_prompt_length": 2500,
    "actor_rollout_ref.actor.ppo_mini_batch_size": 128,
    "actor_rollout_ref.rollout.max_model_len": 32768,
    "actor_rollout_ref.rollout.max_num_batched_tokens": 65536,
    "actor_rollout_ref.rollout.gpu_memory_utilization": 0.85,
}
# Strings with a special meaning in Hydra's or OmegaConf's grammar.
SPECIAL_STRINGS = [
    'a"b',
    "\\d+\\.",
    "end\\",
    'a\\"b',
    "${oc.env:HOME}",
    "\\${x}",
    "{a:b}",
    "[1,2]",
    "a=b,c",
    "",
    "two\nlines",
]

COMPOSE_SCRIPT = """
import importlib.util, json, sys
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

(root,) = importlib.util.find_spec("verl").submodule_search_locations
with initialize_config_dir(f"{root}/trainer/config", version_base=None):
    config = compose("ppo_trainer", overrides=json.loads(sys.argv[1]))
print(json.dumps([OmegaConf.to_container(OmegaConf.select(config, name), resolve=True) for name in sys.argv[2:]]))
"""


def prepare_job(path: Path, **fields: Any) -> JobDir:
    job_dir = JobDir(path / "job")
    given: dict[str, Any] = {
        "tasks": [task.to_rl_task() for task in generate_tasks(3, 0)],
        "prompts_per_step": 4,
        **fields,
    }
    request = GrpoRequest.model_validate({"model": "m", "backend": "verl", "steps": 7, "seed": 1, **given})
    order = {"request": request.model_dump(mode="json", exclude_unset=True), "model": "m", "url": "http://api"}
    job_dir.write_order({**order, "dataset": str(path / str(request.dataset))})
    prepare_verl_command(job_dir, request, GpuSettings(home=path, ray_address="auto"), 2)
    return job_dir


def read_overrides(job_dir: JobDir) -> list[str]:
    lines: list[str] = json.loads((job_dir.path / OVERRIDES_FILE).read_text())
    return lines


def read_override_values(job_dir: JobDir) -> dict[str, str]:
    return dict(line.split("=", 1) for line in read_overrides(job_dir))


def read_rows(job_dir: JobDir, name: str = "train.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (job_dir.path / name).read_text().splitlines()]


def test_the_overrides_are_x_coders_with_the_jobs_own_over_them(tmp_path: Path) -> None:
    values = read_override_values(prepare_job(tmp_path))
    assert values["algorithm.adv_estimator"] == '"grpo"'
    assert values["actor_rollout_ref.actor.clip_ratio_high"] == "0.28"
    assert values["actor_rollout_ref.actor.optim.lr"] == "4e-07"
    assert (values["actor_rollout_ref.rollout.n"], values["actor_rollout_ref.rollout.temperature"]) == ("8", "1.0")
    assert values["actor_rollout_ref.actor.use_kl_loss"] == "false"
    assert values[f"{REWARD_FUNCTION_KEY}.path"] == '"pkg://sandbox.trainers.verl_reward"'
    assert (values["trainer.total_training_steps"], values["trainer.n_gpus_per_node"]) == ("7", "2")
    assert values["+ray_kwargs.ray_init.address"] == '"auto"'


def test_how_to_judge_goes_with_it_whole(tmp_path: Path) -> None:
    limits, checker = {"cpu_time_s": 0.5, "memory_mb": 64}, {"type": "regex", "search": True}
    judged = {"language": "cpp", "limits": limits, "checker": checker, "policy": {"name": "first-k", "k": 2}}
    values = read_override_values(prepare_job(tmp_path, **judged))
    given = f"+{REWARD_FUNCTION_KEY}.reward_kwargs."
    assert values[given + "language"] == '"cpp"'
    assert values[given + "limits"] == "{cpu_time_s:0.5,memory_mb:64}"
    assert values[given + "checker"].startswith('{type:"regex"')
    assert values[given + "policy"].startswith('{name:"first-k",k:2')


def test_the_data_has_the_columns_that_verl_reads(tmp_path: Path) -> None:
    row = read_rows(prepare_job(tmp_path))[0]
    assert row["prompt"][0]["role"] == "user"
    assert json.loads(row["reward_model"]["ground_truth"])[0]["expected"]


def test_there_are_tasks_enough_for_a_step(tmp_path: Path) -> None:
    """verl drops an incomplete step, and divides by the number of steps in an epoch."""
    assert len(read_rows(prepare_job(tmp_path, prompts_per_step=4))) == 6
    assert len(read_rows(prepare_job(tmp_path, prompts_per_step=2))) == 3


def test_held_out_tasks_are_measured_before_and_after_and_nothing_else_is(tmp_path: Path) -> None:
    values = read_override_values(prepare_job(tmp_path))
    assert (values["trainer.val_before_train"], values["trainer.test_freq"]) == ("false", "-1")
    job_dir = prepare_job(tmp_path, held_out=[task.to_rl_task() for task in generate_tasks(2, 9)])
    values = read_override_values(job_dir)
    assert (values["trainer.val_before_train"], values["trainer.test_freq"]) == ("true", "7")
    assert len(read_rows(job_dir, "held_out.jsonl")) == 2


def test_what_a_micro_batch_may_hold_grows_with_the_completions(tmp_path: Path) -> None:
    longest = "actor_rollout_ref.actor.ppo_max_token_len_per_gpu"
    assert read_override_values(prepare_job(tmp_path))[longest] == "16384"
    assert read_override_values(prepare_job(tmp_path, max_tokens=32_768))[longest] == str(32_768 + 2_048)
    assert read_override_values(prepare_job(tmp_path, settings={longest: 50_000}))[longest] == "50000"


def test_a_job_that_names_no_cluster_has_one_of_its_own(tmp_path: Path) -> None:
    job_dir = prepare_job(tmp_path)
    request = GrpoRequest.model_validate(job_dir.read_order()["request"])
    prepare_verl_command(job_dir, request, GpuSettings(home=tmp_path), 1)
    assert read_override_values(job_dir)["+ray_kwargs.ray_init.address"] == '"local"'


@pytest.mark.parametrize("lines", ["", '{"prompt": "no tests"}\n', "no JSON\n"])
def test_a_data_set_without_tasks_is_refused(tmp_path: Path, lines: str) -> None:
    (tmp_path / "tasks.jsonl").write_text(lines)
    with pytest.raises(BadRequest, match=r"tasks\.jsonl"):
        prepare_job(tmp_path, tasks=None, dataset="tasks.jsonl")


@pytest.mark.frameworks
def test_verls_own_configuration_takes_every_override_as_it_was_meant(tmp_path: Path) -> None:
    """Let Hydra compose it: an unknown name without a plus is an error, and so is a known name with one."""
    python = require_python(virtualenvs.VERL)
    code = "import sys\nprint(\"${x}\", '\\d')\nsys.exit(0)\\"
    checker = {"type": "program", "language": "python", "code": code}
    job_dir = prepare_job(tmp_path, checker=checker, settings={"trainer.nnodes": 2, **LARGE_MODEL_SETTINGS})
    lines = [
        *read_overrides(job_dir),
        f"+strange={format_hydra_value(dict(enumerate(SPECIAL_STRINGS)))}",
        f"+list={format_hydra_value([SPECIAL_STRINGS, None, 0.5])}",
    ]
    command = [str(python), "-c", COMPOSE_SCRIPT, json.dumps(lines), REWARD_FUNCTION_KEY, "trainer", "strange", "list"]
    ended = subprocess.run(command, env=virtualenvs.build_environment(), capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr[-2000:]
    reward, trainer, strange, listed = json.loads(ended.stdout.splitlines()[-1])
    assert (reward["path"], reward["name"]) == ("pkg://sandbox.trainers.verl_reward", "compute_score")
    assert reward["reward_kwargs"]["checker"]["code"] == code
    assert reward["reward_kwargs"]["policy"]["name"] == "fraction"
    assert (trainer["nnodes"], trainer["logger"]) == (2, ["console", "file"])
    assert list(strange.values()) == SPECIAL_STRINGS
    assert listed == [SPECIAL_STRINGS, None, 0.5]
