"""Build verl's configuration for a GRPO job, so that it can run on all hosts of a Ray cluster.

The defaults are the published values of X-Coder (arXiv 2601.06953): GRPO, 8 rollouts per prompt at T = 1.0, clip-high
0.28, learning rate 4e-7, no KL; before it, SFT at 5e-5 with a cosine schedule over 8 epochs. A job's own fields replace
them, and its `settings` are additional Hydra overrides, which take precedence. Names are those of verl 0.9.
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

X_CODER_SFT = {"learning_rate": 5e-5, "epochs": 8}  # fields of POST /train/sft, which uses a cosine schedule
X_CODER_RL: dict[str, Any] = {
    "algorithm.adv_estimator": "grpo",
    "algorithm.use_kl_in_reward": False,
    "actor_rollout_ref.actor.use_kl_loss": False,
    "actor_rollout_ref.actor.clip_ratio_low": 0.2,
    "actor_rollout_ref.actor.clip_ratio_high": 0.28,
    "actor_rollout_ref.actor.optim.lr": 4e-7,
    "actor_rollout_ref.actor.use_dynamic_bsz": True,  # by tokens, so that there is no micro batch size to guess
    "actor_rollout_ref.rollout.log_prob_use_dynamic_bsz": True,
    "actor_rollout_ref.rollout.name": "vllm",
    "actor_rollout_ref.rollout.tensor_model_parallel_size": 1,
    "actor_rollout_ref.rollout.n": 8,
    "actor_rollout_ref.rollout.temperature": 1.0,
}
# Not the top-level `custom_reward_function`, which verl 0.9 still has in its configuration but no longer reads.
REWARD_FUNCTION_KEY = "reward.custom_reward_function"
CHECKPOINT_STATE = ["model", "optimizer", "extra"]
CHECKPOINT_OVERRIDES: dict[str, Any] = {
    "actor_rollout_ref.actor.checkpoint.save_contents": [*CHECKPOINT_STATE, "hf_model"],  # the model behind `job:<id>`
    "actor_rollout_ref.actor.checkpoint.load_contents": CHECKPOINT_STATE,
    "trainer.max_actor_ckpt_to_keep": 2,
    "trainer.resume_mode": "auto",
    "trainer.logger": ["console", "file"],
}
MAX_PROMPT_TOKENS = 2_048  # longer prompts are skipped and logged; verl's default of 512 is too low
MICRO_BATCH_TOKENS = 16_384  # verl's default
DATA_SOURCE = "sandbox"
OVERRIDES_FILE, METRICS_FILE = "overrides.json", "metrics.jsonl"


def prepare_verl_command(job_dir: JobDir, request: GrpoRequest, settings: GpuSettings, gpus: int) -> list[str]:
    """Write the data and the overrides for verl, and return the command that trains on them."""
    order = job_dir.read_order()
    tasks = request.tasks or load_tasks(Path(order["dataset"]))
    train, held_out = job_dir.path / "train.jsonl", job_dir.path / "held_out.jsonl"
    # An epoch shorter than a step has no steps at all.
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
    """Load the tasks of a file. Raises BadRequest for a line that is not a task, and for a file without tasks."""
    try:
        with dataset.open(encoding="utf-8") as file:
            tasks = [RlTask.model_validate_json(line) for line in file if line.strip()]
    except ValueError as error:
        raise BadRequest(f"{dataset.name} has lines that are not tasks: {error}", "dataset") from None
    if not tasks:
        raise BadRequest(f"{dataset.name} has no tasks", "dataset")
    return tasks


def _build_reward_overrides(request: GrpoRequest, url: str) -> dict[str, Any]:
    options = {"url": url, **build_reward_options(request)}
    return {
        f"{REWARD_FUNCTION_KEY}.path": "pkg://sandbox.trainers.verl_reward",
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
        "trainer.total_epochs": request.steps,  # verl stops at the first limit; an epoch has at least one step
        "trainer.save_freq": request.save_steps,
        "trainer.val_before_train": bool(request.held_out),
        "trainer.test_freq": request.steps if request.held_out else -1,
    }


def _build_ray_overrides(job_dir: JobDir, address: str) -> dict[str, Any]:
    """Configure Ray to start a new cluster if no address is set. By default it joins any cluster on the host."""
    ray = "+ray_kwargs.ray_init"
    address_overrides = (
        {f"{ray}.address": address} if address else {f"{ray}.address": "local", f"{ray}.include_dashboard": False}
    )
    return {**address_overrides, f"{ray}.runtime_env.env_vars.VERL_FILE_LOGGER_PATH": str(job_dir.path / METRICS_FILE)}


def format_hydra_value(value: Any) -> str:
    """Format a value in Hydra's override grammar, in which names are not quoted."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{format_hydra_value(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(format_hydra_value, value)) + "]"
    return _quote(value) if isinstance(value, str) else json.dumps(value)


def _quote(text: str) -> str:
    """Quote text for Hydra. A backslash is literal, except before a quote, at the end, or before an interpolation."""
    text = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    return '"' + re.sub(r'(\\*)("|\Z)', lambda found: found[1] * 2 + (found[2] and '\\"'), text) + '"'


def write_rows(path: Path, tasks: list[RlTask]) -> None:
    """Write rows with verl's columns: the prompt as a chat, and the tests as the ground truth."""
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
