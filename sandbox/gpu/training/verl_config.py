"""verl's configuration for a GRPO job, so that it runs on as many hosts as a Ray cluster has.

The values are X-Coder's as published (arXiv 2601.06953): GRPO, 8 rollouts a prompt at T = 1.0, clip-high 0.28, learning
rate 4e-7, no KL; before it, SFT at 5e-5 with a cosine schedule over 8 epochs. A job's own fields stand in their place,
and its `settings` are more of Hydra's overrides, which win. The names are those of verl 0.9.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from sandbox.config import GpuSettings
from sandbox.errors import BadRequest
from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.training.messages import to_messages
from sandbox.gpu.training.reward_options import build_reward_options
from sandbox.schema.gpu import GrpoRequest, RlTask

X_CODER_SFT = {"learning_rate": 5e-5, "epochs": 8}  # fields of POST /train/sft, which has a cosine schedule
X_CODER_RL: dict[str, Any] = {
    "algorithm.adv_estimator": "grpo",
    "algorithm.use_kl_in_reward": False,
    "actor_rollout_ref.actor.use_kl_loss": False,
    "actor_rollout_ref.actor.clip_ratio_low": 0.2,
    "actor_rollout_ref.actor.clip_ratio_high": 0.28,
    "actor_rollout_ref.actor.optim.lr": 4e-7,
    "actor_rollout_ref.actor.use_dynamic_bsz": True,  # by tokens, so that no micro batch size need be guessed
    "actor_rollout_ref.rollout.log_prob_use_dynamic_bsz": True,
    "actor_rollout_ref.rollout.name": "vllm",
    "actor_rollout_ref.rollout.tensor_model_parallel_size": 1,
    "actor_rollout_ref.rollout.n": 8,
    "actor_rollout_ref.rollout.temperature": 1.0,
}
# Not `custom_reward_function` at the top, which verl 0.9 still has in its configuration and no longer reads.
REWARD_FUNCTION_KEY = "reward.custom_reward_function"
CHECKPOINT_STATE = ["model", "optimizer", "extra"]
CHECKPOINT_OVERRIDES: dict[str, Any] = {
    "actor_rollout_ref.actor.checkpoint.save_contents": [*CHECKPOINT_STATE, "hf_model"],  # what `job:<id>` stands for
    "actor_rollout_ref.actor.checkpoint.load_contents": CHECKPOINT_STATE,
    "trainer.max_actor_ckpt_to_keep": 2,
    "trainer.resume_mode": "auto",
    "trainer.logger": ["console", "file"],
}
MAX_PROMPT_TOKENS = 2_048  # longer prompts are left out, which the log tells; verl's own 512 would be too few
MICRO_BATCH_TOKENS = 16_384  # verl's own, of a micro batch
DATA_SOURCE = "sandbox"
OVERRIDES_FILE, METRICS_FILE = "overrides.json", "metrics.jsonl"


def prepare_verl_command(job_dir: JobDir, request: GrpoRequest, settings: GpuSettings, gpus: int) -> list[str]:
    """Write the data as verl reads it, and the command that trains on it; the overrides are kept beside them."""
    order = job_dir.read_order()
    tasks = request.tasks or load_tasks(Path(order["dataset"]))
    train, held_out = job_dir.path / "train.jsonl", job_dir.path / "held_out.jsonl"
    # An epoch of less than a step has no step at all.
    write_rows(train, tasks * -(-request.prompts_per_step // len(tasks)))
    write_rows(held_out, request.held_out or tasks[:1])
    values = {
        **X_CODER_RL,
        **CHECKPOINT_OVERRIDES,
        **_build_reward_overrides(request, settings.url),
        **_build_request_overrides(request),
        "data.train_files": str(train),
        "data.val_files": str(held_out),
        "actor_rollout_ref.model.path": order["model"],
        "trainer.default_local_dir": str(job_dir.checkpoints),
        "trainer.n_gpus_per_node": max(1, gpus),
        **_build_ray_overrides(job_dir, settings.ray_address),
        **request.settings,
    }
    longest = int(values["data.max_prompt_length"]) + int(values["data.max_response_length"])
    values.setdefault("actor_rollout_ref.actor.ppo_max_token_len_per_gpu", max(MICRO_BATCH_TOKENS, longest))
    lines = [f"{name}={format_hydra_value(value)}" for name, value in values.items()]
    (job_dir.path / OVERRIDES_FILE).write_text(json.dumps(lines, indent=1), encoding="utf-8")
    return [settings.gpu_python or sys.executable, "-m", "sandbox.gpu.training.train_verl", str(job_dir.path)]


def load_tasks(dataset: Path) -> list[RlTask]:
    """Raises BadRequest for lines that are no tasks, and where there are none."""
    try:
        with dataset.open(encoding="utf-8") as file:
            tasks = [RlTask.model_validate_json(line) for line in file if line.strip()]
    except ValueError as error:
        raise BadRequest(f"{dataset.name} has lines that are no tasks: {error}", "dataset") from None
    if not tasks:
        raise BadRequest(f"{dataset.name} has no tasks", "dataset")
    return tasks


def _build_reward_overrides(request: GrpoRequest, url: str) -> dict[str, Any]:
    options = {"url": url, **build_reward_options(request)}
    return {
        f"{REWARD_FUNCTION_KEY}.path": "pkg://sandbox.rewards.verl_reward",
        f"{REWARD_FUNCTION_KEY}.name": "compute_score",
        **{f"+{REWARD_FUNCTION_KEY}.reward_kwargs.{name}": value for name, value in options.items() if value != {}},
    }


def _build_request_overrides(request: GrpoRequest) -> dict[str, Any]:
    return {
        "actor_rollout_ref.actor.optim.lr": request.learning_rate,
        "actor_rollout_ref.actor.clip_ratio_high": request.epsilon_high,
        "actor_rollout_ref.actor.use_kl_loss": request.beta > 0,
        "actor_rollout_ref.actor.kl_loss_coef": request.beta,
        "actor_rollout_ref.actor.ppo_mini_batch_size": request.prompts_per_step,
        "actor_rollout_ref.rollout.n": request.num_generations,
        "actor_rollout_ref.rollout.temperature": request.temperature,
        "actor_rollout_ref.rollout.seed": request.seed,
        "data.seed": request.seed,
        "data.train_batch_size": request.prompts_per_step,
        "data.max_prompt_length": MAX_PROMPT_TOKENS,
        "data.filter_overlong_prompts": True,
        "data.max_response_length": request.max_tokens,
        "trainer.total_training_steps": request.steps,
        "trainer.total_epochs": request.steps,  # verl stops at whichever comes first; an epoch has a step at least
        "trainer.save_freq": request.save_steps,
        "trainer.val_before_train": bool(request.held_out),
        "trainer.test_freq": request.steps if request.held_out else -1,
    }


def _build_ray_overrides(job_dir: JobDir, address: str) -> dict[str, Any]:
    """A cluster of the job's own where none is named: without a word Ray would join whatever runs on the host."""
    ray = "+ray_kwargs.ray_init"
    address_overrides = (
        {f"{ray}.address": address} if address else {f"{ray}.address": "local", f"{ray}.include_dashboard": False}
    )
    return {**address_overrides, f"{ray}.runtime_env.env_vars.VERL_FILE_LOGGER_PATH": str(job_dir.path / METRICS_FILE)}


def format_hydra_value(value: Any) -> str:
    """A value in the grammar of Hydra's overrides, whose names have no quotes."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{format_hydra_value(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(format_hydra_value, value)) + "]"
    return _quote(value) if isinstance(value, str) else json.dumps(value)


def _quote(text: str) -> str:
    """A backslash stands for itself, but before a quote, the end, or what would else be an interpolation."""
    text = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    return '"' + re.sub(r'(\\*)("|\Z)', lambda found: found[1] * 2 + (found[2] and '\\"'), text) + '"'


def write_rows(path: Path, tasks: list[RlTask]) -> None:
    """verl's columns: the prompt as a chat, and the tests as the ground truth."""
    with path.open("w", encoding="utf-8") as file:
        for index, task in enumerate(tasks):
            row = {
                "data_source": DATA_SOURCE,
                "prompt": to_messages(task.prompt),
                "reward_model": {
                    "style": "rule",
                    "ground_truth": json.dumps(
                        [test.model_dump(mode="json", exclude_unset=True) for test in task.tests]
                    ),
                },
                "extra_info": {"index": index, "name": task.name},
            }
            file.write(json.dumps(row) + "\n")
